/**
 * Idempotency-Key (D30, I2): the answer's row is committed with the effect, so that repeating a request, also at the same
 * moment, from another client or after a restart, gives the first answer and no second effect.
 *
 * Two requests in one process wait for each other here; in two processes the second one's INSERT waits for the first
 * one's row and then finds its answer.
 */
import { createHash } from "node:crypto";
import { AiepError } from "@aiep/contracts";
import { DuplicateKeyError } from "../sql/errors.ts";
import type { SqlPool } from "../sql/pool.ts";
import { type Sql, sql } from "../sql/sql.ts";

export interface IdempotencyRequest {
  readonly user: string;
  /** operationId. */
  readonly route: string;
  readonly key: string;
  /** From `fingerprintOf`. */
  readonly fingerprint: string;
}

export interface StoredAnswer {
  readonly status: number;
  readonly body: unknown;
}

export interface IdempotentAnswer {
  readonly answer: StoredAnswer;
  readonly replayed: boolean;
}

export interface Idempotency {
  /** The row that goes into the same commit unit as the effect. */
  insert(request: IdempotencyRequest, answer: StoredAnswer, now: Date): Sql;
  /** The stored answer; undefined when there is none. Throws IDEMPOTENCY_KEY_REUSED for another fingerprint. */
  replay(request: IdempotencyRequest): Promise<StoredAnswer | undefined>;
  /**
   * Runs `perform` at most once per key at a time: it commits `insert(…)` with its effect and returns the answer. A second
   * request waits for the first one and gets its answer, also from another process or after a restart.
   */
  once(request: IdempotencyRequest, perform: () => Promise<StoredAnswer>): Promise<IdempotentAnswer>;
}

interface AnswerRow {
  readonly fingerprint: string;
  readonly status: number;
  readonly body: string;
}

export function createIdempotency({ pool }: { readonly pool: SqlPool }): Idempotency {
  const performing = new Map<string, Promise<unknown>>();

  const replay = async (request: IdempotencyRequest): Promise<StoredAnswer | undefined> => {
    const [row] = await pool.query<AnswerRow>(
      "SELECT fingerprint, status, body FROM idempotency WHERE user = ? AND route = ? AND idempotency_key = ?",
      [request.user, request.route, request.key],
    );
    if (row === undefined) return undefined;
    if (row.fingerprint !== request.fingerprint) {
      throw new AiepError("IDEMPOTENCY_KEY_REUSED", "This Idempotency-Key was used with another body.");
    }
    return { status: row.status, body: JSON.parse(row.body) };
  };

  const performOnce = async (
    request: IdempotencyRequest,
    perform: () => Promise<StoredAnswer>,
  ): Promise<IdempotentAnswer> => {
    const stored = await replay(request);
    if (stored !== undefined) return { answer: stored, replayed: true };
    try {
      return { answer: await perform(), replayed: false };
    } catch (error) {
      // Another process was faster, or our own commit went through though its answer was lost.
      const elsewhere =
        DuplicateKeyError.is(error) ||
        AiepError.is(error, "DEPENDENCY_UNAVAILABLE") ||
        AiepError.is(error, "VERSION_CONFLICT");
      const answer = elsewhere ? await replay(request) : undefined;
      if (answer === undefined) throw error;
      return { answer, replayed: true };
    }
  };

  return {
    replay,
    insert: (request, answer, now) =>
      sql(
        "INSERT INTO idempotency (user, route, idempotency_key, fingerprint, status, body, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
          request.user,
          request.route,
          request.key,
          request.fingerprint,
          answer.status,
          JSON.stringify(answer.body),
          now,
        ],
      ),
    once: async (request, perform) => {
      const key = JSON.stringify([request.user, request.route, request.key]);
      for (let first = performing.get(key); first !== undefined; first = performing.get(key)) {
        await first.catch(() => undefined);
      }
      const mine = performOnce(request, perform);
      performing.set(key, mine);
      try {
        return await mine;
      } finally {
        performing.delete(key);
      }
    },
  };
}

/** SHA-256 of the value as JSON with sorted keys. */
export function fingerprintOf(value: unknown): string {
  return createHash("sha256").update(canonical(value)).digest("hex");
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`);
  return `{${members.join(",")}}`;
}
