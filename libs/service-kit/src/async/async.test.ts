import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { backoffMs } from "./backoff.ts";
import { createLimiter } from "./limiter.ts";
import { pause, WakeUp, within } from "./wait.ts";

const FOREVER_MS = 3_600_000;
const never = new AbortController().signal;

describe("a limiter", () => {
  test("runs never more than its limit at once, in the order they came, also when a newcomer meets a freed place", async () => {
    const limit = createLimiter(2);
    const begun: number[] = [];
    let running = 0;
    let most = 0;
    const work = (name: number) => async () => {
      begun.push(name);
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
    };
    const all = Array.from({ length: 6 }, async (_, name) => {
      await limit(work(name));
      await limit(work(name + 6));
    });
    await Promise.all(all);
    expect(most).toBe(2);
    expect(begun.slice(0, 6)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(begun).toHaveLength(12);
  });

  test("what is aborted while it waits never starts, and holds nobody up", async () => {
    const limit = createLimiter(1);
    const abort = new AbortController();
    let finish = () => {};
    const first = limit(async () => await new Promise<void>((resolve) => (finish = resolve)));
    const second = limit(async () => "never", abort.signal);
    const third = limit(async () => "third");
    abort.abort(new Error("not wanted"));
    await expect(second).rejects.toThrow("not wanted");
    finish();
    await first;
    expect(await third).toBe("third");
  });

  test("work that fails gives its place back", async () => {
    const limit = createLimiter(1);
    await expect(limit(async () => await Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(await limit(async () => "next")).toBe("next");
  });
});

describe("waiting", () => {
  test("a wake before the wait is not lost, and counts once", async () => {
    const wake = new WakeUp();
    wake.wake();
    await wake.wait(FOREVER_MS, never);
    const second = wake.wait(FOREVER_MS, never);
    wake.wake();
    await second;
  });

  test("an abort ends a pause without an error, and one that came before lets it not begin", async () => {
    const abort = new AbortController();
    const paused = pause(FOREVER_MS, abort.signal);
    abort.abort();
    await paused;
    await pause(FOREVER_MS, abort.signal);
  });

  test("work within its time gives its value or its error; what takes longer is late", async () => {
    expect(await within(FOREVER_MS, Promise.resolve("done"), "late")).toBe("done");
    await expect(within(FOREVER_MS, Promise.reject(new Error("failed")), "late")).rejects.toThrow("failed");
    expect(await within(1, new Promise(() => {}), "late")).toBe("late");
  });
});

test("a backoff grows from its floor to its cap, between half and the whole of each step", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 100 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (failures, dice) => {
        const ms = backoffMs(failures, { floorMs: 100, capMs: 5_000, random: () => dice });
        const step = Math.min(5_000, 100 * 2 ** (failures - 1));
        expect(ms).toBeGreaterThanOrEqual(step / 2);
        expect(ms).toBeLessThanOrEqual(step);
      },
    ),
  );
});
