import { businessDate } from "@aiep/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseCron, timesBetween } from "./cron/index.ts";
import { fromNow, type PlannedFire, plan, type Timetable } from "./timetable.ts";

const at = (text: string) => new Date(text);

function timetable(
  text: string,
  plannedUntil: string,
  more: Partial<Timetable> = {},
  zone = "Asia/Shanghai",
): Timetable {
  const result = parseCron(text, zone, at("2020-01-01T00:00:00Z"));
  if (!result.ok) throw new Error(result.problems[0]?.detail);
  return {
    cron: result.value,
    misfire: "run_once",
    maxCatchUp: 3,
    startsAt: null,
    endsAt: null,
    paused: false,
    plannedUntil: at(plannedUntil),
    ...more,
  };
}

const brief = (fires: readonly PlannedFire[]) =>
  fires.map((fire) => `${fire.decision} ${fire.scheduledAt.toISOString().slice(0, 16)}`);

describe("a plan", () => {
  it("fires what is due and says when it is due next", () => {
    const { fires, plannedUntil, nextFireAt } = plan(
      timetable("0 * * * *", "2026-03-01T09:30:00Z"),
      at("2026-03-01T10:00:00.004Z"),
    );
    expect(fires).toEqual([
      { decision: "fire", scheduledAt: at("2026-03-01T10:00:00Z"), runDate: "20260228", missed: false },
    ]);
    expect(plannedUntil).toEqual(at("2026-03-01T10:00:00.004Z"));
    expect(nextFireAt).toEqual(at("2026-03-01T11:00:00Z"));
  });

  it("takes the business date from the scheduled time in the schedule's zone, however late it runs", () => {
    const late = plan(timetable("30 0 * * *", "2026-03-01T00:00:00Z"), at("2026-03-02T15:00:00Z"));
    // 00:30 on 2 March in Shanghai is 16:30Z on the 1st.
    expect(late.fires).toEqual([
      { decision: "fire", scheduledAt: at("2026-03-01T16:30:00Z"), runDate: "20260301", missed: true },
    ]);
  });

  it.each([
    ["skip", ["skip 2026-03-01T09:00", "fire 2026-03-01T10:00"]],
    ["run_once", ["skip 2026-03-01T08:00", "fire 2026-03-01T09:00", "fire 2026-03-01T10:00"]],
    [
      "catch_up",
      [
        "skip 2026-03-01T06:00",
        "fire 2026-03-01T07:00",
        "fire 2026-03-01T08:00",
        "fire 2026-03-01T09:00",
        "fire 2026-03-01T10:00",
      ],
    ],
  ] as const)(
    "with misfire %s after an outage, what is within the grace is not missed",
    (misfire, expected) => {
      const { fires } = plan(
        timetable("0 * * * *", "2026-03-01T04:30:00Z", { misfire }),
        at("2026-03-01T10:01:00Z"),
      );
      expect(brief(fires)).toEqual(expected);
    },
  );

  it("tells a stretch that was left out with its bounds and its count", () => {
    const { fires } = plan(
      timetable("* * * * *", "2026-01-01T00:00:00Z", { misfire: "skip" }),
      at("2026-03-01T10:00:30Z"),
    );
    expect(brief(fires)).toEqual(["skip 2026-03-01T09:59", "fire 2026-03-01T10:00"]);
    expect(fires[0]).toMatchObject({
      since: at("2026-01-01T00:01:00Z"),
      message: expect.stringContaining("more than 1000"),
    });
  });

  it("begins and ends with its bounds, both included", () => {
    const bounds = {
      startsAt: at("2026-03-01T09:00:00Z"),
      endsAt: at("2026-03-01T10:00:00Z"),
      misfire: "catch_up",
    } as const;
    const bounded = timetable("0 * * * *", "2026-03-01T00:00:00Z", bounds);
    expect(plan(bounded, at("2026-03-01T05:00:00Z"))).toMatchObject({
      fires: [],
      nextFireAt: at("2026-03-01T09:00:00Z"),
    });
    const { fires, nextFireAt } = plan(bounded, at("2026-03-01T15:00:00Z"));
    expect(brief(fires)).toEqual(["fire 2026-03-01T09:00", "fire 2026-03-01T10:00"]);
    expect(nextFireAt).toBeNull();
  });

  it("decides nothing when clocks go back", () => {
    const planned = timetable("0 * * * *", "2026-03-01T10:00:30Z");
    expect(plan(planned, at("2026-03-01T09:59:59Z"))).toEqual({
      fires: [],
      plannedUntil: at("2026-03-01T10:00:30Z"),
      nextFireAt: at("2026-03-01T11:00:00Z"),
    });
  });

  it("of a paused schedule is empty, and after it is resumed what passed is not made up for", () => {
    const paused = timetable("0 * * * *", "2026-03-01T09:30:00Z", { paused: true, misfire: "catch_up" });
    expect(plan(paused, at("2026-03-01T15:30:00Z"))).toMatchObject({ fires: [], nextFireAt: null });
    const resumed = fromNow({ ...paused, paused: false }, at("2026-03-01T15:30:00Z"));
    expect(brief(plan(resumed, at("2026-03-01T16:00:00Z")).fires)).toEqual(["fire 2026-03-01T16:00"]);
  });
});

