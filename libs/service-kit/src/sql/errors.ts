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

/** Turns a driver's error into one of ours. What leaves here, causes included, carries no SQL text and no values. */
export function sqlError(error: unknown): unknown {
  if (!(error instanceof Error) || AiepError.is(error) || error instanceof DuplicateKeyError) return error;
  withhold(error);
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

/** The driver hangs the whole statement on its error, and the server quotes values: both would reach a log. */
function withhold(error: Error): void {
  Reflect.deleteProperty(error, "sql");
  const { message, stack } = error;
  const told = QUOTED_DATA.reduce((text, pattern) => text.replace(pattern, "$1'…'"), message);
  if (told === message) return;
  error.message = told;
  error.stack = stack?.replace(message, told) ?? told;
  if ("sqlMessage" in error) error.sqlMessage = told;
}

/** Where a server's message quotes data or statement text; names of keys and columns stay. */
const QUOTED_DATA = [
  /(\bentry )'.*'(?= for key )/s,
  /(\bvalue:? )'.*'(?= for (?:column|function) |$)/s,
  /(\bnear )'.*'(?= at line )/s,
];

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
