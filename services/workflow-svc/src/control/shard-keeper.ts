/**
 * Holds a fair share of the shards (D21): renews its leases, takes free ones, hands over what is too much.
 *
 * K1 The holder knows of the loss before another may own a shard: it gives up at four fifths of the time it was granted,
 *    counted from before the statement. K2 A holder that was stopped for long may still act for a moment: its commits carry
 *    an old epoch and are refused (R2).
 */
import { type Logger, pause, WakeUp } from "@aiep/service-kit";
import { fairShare } from "../domain/shard.ts";
import type { HeldShard, ShardLeases } from "../store/shard-leases.ts";

export interface ShardKeeperDeps {
  readonly leases: ShardLeases;
  readonly gained: (shards: readonly HeldShard[]) => void;
  readonly lost: (shards: readonly number[]) => void;
  readonly surrender: (shards: readonly number[]) => Promise<void>;
  /** Shards became free: others may take them. */
  readonly released: () => void;
  readonly log: Logger;
  readonly ttlMs: number;
}

export interface ShardKeeper {
  start(): void;
  /** Shards may be free. */
  wake(): void;
  /** Hands everything over. */
  stop(): Promise<void>;
}

export function createShardKeeper(deps: ShardKeeperDeps): ShardKeeper {
  return new Keeper(deps);
}

class Keeper implements ShardKeeper {
  readonly #deps: ShardKeeperDeps;
  readonly #held = new Map<number, number>();
  readonly #stopping = new AbortController();
  readonly #wake = new WakeUp();
  #deadline = Number.POSITIVE_INFINITY;
  #surrendering: Promise<void> | undefined;
  #running: Promise<void> | undefined;

  constructor(deps: ShardKeeperDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  wake(): void {
    this.#wake.wake();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake.wake();
    await this.#running;
    await this.#surrendering;
    await this.#deps.surrender([...this.#held.keys()]);
    this.#held.clear();
    await this.#deps.leases.leave().catch(() => undefined); // the time runs out by itself
    this.#deps.released();
  }

  async #run(): Promise<void> {
    const { ttlMs, log } = this.#deps;
    const expiry = setInterval(() => this.#expire(), ttlMs / 20);
    try {
      while (!this.#stopping.signal.aborted) {
        try {
          await this.#round();
        } catch (error) {
          log.warn({ err: error }, "shards not renewed; trying again until their time runs out");
          await pause(ttlMs / 20, this.#stopping.signal);
        }
        await this.#wake.wait(ttlMs / 4, this.#stopping.signal);
      }
    } finally {
      clearInterval(expiry);
    }
  }

  async #round(): Promise<void> {
    const { leases, ttlMs } = this.#deps;
    const before = performance.now();
    const view = await leases.renew(ttlMs);
    this.#deadline = before + ttlMs * 0.8;
    this.#forgetAllBut(view.held);
    await leases.release(view.held.filter(({ shard }) => !this.#held.has(shard))); // given up before: a new epoch first
    const share = fairShare(view.replicas);
    const surplus = this.#held.size - share;
    if (surplus > 0)
      this.#surrendering ??= this.#handOver(surplus).finally(() => (this.#surrendering = undefined));
    else if (surplus < 0 && view.free > 0) await this.#take(-surplus);
  }

  /** K1: runs beside a renewal that hangs. */
  #expire(): void {
    if (performance.now() < this.#deadline || this.#held.size === 0) return;
    this.#deps.log.warn(
      { shards: this.#held.size },
      "shards lost: their leases could not be renewed in time",
    );
    this.#forgetAllBut([]);
  }

  /** An expired shard that was not taken by anybody is free for us as well, with a new epoch. */
  #forgetAllBut(held: readonly HeldShard[]): void {
    const epochs = new Map(held.map(({ shard, epoch }) => [shard, epoch]));
    const gone = [...this.#held]
      .filter(([shard, epoch]) => epochs.get(shard) !== epoch)
      .map(([shard]) => shard);
    if (gone.length === 0) return;
    for (const shard of gone) this.#held.delete(shard);
    this.#deps.lost(gone);
  }

  async #take(most: number): Promise<void> {
    const { leases, ttlMs, gained, log } = this.#deps;
    const taken = (await leases.take(most, ttlMs)).filter(({ shard }) => !this.#held.has(shard));
    if (taken.length === 0) return;
    for (const { shard, epoch } of taken) this.#held.set(shard, epoch);
    log.info({ shards: taken.length, held: this.#held.size }, "shards taken");
    gained(taken);
  }

  async #handOver(count: number): Promise<void> {
    const { leases, surrender, released, log } = this.#deps;
    const leaving = [...this.#held].slice(0, count).map(([shard, epoch]) => ({ shard, epoch }));
    await surrender(leaving.map(({ shard }) => shard));
    for (const { shard } of leaving) this.#held.delete(shard);
    await leases.release(leaving).catch((error: unknown) => log.warn({ err: error }, "shards not released"));
    log.info({ shards: leaving.length, held: this.#held.size }, "shards handed over");
    released();
  }
}
