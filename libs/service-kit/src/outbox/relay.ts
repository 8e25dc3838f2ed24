import type { Bus } from "../bus/bus.ts";
import type { Failpoints } from "../failpoints/failpoints.ts";
import type { UnsafeSwitches } from "../failpoints/unsafe.ts";
import type { Logger } from "../logging/logger.ts";
import type { SqlPool } from "../sql/pool.ts";
import type { Sql } from "../sql/sql.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";

export interface OutboxRelayDeps {
  /** Lease name and metric label, e.g. `task-svc`. */
  readonly service: string;
  readonly pool: SqlPool;
  readonly bus: Bus;
  readonly log: Logger;
  readonly telemetry?: Telemetry;
  readonly failpoints?: Failpoints;
  readonly unsafe?: UnsafeSwitches;
  /** Rows read at once; default 500. */
  readonly batchSize?: number;
  /** Default 500. */
  readonly sweepMs?: number;
  readonly leaseMs?: number;
  /** Published rows older than this may go; default none is purged. */
  readonly purge?: {
    readonly olderThanMs: number;
    /** More conditions on `outbox`, e.g. that the aggregate has ended: an SQL expression over the alias `outbox`. */
    readonly where?: Sql;
  };
}

export interface RelayLag {
  /** Rows waiting. */
  readonly rows: number;
  /** Age of the oldest, in milliseconds; 0 when none waits. */
  readonly oldestMs: number;
  readonly parked: number;
}

export interface OutboxRelay {
  start(): void;
  /** Something was committed: look now. Cheap, callable from anywhere. */
  wake(): void;
  /** Finishes what is in flight, gives the lease up. */
  stop(): Promise<void>;
  lag(): Promise<RelayLag>;
}

export function createOutboxRelay(_deps: OutboxRelayDeps): OutboxRelay {
  throw new Error("pending");
}
