/**
 * The outbox relay (D5): publishes what was committed, right after the commit, and sweeps what is left.
 *
 * R1 one active relay per service (lease); two for a moment are harmless: the message id is the same.
 * R2 versions of one aggregate go out in order, one on its way at a time (lanes.ts). R3 a row is marked only after its
 * PubAck; a crash between the two publishes it again. R4 an event that can never be published is parked with its error
 * and holds back its aggregate alone (I12). R5 a stream that is new or went back gets all history again, before anything
 * else is published. R6 what a commit of this process wrote is handed over and not read from the table, as long as all that
 * was committed before is on its way and it is the next of its aggregate; the sweep finds what others wrote, the sooner the busier
 * we are.
 */
import { backoffMs } from "../async/backoff.ts";
import { pause, within } from "../async/wait.ts";
import type { Bus } from "../bus/bus.ts";
import { type PublishError, publishError, publishMessage } from "../bus/publish.ts";
import { type Failpoints, NO_FAILPOINTS } from "../failpoints/failpoints.ts";
import { ALL_SAFE, type UnsafeSwitches } from "../failpoints/unsafe.ts";
import type { Logger } from "../logging/logger.ts";
import type { Written } from "../sql/commit-queue.ts";
import { createLease } from "../sql/lease.ts";
import type { SqlPool } from "../sql/pool.ts";
import type { Sql } from "../sql/sql.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { aggregateName, Lanes } from "./lanes.ts";
import { Marks } from "./marks.ts";
import { type OutboxRow, OutboxStore, type RelayLag } from "./outbox-store.ts";
import { insertedRow } from "./record.ts";
import { observeRelay, type RelayMetrics } from "./relay-metrics.ts";
import { StreamGuard } from "./stream-guard.ts";

export interface OutboxRelayDeps {
  /** Lease name and metric label, e.g. `task-svc`. */
  readonly service: string;
  readonly pool: SqlPool;
  readonly bus: Bus;
  readonly log: Logger;
  readonly telemetry?: Telemetry;
  readonly failpoints?: Failpoints;
  readonly unsafe?: UnsafeSwitches;
  /** Rows on their way at once; default 500. */
  readonly batchSize?: number;
  /** Default 500. */
  readonly sweepMs?: number;
  /** Default 3 000. */
  readonly leaseMs?: number;
  /** Published rows older than this may go; default none is purged. */
  readonly purge?: {
    readonly olderThanMs: number;
    /** More conditions, e.g. that the aggregate has ended: an SQL expression over the columns of `outbox`. */
    readonly where?: Sql;
  };
}

export interface OutboxRelay {
  start(): void;
  /** Something was committed: this, or undefined: look what. Cheap, callable from anywhere. */
  wake(written?: readonly Written[]): void;
  /** Finishes what is in flight, gives the lease up. */
  stop(): Promise<void>;
  lag(): Promise<RelayLag>;
}

export function createOutboxRelay(deps: OutboxRelayDeps): OutboxRelay {
  return new Relay(deps);
}

const PURGE_EVERY_MS = 60_000;
const PURGE_STEP = 1_000;
const MOST_RESTING = 200;
/** How long a tenure waits for its last acknowledgements. */
const FINISH_MS = 2_000;
/** While rows are handed over, other replicas are busy too: the table is read so many times as often. */
const BUSY = 10;

class Relay implements OutboxRelay {
  readonly #deps: OutboxRelayDeps;
  readonly #store: OutboxStore;
  readonly #guard: StreamGuard;
  readonly #failpoints: Failpoints;
  readonly #metrics: RelayMetrics;
  readonly #batchSize: number;
  readonly #sweepMs: number;
  readonly #stopping = new AbortController();
  #lanes = new Lanes();
  readonly #marks: Marks;
  #handed: OutboxRow[] = [];
  /** The table may hold what was not handed over. */
  #look = true;
  /** The last reading found all there was. */
  #caughtUp = false;
  #lastRead = 0;
  #wakeUp: (() => void) | undefined;
  #woken = false;
  #running: Promise<void> | undefined;
  #nextPurge = 0;
  #starved = false;
  #parked: Set<string> | undefined;
  readonly #sending = new Set<Promise<void>>();