describe("plans one after the other", () => {
  const MINUTE = 60_000;
  const steps = fc.array(fc.integer({ min: -5, max: 400 }), { minLength: 1, maxLength: 30 });
  const crons = fc.constantFrom("* * * * *", "*/7 * * * *", "30 2 * * *", "0 */6 * * *", "15 1,2 * * *");

  it("decide each scheduled time once, in order, whenever they are made, over changes of the clocks", () => {
    fc.assert(
      fc.property(
        crons,
        steps,
        fc.constantFrom("2026-03-28T20:00:00Z", "2026-10-24T20:00:00Z"),
        (text, minutes, start) => {
          let table = timetable(text, start, { misfire: "catch_up", maxCatchUp: 10_000 }, "Europe/Berlin");
          let now = at(start);
          const fired: string[] = [];
          for (const minute of minutes) {
            now = new Date(now.getTime() + minute * MINUTE);
            const planned = plan(table, now);
            for (const { decision, scheduledAt } of planned.fires) {
              expect(decision).toBe("fire");
              fired.push(scheduledAt.toISOString());
            }
            if (planned.nextFireAt !== null) expect(planned.nextFireAt > planned.plannedUntil).toBe(true);
            table = { ...table, plannedUntil: planned.plannedUntil };
          }
          const { times } = timesBetween(table.cron, at(start), table.plannedUntil, 100_000);
          expect(fired).toEqual(times.map((time) => time.toISOString()));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("leave out exactly what they do not fire, whatever the policy", () => {
    fc.assert(
      fc.property(
        crons,
        fc.constantFrom("skip", "run_once", "catch_up"),
        fc.integer({ min: 1, max: 4000 }),
        (text, misfire, minutes) => {
          const table = timetable(text, "2026-03-28T20:00:00Z", { misfire }, "Europe/Berlin");
          const now = new Date(table.plannedUntil.getTime() + minutes * MINUTE + 500);
          const { fires } = plan(table, now);
          const { times } = timesBetween(table.cron, table.plannedUntil, now, 100_000);
          const told = times.filter((time) =>
            fires.some((fire) =>
              fire.decision === "fire"
                ? fire.scheduledAt.getTime() === time.getTime()
                : time >= fire.since && time <= fire.scheduledAt,
            ),
          );
          expect(told).toEqual(times);
          expect(brief(fires)).toEqual([...brief(fires)].sort((a, b) => (a.slice(5) < b.slice(5) ? -1 : 1)));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("are planned a thousand times over virtual years, each with the business date of its own day", () => {
    let table = timetable("30 2 * * *", "2026-01-01T00:00:00Z", {}, "America/New_York");
    const dates: string[] = [];
    for (let fires = 0; fires < 1000; fires += 1) {
      const due = plan(table, table.plannedUntil).nextFireAt;
      if (due === null) throw new Error("it goes on");
      const planned = plan(table, new Date(due.getTime() + 3));
      expect(planned.fires).toHaveLength(1);
      const [only] = planned.fires;
      if (only?.decision === "fire") dates.push(only.runDate);
      table = { ...table, plannedUntil: planned.plannedUntil };
    }
    expect(new Set(dates).size).toBe(1000);
    expect(dates.at(-1)).toBe(businessDate(table.plannedUntil, "America/New_York"));
  });
});
