/**
 * Idempotency-Key (D30): the answer is stored in the same transaction as the effect (I2).
 *
 * K1 the first one is never slowed down: nothing is read before it. K2 who comes second, at the same moment, in another
 * process or after a restart, meets the stored row (or waits for the one in flight) and gets the first one's answer, also
 * when the same request would be refused by now. K3 refusals and failures are not stored: they may be tried again.
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
   * Runs `perform`, which commits `insert(…)` with its effect and returns the answer. A second request waits for the first
   * one and gets its answer, also from another process or after a restart.
   */
  once(request: IdempotencyRequest, perform: () => Promise<StoredAnswer>): Promise<IdempotentAnswer>;
  /** Deletes answers older than this; call it now and then. */
  purge(olderThanMs: number): Promise<void>;
}

/** Deleted at once: short transactions, so that no submit waits for a purge. */
const PURGE_ROWS = 1_000;

interface Row {
  readonly fingerprint: string;
  readonly status: number;
  readonly body: string;
}

export function createIdempotency(deps: { readonly pool: SqlPool }): Idempotency {
  const { pool } = deps;
  const inFlight = new Map<string, Promise<unknown>>();

  const replay = async (request: IdempotencyRequest): Promise<StoredAnswer | undefined> => {
    const [row] = await pool.query<Row>(
      "SELECT fingerprint, status, body FROM idempotency WHERE user = ? AND route = ? AND idempotency_key = ?",
      [request.user, request.route, request.key],
    );
    if (row === undefined) return undefined;
    if (row.fingerprint !== request.fingerprint) {
      throw new AiepError("IDEMPOTENCY_KEY_REUSED", "This Idempotency-Key was used with another request.");
    }
    return { status: row.status, body: JSON.parse(row.body) };
  };

  const performOrReplay = async (
    request: IdempotencyRequest,
    perform: () => Promise<StoredAnswer>,
  ): Promise<IdempotentAnswer> => {
    try {
      return { answer: await perform(), replayed: false };
    } catch (error) {
      if (!(error instanceof DuplicateKeyError) && !AiepError.is(error)) throw error;
      if (AiepError.is(error, "DEPENDENCY_UNAVAILABLE")) throw error;
      const stored = await replay(request);
      if (stored === undefined) throw error;
      return { answer: stored, replayed: true };
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
      const name = JSON.stringify([request.user, request.route, request.key]);
      const first = inFlight.get(name);
      if (first !== undefined) {
        await first.catch(() => undefined);
        const stored = await replay(request);
        if (stored !== undefined) return { answer: stored, replayed: true };
      }
      const running = performOrReplay(request, perform);
      inFlight.set(name, running);
      try {
        return await running;
      } finally {
        if (inFlight.get(name) === running) inFlight.delete(name);
      }
    },
    purge: async (olderThanMs) => {
      for (let gone = PURGE_ROWS; gone === PURGE_ROWS; ) {
        const { affectedRows } = await pool.execute(
          `DELETE FROM idempotency WHERE created_at < NOW(3) - INTERVAL ? MICROSECOND LIMIT ${PURGE_ROWS}`,
          [olderThanMs * 1000],
        );
        gone = affectedRows;
      }
    },
  };
}

/** SHA-256 of the value as JSON with sorted keys. */
export function fingerprintOf(value: unknown): string {
  return createHash("sha256")
    .update(JSON.stringify(sorted(value)) ?? "null")
    .digest("hex");
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, member]) => [name, sorted(member)]));
}
