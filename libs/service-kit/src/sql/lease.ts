import type { Logger } from "../logging/logger.ts";
import type { SqlPool } from "./pool.ts";

export interface LeaseOptions {
  readonly pool: SqlPool;
  readonly name: string;
  readonly log: Logger;
  /** Default 10 000. */
  readonly ttlMs?: number;
}

/** One active holder per name (table lease), renewed in the background; loss is noticed before another one may hold it. */
export interface Lease {
  /** Resolves when held; rejects when the signal aborts. The returned signal aborts when the lease is lost. */
  acquire(signal: AbortSignal): Promise<LeaseGrant>;
}

export interface LeaseGrant extends AsyncDisposable {
  readonly epoch: number;
  readonly lost: AbortSignal;
  release(): Promise<void>;
}

export function createLease(_options: LeaseOptions): Lease {
  throw new Error("pending");
}
