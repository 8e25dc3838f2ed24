import { describe, expect, it } from "vitest";
import { lastTimes, nextTimes, parseCron } from "./index.ts";

const NOW = new Date("2026-01-10T00:00:00Z");

function fires(text: string, zone: string, from: string, count: number): string[] {
  const result = parseCron(text, zone, NOW);
  if (!result.ok) throw new Error(result.problems.map(({ detail }) => detail).join(" "));
  return nextTimes(result.value, new Date(from), count).map((time) =>
    time.toISOString().replace(".000Z", "Z"),
  );
}

function problems(text: string, zone = "Asia/Shanghai") {
  const result = parseCron(text, zone, NOW);
  return result.ok ? [] : result.problems.map(({ field, position, detail }) => ({ field, position, detail }));
}

describe("clocks that go forward", () => {
  it("a daily time that they jump over fires once, when the jump is over", () => {
    // Berlin, 29 March: 02:00 becomes 03:00, 01:00Z.
    expect(fires("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3)).toEqual([
      "2026-03-28T01:30:00Z",
      "2026-03-29T01:00:00Z",
      "2026-03-30T00:30:00Z",
    ]);
  });
  it("several times that they jump over fire once together, also with the one that stands at the end of the jump", () => {
    expect(fires("*/20 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 4)).toEqual([
      "2026-03-29T01:00:00Z",
      "2026-03-29T01:20:00Z",
      "2026-03-29T01:40:00Z",
      "2026-03-30T00:00:00Z",
    ]);
  });
  it("every hour stays every hour", () => {
    expect(fires("30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 3)).toEqual([
      "2026-03-29T00:30:00Z",
      "2026-03-29T01:30:00Z",
      "2026-03-29T02:30:00Z",
    ]);
  });
  it("a jump of half an hour is one", () => {
    // Lord Howe, 4 October: 02:00 becomes 02:30, 15:30Z the day before.
    expect(fires("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 2)).toEqual([
      "2026-10-03T15:30:00Z",
      "2026-10-04T15:15:00Z",
    ]);
  });
  it("a whole day that a zone left out fires when the next one begins", () => {
    // Samoa had no 30 December 2011.
    expect(fires("0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00Z", 1)).toEqual([
      "2011-12-30T10:00:00Z",
    ]);
  });
});

describe("clocks that go back", () => {
  it("a daily time that they show twice fires the first time alone", () => {
    // Berlin, 25 October: 03:00 becomes 02:00 at 01:00Z.
    expect(fires("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2)).toEqual([
      "2026-10-25T00:30:00Z",
      "2026-10-26T01:30:00Z",
    ]);
    expect(fires("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", 1)).toEqual(["2026-10-26T01:30:00Z"]);
    expect(fires("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", 1)).toEqual(["2026-10-26T01:30:00Z"]);
  });
  it("every hour fires in both", () => {
    expect(fires("30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", 3)).toEqual([
      "2026-10-25T00:30:00Z",
      "2026-10-25T01:30:00Z",
      "2026-10-25T02:30:00Z",
    ]);
  });
  it("all 24 hours written out are every hour", () => {
    expect(fires("30 0-23 * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", 2)).toEqual([
      "2026-10-25T00:30:00Z",
      "2026-10-25T01:30:00Z",
    ]);
  });
});

