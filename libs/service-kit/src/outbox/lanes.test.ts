/**
 * The relay's order and claims under arbitrary interleavings: an outbox of a few aggregates is written by us and by others,
 * read, handed over, published, failed, parked and marked in any order, and after every step the promises of lanes.ts hold.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { aggregateName, Lanes } from "./lanes.ts";
import type { OutboxRow } from "./outbox-store.ts";

const AGGREGATES = 3;
const VERSIONS = 4;

/** Row `n` of the outbox: aggregates take turns, versions of each grow with the id. */
function outbox(): OutboxRow[] {
  return Array.from({ length: AGGREGATES * VERSIONS }, (_, at) => ({
    id: at + 1,
    event_id: `event-${at + 1}`,
    stream: "TASK",
    subject: "aiep.test.evt.task.g1.a.updated",
    type: "aiep.task.updated.v1",
    aggregate_type: "task",
    aggregate_id: `a${at % AGGREGATES}`,
    aggregate_version: Math.floor(at / AGGREGATES) + 1,
    headers: {},
    payload: "{}",
  }));
}

type Step =
  | { readonly kind: "committed"; readonly by: "us" | "others" }
  | { readonly kind: "read"; readonly limit: number }
  | { readonly kind: "acked" | "failed" | "parked"; readonly which: number }
  | { readonly kind: "marked" | "connected" }
  | { readonly kind: "time"; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("committed"), by: fc.constantFrom("us", "others") }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("read"), limit: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("acked"), which: fc.nat(11) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("failed"), which: fc.nat(11) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("parked"), which: fc.nat(11) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("marked", "connected") }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("time"), ms: fc.nat(12_000) }) },
) as fc.Arbitrary<Step>; // constants of a record are widened to string

/** The relay around the lanes, without a network: what it has sent and not heard of, and what the table says. */
class Relay {
  readonly lanes = new Lanes();
  readonly onTheWay: OutboxRow[] = [];
  /** Per aggregate, in the order of the stream. */
  readonly stream = new Map<string, number[]>();
  readonly #published = new Set<number>();
  readonly #parked = new Set<string>();
  #committed = 0;
  #acked: number[] = [];
  #now = 0;

  perform(action: Step): void {
    switch (action.kind) {
      case "committed":
        this.#commit(action.by);
        break;
      case "read":
        this.#read(action.limit);
        break;
      case "acked":
        this.#settle(action.which, (row) => this.#acknowledged(row));
        break;
      case "failed":
        this.#settle(action.which, (row) => this.lanes.failed(row, this.#now));
        break;
      case "parked":
        this.#settle(action.which, (row) => {
          this.#parked.add(aggregateName(row));
          this.lanes.drop(row);
        });
        break;
      case "marked":
        for (const id of this.#acked) this.#published.add(id);
        this.lanes.marked(this.#acked);
        this.#acked = [];
        break;
      case "connected":
        this.lanes.wakeAll();
        break;
      case "time":
        this.#now += action.ms;
        break;
    }
  }

  /** Nothing fails any more: everything that is not parked goes out. */
  finish(): void {
    for (let row = 0; row < AGGREGATES * VERSIONS; row += 1) this.#commit("others");
    for (let round = 0; round < AGGREGATES * VERSIONS + 1; round += 1) {
      this.perform({ kind: "time", ms: 10_000 });
      this.perform({ kind: "read", limit: 12 });
      while (this.onTheWay.length > 0) this.perform({ kind: "acked", which: 0 });
      this.perform({ kind: "marked" });
    }
  }

  get parked(): ReadonlySet<string> {
    return this.#parked;
  }

  #commit(by: "us" | "others"): void {
    this.#committed += 1;
    const row = outbox()[this.#committed - 1];
    if (row === undefined || by === "others") return;
    this.onTheWay.push(...this.lanes.offer(this.lanes.following([row]) ?? [], this.#now));
  }

  #read(limit: number): void {
    const resting = new Set(this.lanes.resting(this.#now).map(aggregateName));
    const rows = outbox().filter(
      (row) =>
        row.id <= this.#committed &&
        !this.#published.has(row.id) &&
        !this.#parked.has(aggregateName(row)) &&
        !resting.has(aggregateName(row)),
    );
    this.onTheWay.push(...this.lanes.offer(rows.slice(0, limit), this.#now));
  }

  #settle(which: number, as: (row: OutboxRow) => void): void {
    const [row] = this.onTheWay.splice(which % Math.max(1, this.onTheWay.length), 1);
    if (row !== undefined) as(row);
  }

  #acknowledged(row: OutboxRow): void {
    const name = aggregateName(row);
    this.stream.set(name, [...(this.stream.get(name) ?? []), row.aggregate_version]);
    this.#acked.push(row.id);
    const next = this.lanes.published(row);
    if (next !== undefined) this.onTheWay.push(next);
  }
}

const upTo = (count: number) => Array.from({ length: count }, (_, at) => at + 1);

describe("the lanes of the relay, in whatever order reads, acknowledgements, failures and marks come", () => {
  test("D6: have one event of an aggregate on its way at most, and give its versions to the stream in order, each once", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const relay = new Relay();
        for (const action of steps) {
          relay.perform(action);
          const names = relay.onTheWay.map(aggregateName);
          expect(new Set(names).size).toBe(names.length);
          for (const row of relay.onTheWay) expect(relay.lanes.claimed.has(row.id)).toBe(true);
          for (const versions of relay.stream.values()) expect(versions).toEqual(upTo(versions.length));
        }
      }),
      { numRuns: 300 },
    );
  });

  test("I5, I12: let everything out in the end but the aggregates that are parked", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const relay = new Relay();
        for (const action of steps) relay.perform(action);
        relay.finish();
        for (const row of outbox()) {
          const name = aggregateName(row);
          if (!relay.parked.has(name)) expect(relay.stream.get(name)).toEqual(upTo(VERSIONS));
        }
        expect(relay.lanes.claimed.size).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});
