import { addDays, businessDate, daysInMonth, formatDay, hourOf, isTimeZone, parseDay } from "@aiep/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isTimeVariable, type TimeFacts, timeVariable, timeVariableNames } from "./time-variables.ts";

const facts = (date: string, more: Partial<TimeFacts> = {}): TimeFacts => ({
  date,
  hour: 9,
  dialect: "wtss",
  ...more,
});

/** `name±n` as it is written in a template. */
function valueOfText(text: string, at: TimeFacts): string | undefined {
  const match = /^([a-z_]+?)([+-]\d+)?$/.exec(text);
  return timeVariable(match?.[1] ?? "", Number(match?.[2] ?? 0), at);
}

describe("the run_date family", () => {
  it.each([
    // D = 1 March 2026, T = 2 March
    ["20260301", "run_date", "20260301"],
    ["20260301", "run_date_std", "2026-03-01"],
    ["20260301", "run_today", "20260302"],
    ["20260301", "run_today_std", "2026-03-02"],
    ["20260301", "run_date-1", "20260228"],
    ["20260301", "run_date-366", "20250228"],
    ["20260301", "run_month_begin", "20260301"],
    ["20260301", "run_month_end", "20260331"],
    ["20260301", "run_month_end-1", "20260228"],
    ["20260301", "run_month_end_std-1", "2026-02-28"],
    ["20260301", "run_month_now_begin", "20260201"],
    ["20260301", "run_month_now_end", "20260228"],
    ["20260301", "run_mon_start", "202603"],
    ["20260301", "run_mon_end", "202612"],
    ["20260301", "run_mon_end_std", "2026-12"],
    ["20260301", "run_mon_now", "202603"],
    ["20260301", "run_current_mon_now", "202603"],
    ["20260301", "run_last_mon_now", "202602"],
    ["20260301", "run_last_mon_now_std", "2026-02"],
    ["20260301", "run_quarter_begin", "20260101"],
    ["20260301", "run_quarter_end", "20260331"],
    ["20260301", "run_quarter_now_begin", "20260101"],
    ["20260401", "run_quarter_now_end", "20260331"],
    ["20260301", "run_half_year_end", "20260630"],
    ["20260301", "run_half_year_now_begin", "20260101"],
    ["20260301", "run_year_begin", "20260101"],
    ["20260301", "run_year_now_end", "20261231"],
    ["20260101", "run_year_now_end", "20251231"],
    ["20260301", "run_last_month_end", "20260228"],
    ["20260301", "run_last_month_now_end", "20260131"],
    ["20260301", "run_last_quarter_end", "20251231"],
    ["20260301", "run_last_year_end_std", "2025-12-31"],
    ["20260301", "run_last_year_now_end", "20251231"],
    ["20260301", "run_today_h", "2026030209"],
    ["20260301", "run_today_h_std", "2026-03-02 09"],
    ["20260301", "run_today_h-10", "2026030123"],
    ["20260301", "run_today_hour+15", "2026030300"],
    // the examples of flowjson.md 6.2
    ["20200228", "run_year_begin_std-3", "2017-01-01"],
    ["20200228", "run_half_year_begin-1", "20190701"],
    ["20200228", "run_year_end+10", "20301231"],
    ["20200228", "run_last_mon_now", "202001"],
    ["20200228", "run_today", "20200229"],
    ["20200229", "run_month_end+12", "20210228"],
    ["20200131", "run_month_end+1", "20200229"],
    ["20200331", "run_mon-1", "202003"],
  ])("of %s: %s is %s", (date, text, expected) => {
    expect(valueOfText(text, facts(date))).toBe(expected);
  });

  it("differs by dialect in run_mon alone, on the last day of a month", () => {
    const differing = timeVariableNames().filter(
      (name) =>
        timeVariable(name, 0, facts("20260331")) !==
        timeVariable(name, 0, facts("20260331", { dialect: "linkis" })),
    );
    expect(differing).toEqual(["run_mon", "run_mon_std", "run_mon_start", "run_mon_start_std"]);
    expect(timeVariable("run_mon", 0, facts("20260331"))).toBe("202604");
    expect(timeVariable("run_mon", 0, facts("20260331", { dialect: "linkis" }))).toBe("202603");
  });

  it("has no value for names nobody knows and for years that cannot be written", () => {
    expect(isTimeVariable("run_dat")).toBe(false);
    expect(isTimeVariable("run_date_std_std")).toBe(false);
    expect(timeVariable("run_dat", 0, facts("20260301"))).toBeUndefined();
    expect(timeVariable("run_date", -800_000, facts("20260301"))).toBeUndefined();
    expect(timeVariable("run_year_end", 9000, facts("20260301"))).toBeUndefined();
    expect(timeVariable("run_year_end", 2 ** 60, facts("20260301"))).toBeUndefined();
  });

  const day = fc
    .tuple(fc.integer({ min: 1000, max: 8000 }), fc.integer({ min: 1, max: 12 }), fc.nat(30))
    .map(([year, month, offset]) => formatDay({ year, month, day: 1 + (offset % daysInMonth(year, month)) }));
  const step = fc.integer({ min: -600, max: 600 });

  it("counts days as a calendar does", () => {
    fc.assert(
      fc.property(day, step, step, (date, a, b) => {
        const once = timeVariable("run_date", a + b, facts(date)) ?? "";
        const twice = timeVariable("run_date", b, facts(timeVariable("run_date", a, facts(date)) ?? ""));
        expect(once).toBe(twice);
        expect(parseDay(once)).toBeDefined();
        const utc = (text: string) =>
          Date.UTC(Number(text.slice(0, 4)), Number(text.slice(4, 6)) - 1, Number(text.slice(6)));
        expect((utc(once) - utc(date)) / 86_400_000).toBe(a + b);
      }),
    );
  });

  it("keeps a begin the first and an end the last day, however far it goes, and they enclose the period", () => {
    fc.assert(
      fc.property(
        day,
        step,
        fc.constantFrom("month", "quarter", "half_year", "year"),
        fc.constantFrom("", "_now"),
        (date, n, period, infix) => {
          const at = facts(date);
          const begin = parseDay(timeVariable(`run_${period}${infix}_begin`, n, at) ?? "");
          const end = parseDay(timeVariable(`run_${period}${infix}_end`, n, at) ?? "");
          if (begin === undefined || end === undefined) throw new Error("both are days");
          expect(begin.day).toBe(1);
          expect(end.day).toBe(daysInMonth(end.year, end.month));
          const next = timeVariable(`run_${period}${infix}_begin`, n + 1, at);
          expect(formatDay(addDays(end, 1))).toBe(next);
          if (infix === "" && n === 0) {
            expect(formatDay(begin) <= date && date <= formatDay(end)).toBe(true);
            expect(timeVariable(`run_last_${period}_end`, 0, at)).toBe(formatDay(addDays(begin, -1)));
          }
        },
      ),
    );
  });
});

describe("yesterday", () => {
  it.each([
    ["2026-03-01T15:59:59Z", "Asia/Shanghai", "20260228", 23],
    ["2026-03-01T16:00:00Z", "Asia/Shanghai", "20260301", 0],
    ["2026-03-01T16:00:00Z", "UTC", "20260228", 16],
    ["2026-01-01T00:30:00Z", "America/New_York", "20251230", 19],
    ["2024-03-01T12:00:00Z", "Europe/Berlin", "20240229", 13],
  ])("at %s in %s is %s", (now, zone, expected, hour) => {
    expect(businessDate(new Date(now), zone)).toBe(expected);
    expect(hourOf(new Date(now), zone)).toBe(hour);
  });

  it("needs a zone that exists", () => {
    expect(isTimeZone("Asia/Shanghai")).toBe(true);
    expect(isTimeZone("Mars/Olympus")).toBe(false);
  });
});
