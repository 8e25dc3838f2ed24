import { eventTriggerId, fireId } from "@aiep/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type GuardInput, guardFire, MAX_DEPTH, type Upstream } from "./index.ts";

const trigger = (index: number) => eventTriggerId.parse(index.toString(16).padStart(32, "0"));
const fire = (index: number) => fireId.parse(index.toString(16).padStart(32, "f"));
const upstream = (depth: number, ...triggers: number[]): Upstream => ({
  fireId: fire(depth),
  depth,
  lineage: triggers.map(trigger),
});
const NOW = new Date("2026-03-02T01:59:00Z");
const guard = (more: Partial<GuardInput>) =>
  guardFire({
    triggerId: trigger(1),
    maxPerHour: 120,
    upstream: undefined,
    firedInLastHour: 0,
    now: NOW,
    ...more,
  });
const reason = (more: Partial<GuardInput>) => {
  const verdict = guard(more);
  return verdict.ok ? "ok" : verdict.reason;
};

describe("the guard of a trigger", () => {
  it("lets through what nothing caused, and what others did, and counts them", () => {
    expect(guard({})).toEqual({ ok: true, depth: 0, lineage: [trigger(1)] });
    expect(guard({ upstream: upstream(1, 2, 3) })).toEqual({
      ok: true,
      depth: 2,
      lineage: [trigger(2), trigger(3), trigger(1)],
    });
  });

  it("holds back what a fire of the same trigger caused, near or far, and names the fire between", () => {
    expect(reason({ upstream: upstream(0, 1) })).toBe("Loop");
    expect(guard({ upstream: upstream(2, 1, 3, 2) })).toMatchObject({
      ok: false,
      reason: "Loop",
      skippedKey: `loop:${fire(2)}`,
    });
  });

  it("holds back the end of a long chain, of whatever kinds of fires", () => {
    expect(reason({ upstream: upstream(MAX_DEPTH - 1) })).toBe("ok");
    expect(reason({ upstream: upstream(MAX_DEPTH) })).toBe("ChainTooLong");
  });

  it("holds back more than an hour may have, and says so once an hour", () => {
    expect(reason({ maxPerHour: 3, firedInLastHour: 2 })).toBe("ok");
    const verdict = guard({ maxPerHour: 3, firedInLastHour: 3 });
    expect(verdict).toMatchObject({ reason: "RateExceeded", skippedKey: "rate:2026-03-02T01" });
  });

  it("ends every chain, however triggers feed each other", () => {
    const graph = fc.array(fc.uniqueArray(fc.nat(5), { maxLength: 6 }), { minLength: 6, maxLength: 6 });
    fc.assert(
      fc.property(graph, fc.nat(5), (feeds, first) => {
        const open: Upstream[] = [upstream(0, first)];
        let fires = 0;
        for (let last = open.pop(); last !== undefined; last = open.pop()) {
          expect(new Set(last.lineage).size).toBe(last.lineage.length);
          expect(last.depth).toBeLessThanOrEqual(MAX_DEPTH);
          const source = Number.parseInt(last.lineage.at(-1) ?? "", 16);
          for (const next of feeds[source] ?? []) {
            const verdict = guard({ triggerId: trigger(next), upstream: last });
            if (!verdict.ok) continue;
            fires += 1;
            open.push({ fireId: fire(fires), depth: verdict.depth, lineage: verdict.lineage });
          }
        }
      }),
    );
  });
});
