/**
 * Group commit (D5): units that wait at the same time share one START TRANSACTION … COMMIT in one round trip.
 *
 * Q1 no timers: an idle queue commits at once; units gather only while commits are in flight.
 * Q2 units of one key never overtake each other: a key that is in flight holds its later units back.
 * Q3 a batch that fails is rolled back and repeated one by one, so a poison unit fails alone (I12).
 * Q4 deadlocks and lock timeouts are repeated with jitter; a lost connection is not: its outcome is unknown.
 * Q5 a unit too large for one packet goes alone, in one transaction of several round trips.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { AiepError } from "@aiep/contracts";
import { TransactionConflictError } from "./errors.ts";
import type { SqlPool, SqlTransaction } from "./pool.ts";
import { format, type Sql } from "./sql.ts";

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
  /** More than this many waiting units are refused with OVERLOADED; default 10 000. */
  readonly maxWaiting?: number;
  /** Called after each commit with what it wrote, where that is known, e.g. `(written) => relay.wake(written)`. */
  readonly onCommitted?: (written: readonly Written[] | undefined) => void;
}

/** A statement that was committed, and the id that its row was given; 0 when it was given none. */
export interface Written {
  readonly statement: Sql;
  readonly insertId: number;
}

export interface CommitFigures {
  readonly waiting: number;
  readonly commits: number;
  readonly units: number;
}

interface Waiting {
  readonly key: string | undefined;
  readonly statements: readonly Sql[];
  readonly texts: readonly string[];
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Well under max_allowed_packet, which is 16 MiB on MariaDB. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024;
const MAX_ATTEMPTS = 8;

export class CommitQueue {
  readonly #pool: SqlPool;
  readonly #maxUnits: number;
  readonly #maxInFlight: number;
  readonly #maxWaiting: number;
  readonly #onCommitted: NonNullable<CommitQueueDeps["onCommitted"]>;
  readonly #busyKeys = new Set<string>();
  readonly #idle: (() => void)[] = [];
  #waiting: Waiting[] = [];
  #inFlight = 0;
  #beside = 0;
  #scheduled = false;
  #closed = false;
  #commits = 0;
  #units = 0;

  constructor(deps: CommitQueueDeps) {
    this.#pool = deps.pool;
    this.#maxUnits = deps.maxUnits ?? 64;
    this.#maxInFlight = deps.maxInFlight ?? 2;
    this.#maxWaiting = deps.maxWaiting ?? 10_000;
    this.#onCommitted = deps.onCommitted ?? (() => {});
  }

