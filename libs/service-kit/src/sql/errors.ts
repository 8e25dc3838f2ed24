/** What a statement can end with, besides success: a duplicate key, a conflict worth repeating, or no server. */
import { AiepError } from "@aiep/contracts";

/** A unique key said no. `key` is the key's name without its table: `PRIMARY`, `outbox_aggregate`. */
export class DuplicateKeyError extends Error {
  override readonly name = "DuplicateKeyError";
  readonly key: string;

  constructor(key: string, options?: ErrorOptions) {
    super(`duplicate entry for key ${key}`, options);
    this.key = key;
  }

  static is(error: unknown, key?: string): error is DuplicateKeyError {
    return error instanceof DuplicateKeyError && (key === undefined || error.key === key);
  }
}

/** The server undid the transaction in favour of another one; the same transaction may succeed when repeated. */
export class TransactionConflictError extends Error {
  override readonly name = "TransactionConflictError";
}

const DUPLICATE = 1062;
const CONFLICTS = new Set([1205, 1213, 1020]); // lock wait timeout, deadlock, record has changed since last read
/** Server-side errors that mean "this server is not serving now": too many connections, shutdown, read-only, killed. */
const SERVER_AWAY = new Set([1040, 1053, 1077, 1079, 1129, 1203, 1290, 1317, 1836, 1927, 3032]);

function member(error: object, name: string): unknown {
  return name in error ? (error as Record<string, unknown>)[name] : undefined; // narrowed by `in`
}

/** Turns a driver's error into one of ours. Messages never carry SQL text or values. */
export function sqlError(error: unknown): unknown {
  if (!(error instanceof Error) || AiepError.is(error) || error instanceof DuplicateKeyError) return error;
  const errno = member(error, "errno");
  const code = member(error, "code");
  if (errno === DUPLICATE) return new DuplicateKeyError(duplicateKey(error.message), { cause: error });
  if (typeof errno === "number" && CONFLICTS.has(errno)) {
    return new TransactionConflictError("the transaction lost against another one", { cause: error });
  }
  const away = typeof errno === "number" && SERVER_AWAY.has(errno);
  if (away || member(error, "fatal") === true || (typeof code === "string" && isConnectionCode(code))) {
    return unavailable(error);
  }
  return error;
}

export function unavailable(cause: unknown): AiepError {
  return new AiepError("DEPENDENCY_UNAVAILABLE", "The database cannot be reached.", {
    retryAfterSeconds: 2,
    cause,
  });
}

function isConnectionCode(code: string): boolean {
  return /^(E(CONN|PIPE|TIMEDOUT|HOST|NET|AI_)|ENOTFOUND|PROTOCOL_|POOL_CLOSED)/.test(code);
}

/** `Duplicate entry 'x' for key 'outbox.outbox_aggregate'` (MySQL 8 writes the table, MariaDB does not). */
function duplicateKey(message: string): string {
  const key = /for key '([^']*)'$/.exec(message)?.[1] ?? "unknown";
  return key.slice(key.lastIndexOf(".") + 1);
}
