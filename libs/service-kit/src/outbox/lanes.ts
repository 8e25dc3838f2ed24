/**
 * Which rows the relay may publish now: one lane per aggregate, one event of a lane on its way at a time, so that the
 * versions of an aggregate reach the stream in order (D6) while a failing aggregate holds back only itself (I12).
 *
 * Pure state, no I/O. A row is claimed from `offer` until `marked`; a lane that failed rests until its time and is named by
 * `resting`, so that the reader leaves its rows out. What was offered last of an aggregate is remembered for a while, so that
 * a row that comes right after it need not be read from the table first (`following`).
 */
import type { AggregateKey, OutboxRow } from "./outbox-store.ts";

interface Lane {
  readonly key: AggregateKey;
  readonly rows: OutboxRow[];
  failures: number;
  retryAt: number;
}

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 10_000;
const MOST_REMEMBERED = 10_000;

export class Lanes {
  readonly #lanes = new Map<string, Lane>();
  readonly #claimed = new Set<number>();
  /** Version of each aggregate that was offered last, and did not fail. */
  readonly #last = new Map<string, number>();

  /** Ids of the rows on their way or waiting in a lane. */
  get claimed(): ReadonlySet<number> {
    return this.#claimed;
  }

  /** Takes rows that are not claimed yet, in id order; returns those that head a lane that was empty: publish these. */
  offer(rows: readonly OutboxRow[], now: number): OutboxRow[] {
    const heads: OutboxRow[] = [];
    for (const row of rows) {
      if (this.#claimed.has(row.id)) continue;
      const lane = this.#lane(row);
      if (lane.retryAt > now) continue;
      this.#claimed.add(row.id);
      this.#remember(row);
      lane.rows.push(row);
      if (lane.rows.length === 1) heads.push(row);
    }
    return heads;
  }

  /**
   * Of rows that were just committed, those not offered yet, when nothing can lie before any of them; undefined: read the
   * table. True to the order only while everything that was committed earlier has been offered.
   */
  following(rows: readonly OutboxRow[]): OutboxRow[] | undefined {
    const fresh: OutboxRow[] = [];
    const reached = new Map<string, number>();
    for (const row of rows) {
      const name = aggregateName(row);
      const last = reached.get(name) ?? this.#last.get(name) ?? 0;
      if (row.aggregate_version <= last) continue;
      if (row.aggregate_version > last + 1) return undefined;
      reached.set(name, row.aggregate_version);
      fresh.push(row);
    }
    return fresh;
  }

  /** What was offered may come again. */
  forget(): void {
    this.#last.clear();
  }

  /** The head of the lane is on the bus: the next row of the lane, if any. The row stays claimed until `marked`. */
  published(row: OutboxRow): OutboxRow | undefined {
    const lane = this.#lane(row);
    lane.rows.shift();
    lane.failures = 0;
    if (lane.rows.length === 0) this.#lanes.delete(aggregateName(row));
    return lane.rows[0];
  }

  /** The rows are marked in the database and cannot be read again. */
  marked(ids: readonly number[]): void {
    for (const id of ids) this.#claimed.delete(id);
  }

  /** The head failed: the lane rests and lets its rows go. */
  failed(row: OutboxRow, now: number): void {
    const lane = this.#lane(row);
    lane.failures += 1;
    lane.retryAt = now + Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (lane.failures - 1));
    this.#letGo(lane);
  }

  /** The lane is not ours to publish any more (parked). */
  drop(row: OutboxRow): void {
    this.#letGo(this.#lane(row));
    this.#lanes.delete(aggregateName(row));
  }

  /** The server came back: nothing rests any longer. */
  wakeAll(): void {
    for (const lane of this.#lanes.values()) lane.retryAt = 0;
  }

  resting(now: number): AggregateKey[] {
    return [...this.#lanes.values()].filter((lane) => lane.retryAt > now).map((lane) => lane.key);
  }

  #lane(row: OutboxRow): Lane {
    const name = aggregateName(row);
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      const key = { aggregate_type: row.aggregate_type, aggregate_id: row.aggregate_id };
      lane = { key, rows: [], failures: 0, retryAt: 0 };
      this.#lanes.set(name, lane);
    }
    return lane;
  }

  #letGo(lane: Lane): void {
    for (const { id } of lane.rows) this.#claimed.delete(id);
    lane.rows.length = 0;
    this.#last.delete(aggregateName(lane.key));
  }

  #remember(row: OutboxRow): void {
    const name = aggregateName(row);
    if (this.#last.size >= MOST_REMEMBERED && !this.#last.has(name)) this.#last.clear();
    this.#last.set(name, Math.max(row.aggregate_version, this.#last.get(name) ?? 0));
  }
}

export function aggregateName(row: AggregateKey): string {
  return `${row.aggregate_type} ${row.aggregate_id}`;
}