describe("the language", () => {
  it.each([
    ["@daily", ["2026-01-10T16:00:00Z", "2026-01-11T16:00:00Z"]],
    ["@HOURLY", ["2026-01-10T01:00:00Z", "2026-01-10T02:00:00Z"]],
    ["0 0 1 * MON", ["2026-01-11T16:00:00Z", "2026-01-18T16:00:00Z"]],
    ["0 0 * * 7", ["2026-01-10T16:00:00Z", "2026-01-17T16:00:00Z"]],
    ["0 0 29 2 *", ["2028-02-28T16:00:00Z", "2032-02-28T16:00:00Z"]],
    ["10 0 0 ? * SAT-SUN", ["2026-01-10T16:00:10Z", "2026-01-16T16:00:10Z"]],
    ["0 0 22-2/2 * * ?", ["2026-01-10T14:00:00Z", "2026-01-10T16:00:00Z"]],
    ["0 5/30 8 ? * 2 2030", ["2030-01-07T00:05:00Z", "2030-01-07T00:35:00Z"]],
    ["0 0 0 L * ?", ["2026-01-30T16:00:00Z", "2026-02-27T16:00:00Z"]],
    ["0 0 0 LW * ?", ["2026-01-29T16:00:00Z", "2026-02-26T16:00:00Z"]],
    ["0 0 0 15W 2,8 ?", ["2026-02-15T16:00:00Z", "2026-08-13T16:00:00Z"]],
    ["0 0 0 ? * 6L", ["2026-01-29T16:00:00Z", "2026-02-26T16:00:00Z"]],
    ["0 0 0 ? * L", ["2026-01-16T16:00:00Z", "2026-01-23T16:00:00Z"]],
    ["0 0 * * TUE#2", ["2026-01-12T16:00:00Z", "2026-02-09T16:00:00Z"]],
  ])("%s", (text, expected) => {
    expect(fires(text, "Asia/Shanghai", "2026-01-10T00:00:00Z", 2)).toEqual(expected);
  });

  it("tells every problem at once, with field and place", () => {
    expect(problems("61 25 * 13 8").map(({ field, position }) => [field, position])).toEqual([
      ["minute", 1],
      ["hour", 4],
      ["month", 9],
      ["day of week", 12],
    ]);
    expect(problems("0 1,25 * * *")).toEqual([
      {
        field: "hour",
        position: 5,
        detail: 'The hour at character 5, "25": 25 is out of range; it goes from 0 to 23.',
      },
    ]);
  });

  it.each([
    ["", "0 fields"],
    ["* * *", "3 fields"],
    ["1 2 3 4 5 6 7 8", "8 fields"],
    ["@dayly", "did you mean @daily."],
    ["@reboot", "the names are @yearly"],
    ["0 0 ? * *", "Quartz"],
    ["0 0 0 * * *", "write ? for the one that does not count"],
    ["0 0 0 ? * ?", "write * for the day of month"],
    ["0 ? 0 ? * *", "? stands only"],
    ["5/10 * * * *", "write 5-59/10"],
    ["*/61 * * * *", "a step goes from 1 to 60"],
    ["*/0 * * * *", "a step goes from 1 to 60"],
    ["9-5 * * * *", "9 comes after 5"],
    ["0 0 * FEBRUAR *", "neither a number from 1 to 12 nor one of JAN"],
    ["0 0 L-3 * *", "days before the last one"],
    ["0 0 32W * *", "days go from 1 to 31"],
    ["0 0 * * L", "FRIL"],
    ["0 0 * * MON#6", "a first to a fifth"],
    ["0 0 1,,3 * *", "nothing between two commas"],
    ["0 0 *-3 * *", "a range goes"],
    ["0 0 1.5 * *", "no value, range"],
    ["0 -1 * * *", "no value, range"],
    ["0 1e3 * * *", "no number from 0 to 23"],
    ["${cron} 0 * * *", "no value, range"],
  ])("refuses %j", (text, words) => {
    expect(problems(text)[0]?.detail).toContain(words);
  });

  it.each([
    ["0 0 31 2 *", "day of month", 5],
    ["0 0 30,31 2 *", "day of month", 5],
    ["0 0 31 4,6,9,11 *", "day of month", 5],
    ["0 0 0 1 1 ? 2025", "year", 13],
    ["0 0 0 9 1 ? 2026", "day of month", 7],
  ])("refuses %s, which never fires", (text, field, position) => {
    const [problem] = problems(text);
    expect(problem).toMatchObject({ field, position });
    expect(problem?.detail).toContain("never fires");
  });

  it("refuses a zone that does not exist and an expression without end", () => {
    expect(problems("* * * * *", "Mars/Olympus")[0]?.detail).toContain("no time zone");
    expect(problems(`${"1,".repeat(200)}1 * * * *`)[0]?.detail).toContain("256 are possible");
  });
});

describe("the last times of a span", () => {
  const last = (text: string, after: string, until: string, limit: number) => {
    const result = parseCron(text, "UTC", NOW);
    if (!result.ok) throw new Error(text);
    const { times, more } = lastTimes(result.value, new Date(after), new Date(until), limit);
    return { times: times.map((time) => time.toISOString().slice(0, 19)), more };
  };

  it("are found where they lie dense in a corner of it", () => {
    expect(last("* * * 1 * ?", "2026-01-10T00:00:00Z", "2026-02-20T12:00:00Z", 2)).toEqual({
      times: ["2026-02-01T23:59:58", "2026-02-01T23:59:59"],
      more: true,
    });
  });
  it("are all of them when there are no more", () => {
    const times = ["2026-02-01T00:00:00", "2026-03-01T00:00:00"];
    expect(last("0 0 1 * *", "2026-01-10T00:00:00Z", "2026-03-01T00:00:00Z", 2)).toEqual({
      times,
      more: false,
    });
    expect(last("0 0 1 * *", "2026-01-10T00:00:00Z", "2026-03-01T00:00:00Z", 1)).toEqual({
      times: times.slice(1),
      more: true,
    });
    expect(last("0 0 1 * *", "2026-01-10T00:00:00Z", "2026-03-01T00:00:00Z", 0)).toEqual({
      times: [],
      more: true,
    });
    expect(last("0 0 1 * *", "2026-01-10T00:00:00Z", "2026-01-31T00:00:00Z", 0)).toEqual({
      times: [],
      more: false,
    });
  });
});