  constructor(deps: OutboxRelayDeps) {
    this.#deps = deps;
    this.#store = new OutboxStore(deps.pool);
    this.#guard = new StreamGuard({ store: this.#store, bus: deps.bus, log: deps.log });
    this.#failpoints = deps.failpoints ?? NO_FAILPOINTS;
    this.#metrics = observeRelay(deps.telemetry?.meter, () => this.lag());
    this.#marks = new Marks({
      store: this.#store,
      failpoints: this.#failpoints,
      log: deps.log,
      settled: (ids) => this.#settled(ids),
    });
    this.#batchSize = deps.batchSize ?? 500;
    this.#sweepMs = deps.sweepMs ?? 500;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  wake(written?: readonly Written[]): void {
    const rows = written?.flatMap((each) => insertedRow(each) ?? []);
    if (rows?.length === 0) return; // nothing for the bus
    if (rows === undefined || !this.#caughtUp || this.#handed.length + rows.length > this.#batchSize)
      this.#lookAgain();
    else this.#handed.push(...rows);
    this.#woken = true;
    this.#wakeUp?.();
  }

  #lookAgain(): void {
    this.#look = true;
    this.#handed = [];
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.wake();
    await this.#running;
  }

  async lag(): Promise<RelayLag> {
    return await this.#store.lag();
  }

  async #run(): Promise<void> {
    const { pool, log, service, bus, leaseMs } = this.#deps;
    const lease = createLease({
      pool,
      log,
      name: `${service}/outbox`,
      ...(leaseMs === undefined ? {} : { ttlMs: leaseMs }),
    });
    const stopListening = bus.onStatus((status) => {
      if (status !== "connected") return;
      this.#guard.doubt();
      this.#lanes.wakeAll();
      this.wake();
    });
    try {
      while (!this.#stopping.signal.aborted) {
        await using grant = await lease.acquire(this.#stopping.signal);
        await this.#relayWhile(AbortSignal.any([grant.lost, this.#stopping.signal]));
      }
    } catch (error) {
      if (!this.#stopping.signal.aborted) log.fatal({ err: error }, "the outbox relay broke");
    } finally {
      stopListening();
    }
  }

  /** One tenure: a fresh view of what is unpublished, nothing remembered from an earlier one. */
  async #relayWhile(signal: AbortSignal): Promise<void> {
    this.#lanes = new Lanes();
    this.#caughtUp = false;
    this.#lookAgain();
    this.#guard.doubt();
    this.#parked = undefined;
    let failures = 0;
    while (!signal.aborted) {
      this.#woken = false;
      try {
        const full = await this.#cycle(signal);
        failures = 0;
        if (!full) await this.#rest(this.#sweepMs);
      } catch (error) {
        failures += 1;
        this.#lookAgain();
        this.#deps.log.warn({ err: error, failures }, "the outbox cannot be relayed; trying again");
        await pause(backoffMs(failures, { floorMs: 100, capMs: 1_000 }), signal);
      }
    }
    this.#caughtUp = false;
    await within(FINISH_MS, Promise.allSettled(this.#sending), undefined);
    await this.#marks.flush(); // what stays unmarked is published again (R3)
  }

  /** Sends what may go; true when there may be more at once. */
  async #cycle(signal: AbortSignal): Promise<boolean> {
    if (this.#deps.bus.status !== "connected") return false;
    if (this.#guard.doubtful) {
      this.#lookAgain();
      this.#lanes.forget();
      await this.#marks.flush(); // acks of the old stream are marked before its history is taken back (R5)
      await this.#guard.check();
    }
    const room = this.#batchSize - this.#lanes.claimed.size;
    if (room <= 0) {
      this.#starved = true;
      this.#lookAgain();
      this.#marks.hurry();
      return false;
    }
    const now = performance.now();
    const rows = this.#takeHanded(now) ?? (await this.#read(room, now));
    if (rows.length === 0) return false;
    if (!rows.every((row) => this.#guard.knows(row.stream))) {
      this.#guard.doubt();
      return true; // remembered first (G3), then published
    }
    await this.#failpoints.hit("outbox.committed-not-published");
    if (signal.aborted) return false;
    const heads = this.#lanes.offer(await this.#withoutParked(rows), now);
    for (const row of heads) this.#send(row, signal);
    return heads.length > 0 && rows.length === room;
  }

  /** R6. Undefined: the table is to be read. */
  #takeHanded(now: number): readonly OutboxRow[] | undefined {
    if (this.#look || !this.#caughtUp || now - this.#lastRead >= this.#sweepMs / BUSY) return undefined;
    return this.#lanes.following(this.#handed.splice(0));
  }

  async #read(room: number, now: number): Promise<readonly OutboxRow[]> {
    const resting = this.#lanes.resting(now);
    if (resting.length > MOST_RESTING) return [];
    this.#look = false;
    this.#handed = [];
    this.#lastRead = now;
    const rows = await this.#store.unpublished(room, {
      ids: [...this.#lanes.claimed],
      aggregates: resting,
    });
    this.#caughtUp = rows.length < room;
    if (rows.length === 0) await this.#purgeSometimes(now);
    return rows;
  }

  /** R4: later events of a parked aggregate rest with it, until an administrator frees them. */
  async #withoutParked(rows: readonly OutboxRow[]): Promise<readonly OutboxRow[]> {
    const free: OutboxRow[] = [];
    this.#parked ??= new Set((await this.#store.parkedAggregates()).map(aggregateName));
    for (const row of rows) {
      const name = aggregateName(row);
      if (this.#parked.has(name)) {
        if (await this.#store.isParked(row)) {
          await this.#store.park(row, "an earlier event of the aggregate is parked");
          continue;
        }
        this.#parked.delete(name);
      }
      free.push(row);
    }
    return free;
  }

  #send(head: OutboxRow, signal: AbortSignal): void {
    const sending = this.#publishLane(head, signal).finally(() => this.#sending.delete(sending));
    this.#sending.add(sending);
  }

  async #publishLane(head: OutboxRow, signal: AbortSignal): Promise<void> {
    const lanes = this.#lanes;
    for (let row: OutboxRow | undefined = head; row !== undefined && !signal.aborted; ) {
      const current: OutboxRow = row;
      try {
        const { seq, duplicate } = await this.#publish(current);
        if (lanes !== this.#lanes) return; // another tenure reads these rows again
        if (!duplicate && this.#guard.wentBack(current.stream, seq)) this.wake();
        this.#marks.add({ id: current.id, stream: current.stream, seq: duplicate ? 0 : seq });
        row = lanes.published(current);
        if (row !== undefined && this.#guard.doubtful) {
          lanes.drop(row); // R5: read again after the check
          this.wake();
          return;
        }
      } catch (error) {
        await this.#publishFailed(lanes, current, publishError(error));
        return;
      }
    }
  }

  async #publish(row: OutboxRow): Promise<{ readonly seq: number; readonly duplicate: boolean }> {
    const unsafe = this.#deps.unsafe ?? ALL_SAFE;
    if (unsafe.has("outbox")) await this.#store.markPublished([row.id], new Map()); // negative control: mark, then hope
    const result = await publishMessage(this.#deps.bus, {
      id: row.event_id,
      stream: row.stream,
      subject: row.subject,
      headers: row.headers,
      payload: row.payload,
    });
    this.#metrics.published(row.stream);
    return result;
  }

  async #publishFailed(lanes: Lanes, row: OutboxRow, error: PublishError): Promise<void> {
    const { log } = this.#deps;
    this.#metrics.failed(error.kind);
    const about = { event_id: row.event_id, type: row.type, subject: row.subject, err: error };
    if (error.kind !== "permanent") {
      log.warn(about, "event not published; its aggregate waits");
      lanes.failed(row, performance.now());
      if (this.#deps.bus.status === "connected") this.#guard.doubt();
      return;
    }
    log.error(about, "event can never be published; it is parked with its aggregate");
    try {
      await this.#store.park(row, error.message);
      this.#parked?.add(aggregateName(row));
      lanes.drop(row);
    } catch {
      lanes.failed(row, performance.now());
    }
  }

  /** The rows are marked, or may be read and published again. */
  #settled(ids: readonly number[]): void {
    this.#lanes.marked(ids);
    if (!this.#starved) return;
    this.#starved = false;
    this.wake();
  }

  async #rest(ms: number): Promise<void> {
    if (this.#woken) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#look = true;
        resolve();
      }, ms);
      this.#wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wakeUp = undefined;
  }

  async #purgeSometimes(now: number): Promise<void> {
    const { purge } = this.#deps;
    if (purge === undefined || now < this.#nextPurge) return;
    const more = await this.#store.purge(purge.olderThanMs, purge.where, PURGE_STEP);
    this.#nextPurge = more ? now : now + PURGE_EVERY_MS;
  }
}
