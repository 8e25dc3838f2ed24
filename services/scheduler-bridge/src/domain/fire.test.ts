import { experimentId, fireId, groupId, isLiveFire, type RunState } from "@aiep/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Cause,
  cancelFire,
  type Fire,
  type FireChange,
  followRun,
  giveUpFire,
  orderFire,
  rejectFire,
} from "./fire.ts";

const AT = new Date("2026-03-01T00:00:00Z");
const CAUSE: Cause = {
  id: fireId.parse("1".repeat(32)),
  key: "manual:x:1",
  kind: "manual",
  sourceId: "2".repeat(32),
  backfillId: null,
  externalId: "1",
  groupId: groupId.parse("vision"),
  experimentId: experimentId.parse("3".repeat(32)),
  versionName: null,
  scheduledAt: null,
  runDate: null,
  parameters: {},
  requestedBy: "ada",
  depth: 0,
  lineage: [],
  createdAt: AT,
};
const ordered = orderFire(CAUSE, "v1", AT).fire;
const fireOf = (change: FireChange | undefined): Fire => {
  if (change === undefined) throw new Error("it was to change");
  return change.fire;
};
const run = (state: RunState, version: number) => ({ state, version, message: null });

describe("an order that its receiver gave up on", () => {
  it("ends the fire as Failed with the reason, once", () => {
    const change = giveUpFire(ordered, "gave up", AT);
    expect(change).toMatchObject({
      event: "ended",
      fire: { state: "Failed", reason: "DeadLetter", message: "gave up" },
    });
    expect(giveUpFire(fireOf(change), "gave up", AT)).toBeUndefined();
  });

  it("ends it as Cancelled when it was being cancelled", () => {
    const cancelling = fireOf(cancelFire(ordered, "ada said so", AT));
    expect(fireOf(giveUpFire(cancelling, "gave up", AT))).toMatchObject({
      state: "Cancelled",
      message: "ada said so",
    });
  });

  it("changes nothing once its run was seen", () => {
    expect(giveUpFire(fireOf(followRun(ordered, run("Created", 1), AT)), "gave up", AT)).toBeUndefined();
  });

  it("that was handled again after all is Running late, and ends as its run does", () => {
    const late = fireOf(followRun(fireOf(giveUpFire(ordered, "gave up", AT)), run("Created", 1), AT));
    expect(late).toMatchObject({ state: "Running", reason: "StartedLate", finishedAt: null });
    expect(fireOf(followRun(late, run("Succeeded", 2), AT))).toMatchObject({
      state: "Succeeded",
      reason: "StartedLate",
    });
  });

  it("I9: that had been cancelled is being cancelled when its run is seen", () => {
    const given = fireOf(giveUpFire(fireOf(cancelFire(ordered, "ada said so", AT)), "gave up", AT));
    const late = fireOf(followRun(given, run("Created", 1), AT));
    expect(late).toMatchObject({ state: "Running", reason: "Cancelling" });
    expect(cancelFire(late, "ada said so", AT)?.command).toMatchObject({ name: "cancel_run" });
  });

  it("and that was refused when it was handled again is Rejected", () => {
    const given = fireOf(giveUpFire(ordered, "gave up", AT));
    const rejected = fireOf(rejectFire(given, { code: "VERSION_NOT_FOUND", detail: "no v1" }, AT));
    expect(rejected).toMatchObject({ state: "Rejected", reason: "VERSION_NOT_FOUND" });
    expect(followRun(rejected, run("Created", 1), AT)).toBeUndefined();
  });
});

it("I4, I6: however letters, a cancel and the run's events mix, a fire ends as its run, and an end that its run gave never leaves", () => {
  const told = fc.shuffledSubarray(["letter", "letter", "cancel"] as const);
  const places = fc.array(fc.nat(3), { minLength: 3, maxLength: 3 });
  const end = fc.constantFrom<RunState>("Succeeded", "Failed", "Cancelled", "TimedOut");
  fc.assert(
    fc.property(told, places, end, (others, at, last) => {
      let fire = ordered;
      const states: RunState[] = ["Created", "Running", last];
      const apply = (change: FireChange | undefined) => {
        if (change === undefined) return;
        expect(change.fire.version).toBe(fire.version + 1);
        expect(isLiveFire(fire.state) || fire.reason === "DeadLetter").toBe(true);
        fire = change.fire;
      };
      for (let step = 0; step <= states.length; step += 1) {
        for (const [index, other] of others.entries()) {
          if (at[index] !== step) continue;
          apply(other === "letter" ? giveUpFire(fire, "gave up", AT) : cancelFire(fire, "stop", AT));
        }
        const state = states[step];
        if (state !== undefined) apply(followRun(fire, run(state, step + 1), AT));
      }
      expect(fire.state).toBe(last);
    }),
  );
});
