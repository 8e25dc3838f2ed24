import { Cron } from "croner";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toQuartz } from "./quartz.ts";
import { quartzTimes } from "./testing/quartz-reference.ts";

const YEARS_4 = 4 * 366 * 86_400_000;

/** Numbers, ranges, names, with and without steps, and lists of them. */
function field(low: number, high: number, names: readonly string[] = []): fc.Arbitrary<string> {
  const number = fc.integer({ min: low, max: high });
  const pair = fc.tuple(number, number).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`);
  const step = fc.integer({ min: 1, max: 7 });
  const piece = fc.oneof(
    number.map(String),
    pair,
    fc.tuple(pair, step).map(([span, n]) => `${span}/${n}`),
    ...(names.length > 0 ? [fc.constantFrom(...names)] : []),
  );
  return fc.oneof(
    { weight: 2, arbitrary: fc.constant("*") },
    step.map((n) => `*/${n}`),
    fc.array(piece, { minLength: 1, maxLength: 3 }).map((pieces) => pieces.join(",")),
  );
}

const weekdays = fc.oneof(
  { weight: 4, arbitrary: field(0, 7, ["SUN", "Mon", "fri"]) },
  fc
    .tuple(fc.integer({ min: 0, max: 6 }), fc.constantFrom("L", "#1", "#5"))
    .map(([day, rest]) => `${day}${rest}`),
);
const days = fc.oneof(
  { weight: 4, arbitrary: field(1, 28) },
  fc.constant("L"),
  fc.integer({ min: 1, max: 31 }).map((day) => `${day}W`),
);
const cron = fc
  .tuple(field(0, 59), field(0, 23), field(1, 12, ["JAN", "Dec"]), days, weekdays, fc.boolean())
  .map(([minute, hour, month, day, weekday, byWeek]) =>
    [minute, hour, byWeek ? "*" : day, month, byWeek ? weekday : "*"].join(" "),
  );

describe("a cron in Quartz's words", () => {
  it.each([
    ["30 2 * * *", "0 30 2 * * ?"],
    ["*/15 9-17 * * MON-FRI", "0 */15 9-17 ? * 2,3,4,5,6"],
    ["0 0 * * 5-7", "0 0 0 ? * 6,7,1"],
    ["0 0 1 jan *", "0 0 0 1 JAN ?"],
    ["0 0 * * 5L", "0 0 0 ? * 6L"],
    ["0 0 * * sun#2", "0 0 0 ? * 1#2"],
    ["0 0 L * *", "0 0 0 L * ?"],
    ["@daily", "0 0 0 * * ?"],
    ["0 0 12 ? * WED 2030", "0 0 12 ? * WED 2030"],
    ["  0 0/5 14,18 * * ? ", "0 0/5 14,18 * * ?"],
    ["0 0 22-2 ? * fri-mon", "0 0 22-2 ? * FRI-MON"],
  ])("%s is %s", (text, expression) =>
    expect(sorted(toQuartz(text))).toEqual(sorted({ kind: "quartz", expression })),
  );

  it.each([
    ["0 0 1 * 1", "means either"],
    ["0 0 */2 * MON", "means either"],
    ["0 0 * * MON#1,FRI", "stand alone"],
    ["0 0 L,15 * *", "stand alone"],
    ["0 0 12 * * *", "exactly one"],
    ["0 0 12 ? * ?", "exactly one"],
    ["60 * * * *", "60"],
    ["* * * *", "4 fields"],
    ["", "0 fields"],
    ["0 0 31-1 * *", "31"],
    ["every day", "fields"],
  ])("%s is refused with a sentence", (text, part) => {
    const answer = toQuartz(text);
    expect(answer).toMatchObject({ kind: "refused", why: expect.stringContaining(part) as string });
  });

  it("fires when the cron would", () => {
    const starts = fc
      .integer({ min: 0, max: 3000 })
      .map((day) => new Date(Date.UTC(2025, 0, 1, day % 24, day % 60) + day * 86_400_000));
    fc.assert(
      fc.property(cron, starts, (text, after) => {
        const until = new Date(after.getTime() + YEARS_4);
        const expected = new Cron(text, { timezone: "UTC" })
          .nextRuns(4, after)
          .filter((time) => time < until);
        const quartz = toQuartz(text);
        if (quartz.kind === "refused") throw new Error(quartz.why);
        expect(quartzTimes(quartz.expression, after, 4, until)).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });
});

function sorted(answer: ReturnType<typeof toQuartz>) {
  if (answer.kind === "refused") return answer;
  return answer.expression.split(" ").map((word) => word.split(",").sort().join(","));
}
