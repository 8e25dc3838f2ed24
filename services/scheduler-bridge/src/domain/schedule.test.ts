import { experimentId, groupId, publicationId, scheduleId } from "@aiep/contracts";
import { describe, expect, it } from "vitest";
import {
  changeSchedule,
  createSchedule,
  deleteSchedule,
  pauseSchedule,
  resumeSchedule,
  type Schedule,
  type ScheduleChange,
} from "./schedule.ts";

const id = (digit: string) => digit.repeat(32);
const at = (text: string) => new Date(text);
const ada = { by: "ada", at: at("2026-03-01T00:00:30Z") };
const later = { by: "bob", at: at("2026-03-01T05:30:00Z") };

const made = (more: Partial<Schedule> = {}): Schedule =>
  createSchedule(
    {
      id: scheduleId.parse(id("a")),
      groupId: groupId.parse("vision"),
      experimentId: experimentId.parse(id("b")),
      experimentName: "每日训练",
      publicationId: publicationId.parse(id("c")),
    },
    {
      name: "每日训练",
      versionName: null,
      cron: "0 * * * *",
      timeZone: "UTC",
      parameters: {},
      misfire: "catch_up",
      maxCatchUp: 10,
      overlap: "skip",
      maxQueued: 100,
      startsAt: null,
      endsAt: null,
      paused: false,
      ...more,
    },
    ada,
  ).schedule;

const scheduleOf = (change: ScheduleChange | null): Schedule => {
  if (change === null) throw new Error("it changes something");
  return change.schedule;
};

describe("a schedule", () => {
  it("knows when it fires first; paused, that it does not", () => {
    expect(made()).toMatchObject({ version: 1, owner: "ada", nextFireAt: at("2026-03-01T01:00:00Z") });
    expect(made({ paused: true }).nextFireAt).toBeNull();
    expect(made({ endsAt: at("2026-03-01T00:59:59Z") }).nextFireAt).toBeNull();
  });

  it("that is changed goes on from the change, and belongs to who changed it", () => {
    const changed = scheduleOf(changeSchedule(made(), { cron: "15 * * * *" }, later));
    expect(changed).toMatchObject({
      version: 2,
      owner: "bob",
      plannedUntil: later.at,
      nextFireAt: at("2026-03-01T06:15:00Z"),
    });
  });

  it("is not changed by what it says already, whoever says it, but for a new owner", () => {
    expect(changeSchedule(made(), { cron: "0 * * * *", parameters: {} }, later)).toBeNull();
    expect(scheduleOf(changeSchedule(made(), { owner: "bob" }, later)).owner).toBe("bob");
  });

  it("is paused and resumed once, and goes on from when it is resumed", () => {
    const paused = scheduleOf(pauseSchedule(made(), ada));
    expect(paused).toMatchObject({ paused: true, nextFireAt: null, owner: "ada" });
    expect(pauseSchedule(paused, later)).toBeNull();
    const resumed = scheduleOf(resumeSchedule(paused, later));
    expect(resumed).toMatchObject({
      paused: false,
      plannedUntil: later.at,
      nextFireAt: at("2026-03-01T06:00:00Z"),
    });
    expect(resumeSchedule(resumed, later)).toBeNull();
  });

  it("that is deleted fires no more", () => {
    expect(deleteSchedule(made(), later)).toMatchObject({ event: "deleted", schedule: { nextFireAt: null } });
  });

  it("whose last time has passed waits for nothing", () => {
    const once = made({ cron: "0 0 0 1 4 ? 2026" });
    expect(once.nextFireAt).toEqual(at("2026-04-01T00:00:00Z"));
    expect(
      scheduleOf(pauseSchedule(once, { by: "ada", at: at("2026-05-01T00:00:00Z") })).nextFireAt,
    ).toBeNull();
  });
});
