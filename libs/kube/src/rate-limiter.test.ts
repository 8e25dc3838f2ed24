import { expect, test, vi } from "vitest";
import { createRateLimiter } from "./rate-limiter.ts";

test("a burst goes at once, the rest at the rate, stops before creates", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  try {
    const limiter = createRateLimiter({ perSecond: 10, burst: 2 });
    const order: string[] = [];
    const take = (priority: "create" | "stop", name: string) =>
      limiter.take(priority).then(() => order.push(name));
    const all = [
      take("create", "c1"),
      take("create", "c2"),
      take("create", "c3"),
      take("create", "c4"),
      take("stop", "s1"),
    ];
    await vi.advanceTimersByTimeAsync(0);
    expect(order).toEqual(["c1", "c2"]);
    await vi.advanceTimersByTimeAsync(110);
    expect(order).toEqual(["c1", "c2", "s1"]);
    await vi.advanceTimersByTimeAsync(220);
    await Promise.all(all);
    expect(order).toEqual(["c1", "c2", "s1", "c3", "c4"]);
  } finally {
    vi.useRealTimers();
  }
});

test("who gives up gives its place away", async () => {
  const limiter = createRateLimiter({ perSecond: 20, burst: 1 });
  await limiter.take("create");
  const stop = new AbortController();
  const given = limiter.take("create", stop.signal);
  const next = limiter.take("create");
  stop.abort(new Error("no more"));
  await expect(given).rejects.toThrow("no more");
  await next;
});
