import { type HistoryEntry, type TaskId, type TaskState, taskId } from "@aiep/contracts";
import { type Changes, watchChanges } from "@aiep/service-kit";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { followTask } from "./follow-task.ts";

const ID = taskId.parse("0".repeat(32));

/** Changes told by hand, and a count of who still listens. */
function handTold() {
  const listeners = new Set<() => void>();
  const changes: Changes<TaskId> = {
    subscribe: (_, listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const tell = () => {
    for (const listener of listeners) listener();
  };
  return { changes, listeners, tell };
}

describe("watching a task", () => {
  test("a change between two calls is not missed, several count as one", async () => {
    const { changes, tell } = handTold();
    using watch = watchChanges(changes, ID, new AbortController().signal);
    tell();
    tell();
    expect(await watch.changed()).toBe(true);
    const next = watch.changed();
    tell();
    expect(await next).toBe(true);
  });

  test("a change nobody told of is found after a while", async () => {
    using watch = watchChanges(handTold().changes, ID, new AbortController().signal, { lookAgainMs: 1 });
    expect(await watch.changed()).toBe(true);
  });

  test("an abort ends the wait, and the listener is gone afterwards", async () => {
    const { changes, listeners } = handTold();
    const controller = new AbortController();
    {
      using watch = watchChanges(changes, ID, controller.signal);
      const next = watch.changed();
      controller.abort();
      expect(await next).toBe(false);
      expect(await watch.changed()).toBe(false);
    }
    expect(listeners.size).toBe(0);
  });
});

function entry(version: number, state: TaskState): HistoryEntry {
  return {
    version,
    type: "aiep.task.updated.v1",
    time: "2026-01-01T00:00:00.000Z",
    by: null,
    data: { state },
  };
}

describe("following a task", () => {
  test("whenever events are written and wakes arrive, every version comes once, in order, up to the end", async () => {
    const plan = fc.integer({ min: 1, max: 450 }).chain((length) =>
      fc.record({
        length: fc.constant(length),
        after: fc.nat({ max: length }),
        bursts: fc.array(fc.integer({ min: 1, max: 220 }), { maxLength: 8 }),
      }),
    );
    await fc.assert(
      fc.asyncProperty(plan, async ({ length, after, bursts }) => {
        const { changes, tell, listeners } = handTold();
        const written: HistoryEntry[] = [];
        const write = (count: number) => {
          const upTo = Math.min(length, written.length + count);
          for (let version = written.length + 1; version <= upTo; version += 1)
            written.push(entry(version, version === length ? "Failed" : "Running"));
          tell();
        };
        const store = {
          history: async (_: unknown, afterVersion: number, limit: number) =>
            written.filter(({ version }) => version > afterVersion).slice(0, limit),
        };
        write(after); // nobody has seen what is not yet written
        const seen: number[] = [];
        const following = (async () => {
          const events = followTask({ store, changes }, ID, after, new AbortController().signal);
          for await (const { version } of events) seen.push(version);
        })();
        for (const burst of [1, ...bursts, length]) {
          await Promise.resolve();
          write(burst);
        }
        await following;
        expect(seen).toEqual(Array.from({ length: length - after }, (_, index) => after + index + 1));
        expect(listeners.size).toBe(0);
      }),
    );
  });

  test("ends when nobody reads any more", async () => {
    const { changes, listeners } = handTold();
    const controller = new AbortController();
    const store = { history: async () => [] };
    const events = followTask({ store, changes }, ID, 0, controller.signal);
    const next = events.next();
    controller.abort();
    expect(await next).toEqual({ done: true, value: undefined });
    expect(listeners.size).toBe(0);
  });
});
