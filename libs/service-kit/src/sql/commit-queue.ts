import type { SqlPool } from "./pool.ts";
import type { Sql } from "./sql.ts";

export interface CommitUnit {
  /** Units of one key (an aggregate's id) commit in the order they were given. */
  readonly key?: string;
  readonly statements: readonly Sql[];
}

export interface CommitQueueDeps {
  readonly pool: SqlPool;
  /** Default 64. */
  readonly maxUnits?: number;
  /** Commits at the same time; default 2. */
  readonly maxInFlight?: number;
  /** Called after each commit, e.g. `() => relay.wake()`. */
  readonly onCommitted?: () => void;
}

export class CommitQueue {
  constructor(_deps: CommitQueueDeps) {
    throw new Error("pending");
  }

  /**
   * Resolves when the unit is committed. Rejects with DuplicateKeyError (rolled back), the statement's own error
   * (rolled back) or AiepError DEPENDENCY_UNAVAILABLE (outcome unknown: repeating by id is safe).
   */
  commit(_unit: CommitUnit): Promise<void> {
    throw new Error("pending");
  }

  /** Waits for what was accepted; later units are refused with SHUTTING_DOWN. */
  close(): Promise<void> {
    throw new Error("pending");
  }
}
