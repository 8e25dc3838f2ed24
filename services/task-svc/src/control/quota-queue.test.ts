import type { TaskId } from "@aiep/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addResources, fits, NO_RESOURCES, type Resources } from "../domain/quota.ts";
import { newTaskId } from "../testing/tasks.ts";
import { QuotaQueue } from "./quota-queue.ts";

const quota: Resources = { cpu: 4, memoryGb: 8, gpu: 1 };

function applicant(cpu: number, second: number, extra: Partial<Resources> = {}) {
  const heard: string[] = [];
  return {
    id: newTaskId(),
    namespace: "ns",
    asked: { cpu, memoryGb: 1, gpu: 0, ...extra },
    createdAt: new Date(second * 1000),
    heard,
    granted: () => heard.push("granted"),
    waits: (message: string) => heard.push(message),
  };
}

describe("the queue of a namespace", () => {
  it("D15: grants what fits, in order, and tells the rest what is free", () => {
    const queue = new QuotaQueue(() => quota);
    const [first, second, third] = [applicant(3, 1), applicant(2, 2), applicant(1, 3)];
    for (const each of [first, second, third]) queue.apply(each);
    expect(first.heard).toEqual(["granted"]);
    expect(second.heard).toEqual([
      "Needs 2 CPU, 1 GB; free now in namespace ns: 1 CPU, 7 GB. Starts by itself when enough is free.",
    ]);
    // It would fit, but never overtakes (Q2).
    expect(third.heard).toEqual([
      "Needs 1 CPU, 1 GB; other tasks of namespace ns wait before it. Starts by itself.",
    ]);
    queue.release(first.id, "ns");
    expect(second.heard.at(-1)).toBe("granted");
    expect(third.heard.at(-1)).toBe("granted");
  });

  it("foresees what it will tell, and keeps no trace of the question (Q4)", () => {
    const queue = new QuotaQueue(() => quota);
    const [first, second, third] = [applicant(3, 1), applicant(2, 2), applicant(1, 3)];
    expect(queue.foresee(first)).toBeUndefined();
    for (const each of [first, second, third]) {
      const foreseen = queue.foresee(each) ?? "granted";
      queue.apply(each);
      expect(each.heard).toEqual([foreseen]);
    }
  });

  it("orders by submission, whatever order they arrive in", () => {
    const queue = new QuotaQueue(() => quota);
    const blocker = applicant(4, 0);
    const [early, late] = [applicant(4, 1), applicant(4, 2)];
    for (const each of [blocker, late, early]) queue.apply(each);
    queue.release(blocker.id, "ns");
    expect(early.heard.at(-1)).toBe("granted");
    expect(late.heard).not.toContain("granted");
  });

  it("a task that leaves the queue lets the next one in", () => {
    const queue = new QuotaQueue(() => quota);
    const [running, large, small] = [applicant(2, 0), applicant(4, 1), applicant(1, 2)];
    for (const each of [running, large, small]) queue.apply(each);
    queue.release(large.id, "ns"); // stopped while waiting
    expect(small.heard.at(-1)).toBe("granted");
  });

  it("a raised quota starts the waiting, a lowered one says who to ask", () => {
    let now: Resources | undefined = quota;
    const queue = new QuotaQueue(() => now);
    const [running, waiting] = [applicant(4, 0), applicant(4, 1)];
    for (const each of [running, waiting]) queue.apply(each);
    now = { ...quota, cpu: 2 };
    queue.reconsider();
    expect(waiting.heard.at(-1)).toContain("has only 2 CPU, 8 GB in all since its quota was lowered");
    now = undefined;
    queue.reconsider();
    expect(waiting.heard.at(-1)).toContain("not in the directory any more");
    now = { ...quota, cpu: 8 };
    queue.reconsider();
    expect(waiting.heard.at(-1)).toBe("granted");
  });

  it("names the GPUs when they are what is missing", () => {
    const queue = new QuotaQueue(() => quota);
    queue.apply(applicant(1, 0, { gpu: 1 }));
    const waiting = applicant(1, 1, { gpu: 1 });
    queue.apply(waiting);
    expect(waiting.heard[0]).toContain("free now in namespace ns: 3 CPU, 7 GB, 0 GPU");
  });

  it("never grants more than the quota, and leaves nobody waiting who is first and fits", () => {
    const step = fc.record({ apply: fc.boolean(), cpu: fc.integer({ min: 1, max: 4 }), pick: fc.nat() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const queue = new QuotaQueue(() => quota);
        const waiting: TaskId[] = [];
        const running = new Map<TaskId, Resources>();
        const asked = new Map<TaskId, Resources>();
        steps.forEach(({ apply, cpu, pick }, index) => {
          if (apply) {
            const each = applicant(cpu, index);
            waiting.push(each.id);
            asked.set(each.id, each.asked);
            queue.apply({
              ...each,
              granted: () => {
                waiting.splice(waiting.indexOf(each.id), 1);
                running.set(each.id, each.asked);
              },
            });
          } else {
            const id = [...running.keys(), ...waiting][pick % Math.max(1, running.size + waiting.length)];
            if (id === undefined) return;
            if (waiting.includes(id)) waiting.splice(waiting.indexOf(id), 1);
            running.delete(id);
            queue.release(id, "ns");
          }
          const used = [...running.values()].reduce(addResources, NO_RESOURCES);
          expect(fits(used, quota)).toBe(true);
          const head = waiting[0] === undefined ? undefined : asked.get(waiting[0]);
          if (head !== undefined) expect(fits(addResources(used, head), quota)).toBe(false);
        });
      }),
    );
  });
});
