import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BackfillOrder, daysOf, endOf, MAX_BACKFILL_DAYS, nextDays } from "./backfill.ts";

const order = (more: Partial<BackfillOrder> = {}): BackfillOrder => ({
  from: "20260226",
  to: "20260302",
  reverse: false,
  parallelism: 2,
  stopOnFailure: false,
  ...more,
});

describe("the dates of a back-fill", () => {
  it("are all of the range, both ends included, in its order", () => {
    expect(daysOf(order())).toEqual(["20260226", "20260227", "20260228", "20260301", "20260302"]);
    expect(daysOf(order({ reverse: true }))).toEqual([
      "20260302",
      "20260301",
      "20260228",
      "20260227",
      "20260226",
    ]);
    expect(daysOf(order({ from: "20240228", to: "20240301" }))).toEqual(["20240228", "20240229", "20240301"]);
    expect(daysOf(order({ to: "20260226" }))).toEqual(["20260226"]);
  });
  it.each([
    [{ from: "20260231" }, "from 20260231 is no day"],
    [{ to: "20261301" }, "to 20261301 is no day"],
    [{ from: "20260303" }, "later than to"],
    [{ from: "20000101" }, `more than ${MAX_BACKFILL_DAYS} days`],
  ])("refuses %j", (more, words) => {
    expect(daysOf(order(more))).toContain(words);
  });
  it(`may be ${MAX_BACKFILL_DAYS}`, () => {
    expect(daysOf(order({ from: "20160101", to: "20260107" }))).toHaveLength(MAX_BACKFILL_DAYS);
  });
});

describe("a back-fill", () => {
  it("starts nothing while it is paused or after it was cancelled", () => {
    const days = ["20260226", "20260227"];
    const progress = { started: 0, succeeded: 0, failed: 0 };
    expect(nextDays(order(), days, "Paused", progress)).toEqual([]);
    expect(nextDays(order(), days, "Cancelled", progress)).toEqual([]);
    expect(nextDays(order(), days, "Running", progress)).toEqual(days);
  });

  it("runs each date once, never more than its parallelism at once, and ends exactly when all ended", () => {
    const ends = fc.array(fc.tuple(fc.nat(10), fc.boolean(), fc.boolean()), { minLength: 60, maxLength: 60 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.boolean(),
        fc.boolean(),
        ends,
        (parallelism, stopOnFailure, reverse, turns) => {
          const asked = order({ parallelism, stopOnFailure, reverse });
          const days = daysOf(asked);
          if (typeof days === "string") throw new Error(days);
          const counts = { started: 0, succeeded: 0, failed: 0 };
          const running: string[] = [];
          const started: string[] = [];
          let paused = false;
          for (const [pick, good, toggle] of turns) {
            if (toggle) paused = !paused;
            const next = nextDays(asked, days, paused ? "Paused" : "Running", counts);
            if (stopOnFailure && counts.failed > 0) expect(next).toEqual([]);
            started.push(...next);
            running.push(...next);
            counts.started += next.length;
            expect(running.length).toBeLessThanOrEqual(parallelism);
            if (running.length === 0) continue;
            running.splice(pick % running.length, 1);
            counts[good ? "succeeded" : "failed"] += 1;
            if (running.length > 0) expect(endOf(asked, days, counts)).toBeUndefined();
          }
          expect(started).toEqual(days.slice(0, started.length));
          const end = endOf(asked, days, counts);
          const finished =
            running.length === 0 && (started.length === days.length || (stopOnFailure && counts.failed > 0));
          expect(end?.state).toBe(finished ? (counts.failed > 0 ? "Failed" : "Succeeded") : undefined);
        },
      ),
    );
  });
});