  /**
   * Resolves when the unit is committed. Rejects with DuplicateKeyError (rolled back), the statement's own error
   * (rolled back) or AiepError DEPENDENCY_UNAVAILABLE (outcome unknown: repeating by id is safe).
   */
  async commit(unit: CommitUnit): Promise<void> {
    if (this.#closed) throw new AiepError("SHUTTING_DOWN", "The service is shutting down.");
    if (this.#waiting.length >= this.#maxWaiting) {
      throw new AiepError("OVERLOADED", "Too many changes wait for the database.", { retryAfterSeconds: 1 });
    }
    const { key, statements } = unit;
    const texts = statements.map(format);
    const bytes = texts.reduce((sum, text) => sum + text.length, 0);
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ key, statements, texts, bytes, resolve, reject });
      this.#schedule();
    });
  }

  /**
   * A transaction that reads before it decides what to write: beside the queue, on a connection of its own, told like a commit.
   * Never repeated by itself.
   */
  async transaction<T>(fn: (tx: SqlTransaction) => Promise<T>): Promise<T> {
    if (this.#closed) throw new AiepError("SHUTTING_DOWN", "The service is shutting down.");
    this.#beside += 1;
    try {
      const result = await this.#pool.transaction(fn);
      this.#onCommitted(undefined);
      return result;
    } finally {
      this.#beside -= 1;
      this.#tellIdle();
    }
  }

  /** Since the start, but for `waiting`, which is now. */
  get figures(): CommitFigures {
    return { waiting: this.#waiting.length, commits: this.#commits, units: this.#units };
  }

  /** Waits for what was accepted; later units are refused with SHUTTING_DOWN. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#isIdle()) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Units given in the same tick share a batch. */
  #schedule(): void {
    if (this.#scheduled || this.#inFlight >= this.#maxInFlight) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#inFlight < this.#maxInFlight) {
      const batch = this.#take();
      if (batch.length === 0) break;
      this.#inFlight += 1;
      void this.#run(batch);
    }
    this.#tellIdle();
  }

  #isIdle(): boolean {
    return this.#inFlight === 0 && this.#waiting.length === 0 && this.#beside === 0;
  }

  #tellIdle(): void {
    if (this.#isIdle()) for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** The next batch in order, without units whose key is in flight (Q2). */
  #take(): Waiting[] {
    const batch: Waiting[] = [];
    const rest: Waiting[] = [];
    const keys = new Set<string>();
    const heldBack = new Set<string>();
    let bytes = 0;
    for (const unit of this.#waiting) {
      const full =
        batch.length > 0 && (batch.length >= this.#maxUnits || bytes + unit.bytes > MAX_BATCH_BYTES);
      const held = unit.key !== undefined && (this.#busyKeys.has(unit.key) || heldBack.has(unit.key));
      if (full || held) {
        if (unit.key !== undefined) heldBack.add(unit.key);
        rest.push(unit);
        continue;
      }
      batch.push(unit);
      bytes += unit.bytes;
      if (unit.key !== undefined) keys.add(unit.key);
    }
    this.#waiting = rest;
    for (const key of keys) this.#busyKeys.add(key);
    return batch;
  }

  async #run(batch: readonly Waiting[]): Promise<void> {
    try {
      await this.#commitBatch(batch);
    } finally {
      for (const { key } of batch) if (key !== undefined) this.#busyKeys.delete(key);
      this.#inFlight -= 1;
      this.#pump();
    }
  }

  async #commitBatch(batch: readonly Waiting[]): Promise<void> {
    let written: readonly Written[] | undefined;
    try {
      written = await this.#send(batch);
    } catch (error) {
      if (AiepError.is(error, "DEPENDENCY_UNAVAILABLE")) {
        for (const unit of batch) unit.reject(error);
        return;
      }
      for (const unit of batch) await this.#commitAlone(unit); // Q3
      return;
    }
    for (const unit of batch) unit.resolve();
    this.#onCommitted(written);
  }

  async #commitAlone(unit: Waiting): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const written = await this.#send([unit]);
        unit.resolve();
        this.#onCommitted(written);
        return;
      } catch (error) {
        if (!(error instanceof TransactionConflictError) || attempt >= MAX_ATTEMPTS) {
          unit.reject(error);
          return;
        }
        await sleep(Math.random() * 5 * 2 ** attempt); // Q4
      }
    }
  }

  async #send(batch: readonly Waiting[]): Promise<readonly Written[] | undefined> {
    const texts = batch.flatMap((unit) => unit.texts);
    const small = batch.reduce((sum, unit) => sum + unit.bytes, 0) <= MAX_BATCH_BYTES;
    const results = await this.#pool.transaction(async (tx) => {
      if (small) return await tx.commit(texts);
      for (const packet of packetsOf(texts)) await tx.multi(packet); // Q5
      return undefined;
    });
    this.#commits += 1;
    this.#units += batch.length;
    return results && writtenBy(batch, results);
  }
}

function writtenBy(batch: readonly Waiting[], results: readonly unknown[]): readonly Written[] {
  const statements = batch.flatMap((unit) => unit.statements);
  return statements.map((statement, index) => ({ statement, insertId: insertIdOf(results[index]) }));
}

function insertIdOf(result: unknown): number {
  if (typeof result !== "object" || result === null || !("insertId" in result)) return 0;
  return Number(result.insertId);
}

function packetsOf(texts: readonly string[]): string[][] {
  const packets: string[][] = [];
  let packet: string[] = [];
  let room = 0;
  for (const text of texts) {
    if (packets.length === 0 || text.length > room) {
      packet = [];
      packets.push(packet);
      room = MAX_BATCH_BYTES;
    }
    packet.push(text);
    room -= text.length;
  }
  return packets;
}
