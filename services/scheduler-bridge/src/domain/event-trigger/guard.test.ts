import { eventTriggerId, fireId } from "@aiep/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Ancestor, type GuardInput, guardFire, MAX_CHAIN } from "./index.ts";

const trigger = (index: number) => eventTriggerId.parse(index.toString(16).padStart(32, "0"));
const fire = (index: number) => fireId.parse(index.toString(16).padStart(32, "f"));
const lineage = (...triggers: number[]): Ancestor[] =>
  triggers.map((index, at) => ({ fireId: fire(at), triggerId: trigger(index) }));
const guard = (more: Partial<GuardInput>) =>
  guardFire({ triggerId: trigger(1), maxPerHour: 120, lineage: [], firedInLastHour: 0, ...more });
const reason = (more: Partial<GuardInput>) => {
  const verdict = guard(more);
  return verdict.ok ? "ok" : verdict.reason;
};

describe("the guard of a trigger", () => {
  it("lets through what nothing of it caused", () => {
    expect(reason({ lineage: lineage(2, 3) })).toBe("ok");
  });

  it("holds back what a fire of the same trigger caused, near or far, and names that fire", () => {
    expect(reason({ lineage: lineage(1) })).toBe("loop");
    const verdict = guard({ lineage: lineage(2, 3, 1) });
    expect(verdict).toMatchObject({ ok: false, message: expect.stringContaining(fire(2).slice(0, 8)) });
  });

  it("holds back the sixth fire of a chain", () => {
    expect(reason({ lineage: lineage(2, 3, 4, 5) })).toBe("ok");
    expect(reason({ lineage: lineage(2, 3, 4, 5, 6) })).toBe("chain_too_long");
  });

  it("holds back more than an hour may have", () => {
    expect(reason({ maxPerHour: 3, firedInLastHour: 2 })).toBe("ok");
    expect(reason({ maxPerHour: 3, firedInLastHour: 3 })).toBe("rate_exceeded");
  });

  it("ends every chain, however triggers feed each other", () => {
    const graph = fc.array(fc.uniqueArray(fc.nat(5), { maxLength: 6 }), { minLength: 6, maxLength: 6 });
    fc.assert(
      fc.property(graph, fc.nat(5), (feeds, first) => {
        const open: (readonly Ancestor[])[] = [lineage(first)];
        let fires = 0;
        for (let chain = open.pop(); chain !== undefined; chain = open.pop()) {
          const triggers = chain.map(({ triggerId }) => triggerId);
          expect(new Set(triggers).size).toBe(triggers.length);
          expect(chain.length).toBeLessThanOrEqual(MAX_CHAIN);
          const last = Number.parseInt(triggers[0] ?? "", 16);
          for (const next of feeds[last] ?? []) {
            if (!guard({ triggerId: trigger(next), lineage: chain }).ok) continue;
            fires += 1;
            open.push([{ fireId: fire(fires), triggerId: trigger(next) }, ...chain]);
          }
        }
      }),
    );
  });
});
