import type { SqlPool } from "../sql/pool.ts";
import type { Sql } from "../sql/sql.ts";

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

export function createIdempotency(_deps: { readonly pool: SqlPool }): Idempotency {
  throw new Error("pending");
}

/** SHA-256 of the value as JSON with sorted keys. */
export function fingerprintOf(_value: unknown): string {
  throw new Error("pending");
}
