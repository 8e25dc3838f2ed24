import type { OverlapPolicy } from "@aiep/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { admit, type LiveFire, release } from "./overlap.ts";

type Live = { id: number; state: "Queued" | "Ordered" | "Running"; cancelling: boolean };
type Move = "fire" | "start" | "end" | "end cancelled";

/** A schedule whose fires come, run and end at random. */
class Timeline {
  readonly started: number[] = [];
  readonly skipped: number[] = [];
  readonly superseded: number[] = [];
  readonly cancelled: number[] = [];
  live: Live[] = [];
  #next = 1;
  readonly #policy: OverlapPolicy;
  readonly #maxQueued: number;

  constructor(policy: OverlapPolicy, maxQueued: number) {
    this.#policy = policy;
    this.#maxQueued = maxQueued;
  }

  move(move: Move): void {
    if (move === "fire") this.#fire();
    const going = this.live.find(
      ({ state, cancelling }) => state !== "Queued" && (move !== "end cancelled" || cancelling),
    );
    if (going === undefined || move === "fire") return;
    if (move === "start") going.state = "Running";
    else this.#end(going);
  }

  settle(): void {
    for (let going = this.live.find(goes); going !== undefined; going = this.live.find(goes))
      this.#end(going);
  }

  #fire(): void {
    const id = this.#next++;
    const decision = admit({ policy: this.#policy, maxQueued: this.#maxQueued, live: this.live });
    if (decision.kind === "skip") {
      this.skipped.push(id);
      return;
    }
    if (decision.kind === "order") {
      this.#order({ id, state: "Ordered", cancelling: false });
      return;
    }
    for (const each of this.live) if (decision.cancel.includes(each.id)) each.cancelling = true;
    this.cancelled.push(...decision.cancel);
    this.#supersede(decision.supersede);
    this.live.push({ id, state: "Queued", cancelling: false });
  }

  #order(fire: Live): void {
    this.live.push(fire);
    this.started.push(fire.id);
  }

  #supersede(ids: readonly number[]): void {
    this.superseded.push(...ids);
    this.live = this.live.filter(({ id }) => !ids.includes(id));
  }

  #end(ended: Live): void {
    this.live = this.live.filter((fire) => fire !== ended);
    const { order, supersede } = release({ policy: this.#policy, live: this.live });
    this.#supersede(supersede);
    for (const fire of this.live) {
      if (!order.includes(fire.id)) continue;
      fire.state = "Ordered";
      this.started.push(fire.id);
    }
  }
}

const goes = ({ state }: LiveFire<number>) => state !== "Queued";
const moves = fc.array(fc.constantFrom<Move>("fire", "fire", "start", "end", "end cancelled"), {
  maxLength: 60,
});
const ascending = (ids: readonly number[]) =>
  ids.every((id, index) => index === 0 || id > (ids[index - 1] ?? 0));

function run(
  policy: OverlapPolicy,
  maxQueued: number,
  order: readonly Move[],
  check: (timeline: Timeline) => void,
) {
  const timeline = new Timeline(policy, maxQueued);
  for (const move of order) {
    timeline.move(move);
    check(timeline);
  }
  return timeline;
}

describe("overlap", () => {
  it.each(["skip", "queue", "cancel_old"] as const)(
    "%s never has two runs at once, and starts in order",
    (policy) => {
      fc.assert(
        fc.property(moves, (order) => {
          run(policy, 3, order, ({ live, started }) => {
            expect(live.filter(goes).length).toBeLessThanOrEqual(1);
            expect(ascending(started)).toBe(true);
          });
        }),
      );
    },
  );

  it("skip lets nothing wait; every fire either starts or is skipped", () => {
    fc.assert(
      fc.property(moves, (order) => {
        const timeline = run("skip", 3, order, ({ live }) => expect(live.length).toBeLessThanOrEqual(1));
        expect(timeline.started.length + timeline.skipped.length).toBe(
          order.filter((move) => move === "fire").length,
        );
      }),
    );
  });

  it("queue starts all that it took in, one after the other, and takes in no more than its bound", () => {
    fc.assert(
      fc.property(moves, fc.integer({ min: 1, max: 4 }), (order, maxQueued) => {
        const timeline = run("queue", maxQueued, order, ({ live }) =>
          expect(live.filter((fire) => !goes(fire)).length).toBeLessThanOrEqual(maxQueued),
        );
        timeline.settle();
        expect(timeline.live).toEqual([]);
        expect(timeline.superseded).toEqual([]);
        expect(timeline.started.length + timeline.skipped.length).toBe(
          order.filter((move) => move === "fire").length,
        );
      }),
    );
  });

  it("cancel_old leaves exactly the newest: it starts, all before it have ended, been cancelled or superseded", () => {
    fc.assert(
      fc.property(moves, (order) => {
        const timeline = run("cancel_old", 3, order, ({ live }) =>
          expect(live.filter((fire) => !goes(fire)).length).toBeLessThanOrEqual(1),
        );
        expect(timeline.skipped).toEqual([]);
        expect(new Set(timeline.cancelled).size).toBe(timeline.cancelled.length);
        const waiting = timeline.live.filter((fire) => !goes(fire));
        if (waiting.length > 0)
          expect(timeline.live.filter(goes).every(({ cancelling }) => cancelling)).toBe(true);
        timeline.settle();
        const fires = order.filter((move) => move === "fire").length;
        if (fires > 0) expect(timeline.started.at(-1)).toBe(fires);
      }),
    );
  });

  it("allow starts each at once", () => {
    const timeline = run("allow", 1, ["fire", "fire", "fire"], () => {});
    expect(timeline.started).toEqual([1, 2, 3]);
  });

  it("what waits when the policy becomes allow goes at once; when it becomes cancel_old, the newest alone", () => {
    const live: Live[] = [1, 2, 3].map((id) => ({ id, state: "Queued", cancelling: false }));
    expect(release({ policy: "allow", live })).toEqual({ order: [1, 2, 3], supersede: [] });
    expect(release({ policy: "cancel_old", live })).toEqual({ order: [3], supersede: [1, 2] });
    expect(release({ policy: "skip", live })).toEqual({ order: [1], supersede: [] });
  });
});
