/**
 * One active instance per name (table `lease`), by the database's clock, with a fencing epoch that only grows.
 *
 * L1 the holder knows of the loss before another one may hold it: it gives up at four fifths of the time it was granted,
 * counted from before the statement that granted it. L2 a holder that was stopped for long may still act for a moment;
 * whoever uses a lease must be harmless when doubled, or carry the epoch into its statements.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "../logging/logger.ts";
import type { SqlPool } from "./pool.ts";
import { sql } from "./sql.ts";

export interface LeaseOptions {
  readonly pool: SqlPool;
  readonly name: string;
  readonly log: Logger;
  /** Default 3 000: also how long the work rests after a crash. */
  readonly ttlMs?: number;
}

export interface Lease {
  /** Resolves when held; rejects when the signal aborts. */
  acquire(signal: AbortSignal): Promise<LeaseGrant>;
}

export interface LeaseGrant extends AsyncDisposable {
  readonly epoch: number;
  /** Aborted when the lease is lost or given up. */
  readonly lost: AbortSignal;
  release(): Promise<void>;
}

export function createLease(options: LeaseOptions): Lease {
  const { pool, name, log, ttlMs = 3_000 } = options;

  const acquire = async (signal: AbortSignal): Promise<LeaseGrant> => {
    const holder = randomUUID();
    for (;;) {
      signal.throwIfAborted();
      const before = performance.now();
      try {
        const epoch = await tryTake({ pool, name, holder, ttlMs });
        if (epoch !== undefined) {
          log.info({ lease: name, epoch }, "lease taken");
          return new Grant({ pool, name, log, ttlMs, holder, epoch, takenAt: before });
        }
      } catch (error) {
        log.warn({ lease: name, err: error }, "lease cannot be read; trying again");
      }
      await sleep(ttlMs / 6 + (Math.random() * ttlMs) / 12, undefined, { signal });
    }
  };
  return { acquire };
}

interface Claim {
  readonly pool: SqlPool;
  readonly name: string;
  readonly holder: string;
  readonly ttlMs: number;
}

async function tryTake({ pool, name, holder, ttlMs }: Claim): Promise<number | undefined> {
  const results = await pool.multi([
    sql("INSERT IGNORE INTO lease (name, holder, epoch, expires_at) VALUES (?, '', 0, '2000-01-01')", [name]),
    sql(
      "UPDATE lease SET holder = ?, epoch = epoch + 1, expires_at = NOW(3) + INTERVAL ? MICROSECOND WHERE name = ? AND expires_at <= NOW(3)",
      [holder, ttlMs * 1000, name],
    ),
    sql("SELECT epoch FROM lease WHERE name = ? AND holder = ?", [name, holder]),
  ]);
  const rows = results[2] as readonly { epoch: number }[]; // the third statement is the SELECT
  return rows[0]?.epoch;
}

interface GrantDeps extends Claim {
  readonly log: Logger;
  readonly epoch: number;
  readonly takenAt: number;
}

class Grant implements LeaseGrant {
  readonly epoch: number;
  readonly #deps: GrantDeps;
  readonly #lost = new AbortController();
  readonly #renewing: Promise<void>;
  #deadline: number;

  constructor(deps: GrantDeps) {
    this.#deps = deps;
    this.epoch = deps.epoch;
    this.#deadline = deps.takenAt + deps.ttlMs * 0.8;
    this.#renewing = this.#keep();
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async release(): Promise<void> {
    if (this.#lost.signal.aborted) return await this.#renewing;
    this.#lost.abort();
    await this.#renewing;
    const { pool, name, holder, epoch } = this.#deps;
    await pool
      .execute("UPDATE lease SET expires_at = '2000-01-01' WHERE name = ? AND holder = ? AND epoch = ?", [
        name,
        holder,
        epoch,
      ])
      .catch(() => undefined); // it runs out by itself
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  async #keep(): Promise<void> {
    const { ttlMs, log, name } = this.#deps;
    const expiry = setInterval(() => this.#expire(), ttlMs / 20);
    try {
      while (!this.#lost.signal.aborted) {
        await sleep(ttlMs / 4, undefined, { signal: this.#lost.signal });
        await this.#renew();
      }
    } catch (error) {
      if (!this.#lost.signal.aborted) log.error({ lease: name, err: error }, "lease renewal broke");
    } finally {
      clearInterval(expiry);
    }
  }

  /** L1: runs beside a renewal that hangs. */
  #expire(): void {
    if (performance.now() < this.#deadline || this.#lost.signal.aborted) return;
    this.#deps.log.warn({ lease: this.#deps.name, epoch: this.epoch }, "lease lost");
    this.#lost.abort();
  }

  async #renew(): Promise<void> {
    const { pool, name, holder, epoch, ttlMs, log } = this.#deps;
    const before = performance.now();
    try {
      const { affectedRows } = await pool.execute(
        "UPDATE lease SET expires_at = NOW(3) + INTERVAL ? MICROSECOND WHERE name = ? AND holder = ? AND epoch = ?",
        [ttlMs * 1000, name, holder, epoch],
      );
      if (affectedRows === 1) this.#deadline = before + ttlMs * 0.8;
      else this.#deadline = 0; // somebody else holds it
    } catch (error) {
      log.warn({ lease: name, err: error }, "lease not renewed; trying again until it runs out");
    }
  }
}
