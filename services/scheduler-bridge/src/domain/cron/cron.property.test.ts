import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lastTimes, nextTimes, parseCron, timesBetween } from "./index.ts";
import { Clocks, changesOf, type Expression, expression } from "./testing/reference.ts";

const DAY = 24 * 3_600_000;
const ZONES = [
  "Europe/Berlin",
  "America/New_York",
  "Asia/Shanghai",
  "Australia/Lord_Howe",
  "Africa/Casablanca",
  "UTC",
];

function cronOf({ text }: Expression, zone: string, now: Date) {
  const result = parseCron(text, zone, now);
  return result.ok ? result.value : null;
}

describe.each(ZONES)("cron in %s", (zone) => {
  const changes = changesOf(zone, 2024, 4);
  const starts = (changes.length > 0 ? changes : [new Date("2026-02-27T00:00:00Z")]).map(
    (day) => day.getTime() - 2 * DAY,
  );
  const windows = starts.map((start) => {
    const [from, until] = [new Date(start), new Date(start + 5 * DAY)];
    return { from, until, clocks: new Clocks(zone, from, until) };
  });

  it("fires exactly when a reader of the clocks, minute by minute, says so, around changes of the clocks", () => {
    fc.assert(
      fc.property(expression, fc.constantFrom(...windows), (cron, { from, until, clocks }) => {
        const parsed = cronOf(cron, zone, from);
        const expected = clocks
          .fires(cron)
          .filter((time) => time > new Date(from.getTime() + DAY).toISOString());
        if (parsed === null) return expect(expected).toEqual([]);
        const { times } = timesBetween(
          parsed,
          new Date(from.getTime() + DAY),
          new Date(until.getTime() - 1),
          10_000,
        );
        expect(times.map((time) => time.toISOString())).toEqual(expected);
      }),
      { numRuns: 30 },
    );
  });

  it("answers the same from wherever it is asked", () => {
    fc.assert(
      fc.property(
        expression,
        fc.constantFrom(...windows),
        fc.nat(3 * 86_400),
        (cron, { from, until }, second) => {
          const parsed = cronOf(cron, zone, from);
          if (parsed === null) return;
          const asked = new Date(from.getTime() + DAY + second * 1000);
          const { times } = timesBetween(parsed, new Date(from.getTime() + DAY), until, 10_000);
          const later = times.filter((time) => time > asked);
          expect(timesBetween(parsed, asked, until, 10_000).times).toEqual(later);
          const last = lastTimes(parsed, asked, until, 7);
          expect(last).toEqual({ times: later.slice(-7), more: later.length > 7 });
        },
      ),
      { numRuns: 20 },
    );
  });
});

describe("cron over virtual years", () => {
  const cases = [
    ["Europe/Berlin", "30 2 * * 1-5"],
    ["America/New_York", "15 1,2 1-20 * *"],
    ["Australia/Lord_Howe", "45 */6 * * *"],
    ["Africa/Casablanca", "10 2 * * *"],
  ] as const;
  it.each(cases)(
    "1 000 fires in %s of %s are those that the clocks say, none lost, none twice",
    (zone, text) => {
      const from = new Date("2026-01-01T00:00:00Z");
      const parsed = parseCron(text, zone, from);
      if (!parsed.ok) throw new Error(parsed.problems[0]?.detail);
      const times = nextTimes(parsed.value, from, 1000);
      expect(times).toHaveLength(1000);
      const last = times.at(-1) ?? from;
      const [minutes = "", hours = "", days = "", , weekdays = ""] = text.split(" ");
      const within = (field: string, value: number): boolean =>
        field === "*" ||
        field.split(",").some((piece) => {
          const [low, high] = piece.split("-").map(Number);
          return piece === "*/6" ? value % 6 === 0 : value >= Number(low) && value <= Number(high ?? low);
        });
      const reference = new Clocks(zone, from, new Date(last.getTime() + 60_000)).fires({
        text,
        everyHour: hours.includes("*"),
        matches: (local) =>
          within(minutes, local.getUTCMinutes()) &&
          within(hours, local.getUTCHours()) &&
          within(days, local.getUTCDate()) &&
          within(weekdays, local.getUTCDay()),
      });
      expect(times.map((time) => time.toISOString())).toEqual(
        reference.filter((time) => time > from.toISOString()),
      );
    },
  );
});
