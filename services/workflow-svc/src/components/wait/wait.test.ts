import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contextOf } from "../testing/context.ts";
import { wait } from "./component.ts";
import { durationSeconds, momentOf } from "./moment.ts";

const began = new Date("2026-03-01T17:30:00.250Z"); // 2 March, 01:30 in Shanghai

describe("a duration", () => {
  it.each([
    [90, 90],
    ["90s", 90],
    ["1h30m", 5400],
    ["2d", 172_800],
    ["1d1h1m1s", 90_061],
  ])("%s is %i seconds", (text, seconds) => expect(durationSeconds(text)).toBe(seconds));
  it.each(["", "1", "30m1h", "1.5h", "-1s", "soon"])("is not %j", (text) =>
    expect(durationSeconds(text)).toBeUndefined(),
  );
});

describe("a moment", () => {
  it.each([
    ["2026-03-02T06:00:00+08:00", "Asia/Shanghai", "2026-03-01T22:00:00.000Z"],
    ["2026-03-02T06:00:00Z", "Asia/Shanghai", "2026-03-02T06:00:00.000Z"],
    ["2026-03-02T06:00", "Asia/Shanghai", "2026-03-01T22:00:00.000Z"],
    ["2026-03-02 06:00:30", "Asia/Shanghai", "2026-03-01T22:00:30.000Z"],
    ["06:00", "Asia/Shanghai", "2026-03-01T22:00:00.000Z"],
    ["06:00", "UTC", "2026-03-01T06:00:00.000Z"],
    ["00:30:15", "America/New_York", "2026-03-01T05:30:15.000Z"],
    ["2026-07-01T12:00", "Europe/Berlin", "2026-07-01T10:00:00.000Z"],
    ["2026-12-01T12:00", "Europe/Berlin", "2026-12-01T11:00:00.000Z"],
  ])("%s in %s is %s", (text, zone, expected) =>
    expect(momentOf(text, began, zone)?.toISOString()).toBe(expected),
  );
  it.each([
    "",
    "tomorrow",
    "24:00",
    "2026-02-30T06:00",
    "2026-13-01T06:00",
    "2026-03-02",
    "2026-03-02T25:00",
  ])("is not %j", (text) => expect(momentOf(text, began, "Asia/Shanghai")).toBeUndefined());

  it("shows in its zone the time that was written, except in the hour that a shift leaves out", () => {
    const day = fc.date({ min: new Date("2020-01-01"), max: new Date("2035-12-31"), noInvalidDate: true });
    fc.assert(
      fc.property(
        day,
        fc.constantFrom("Asia/Shanghai", "UTC", "Asia/Kolkata", "Pacific/Auckland"),
        (at, zone) => {
          const text = `${at.toISOString().slice(0, 10)}T12:34`;
          const shown = new Intl.DateTimeFormat("sv-SE", {
            timeZone: zone,
            dateStyle: "short",
            timeStyle: "short",
          });
          expect(shown.format(momentOf(text, began, zone)).replace(" ", "T")).toBe(text);
        },
      ),
    );
  });
});

describe("the node", () => {
  it("ends a while after its attempt began, whenever it is asked", () => {
    const context = contextOf({ for: "1m" }, { attemptStartedAt: began });
    expect(wait.toTimer(context)).toEqual({ kind: "ready", value: new Date("2026-03-01T17:31:00.250Z") });
  });
  it.each([
    [{}, "give one of for and until"],
    [{ for: 1, until: "06:00" }, "give one of for and until"],
    [{ for: "soon" }, "seconds, or a duration such as 1h30m"],
    [{ for: 31 * 86_400 }, "at most 30 days"],
    [{ until: "soon" }, 'until is "soon"'],
    [{ until: "2027-01-01T00:00:00Z" }, "more than 30 days away"],
  ])("%j fails with what is wrong", (manifest, message) => {
    const answer = wait.toTimer(contextOf(manifest, { attemptStartedAt: began }));
    expect(answer).toMatchObject({
      kind: "failed",
      failure: "validation",
      message: expect.stringContaining(message),
    });
  });
});
