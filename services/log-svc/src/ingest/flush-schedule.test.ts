import { CONSUMERS } from "@aiep/contracts";
import { describe, expect, it } from "vitest";
import { defaultLimits, type Flushable, FlushSchedule } from "./flush-schedule.ts";

const limits = defaultLimits(CONSUMERS.logBatches);
const schedule = new FlushSchedule(limits, CONSUMERS.logBatches);
const calm = { heldBytes: 0, unsettled: 0 };
const KiB = 1024;
const writer = (facts: Partial<Flushable>): Flushable => ({
  dirtySince: 0,
  blockedSince: undefined,
  unflushedBytes: 1,
  complete: false,
  ...facts,
});

describe("when a source is flushed", () => {
  it("a few bytes wait five seconds, bytes worth a chunk one, a full chunk not at all", () => {
    const due = (unflushedBytes: number) => schedule.nextDueMs([writer({ unflushedBytes })], calm, 0);
    expect([due(1), due(64 * KiB), due(512 * KiB)]).toEqual([5_000, 1_000, 0]);
  });

  it("every wait leaves half of the ack wait for the flush itself", () => {
    expect(limits.lazyFlushMs).toBeLessThanOrEqual((CONSUMERS.logBatches.ackWaitSeconds * 1000) / 2);
  });

  it("the end of a source, half of the messages the server hands out and half of the memory do not wait", () => {
    expect(schedule.isDue(writer({ complete: true }), calm, 0)).toBe(true);
    const half = CONSUMERS.logBatches.maxAckPending / 2;
    expect(schedule.isDue(writer({}), { ...calm, unsettled: half - 1 }, 0)).toBe(false);
    expect(schedule.isDue(writer({}), { ...calm, unsettled: half }, 0)).toBe(true);
    expect(schedule.isDue(writer({}), { ...calm, heldBytes: limits.memoryBytes / 2 }, 0)).toBe(true);
  });

  it("what has nothing new is never due", () => {
    const clean = writer({ dirtySince: undefined, complete: true });
    expect(schedule.isDue(clean, { heldBytes: limits.memoryBytes, unsettled: 1e6 }, 1e9)).toBe(false);
  });

  it("a hole outlasts two redeliveries, then it is lost", () => {
    const blocked = writer({ dirtySince: undefined, blockedSince: 0 });
    expect(schedule.isHoleLost(blocked, limits.holeMs - 1)).toBe(false);
    expect(schedule.isHoleLost(blocked, limits.holeMs)).toBe(true);
    expect(schedule.nextDueMs([blocked], calm, limits.holeMs - 100)).toBe(100);
    expect(limits.holeMs).toBeGreaterThan(2 * CONSUMERS.logBatches.ackWaitSeconds * 1000);
  });
});
