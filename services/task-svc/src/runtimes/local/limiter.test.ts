import { expect, test } from "vitest";
import { createLimiter } from "./limiter.ts";

test("never more than the limit at once, and everything gets its turn", async () => {
  const limit = createLimiter(2);
  let running = 0;
  let most = 0;
  const { signal } = new AbortController();
  const work = async () => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running--;
  };
  await Promise.all(Array.from({ length: 9 }, () => limit(work, signal)));
  expect(most).toBe(2);
});

test("what is aborted while it waits never starts, and holds nobody up", async () => {
  const limit = createLimiter(1);
  const abort = new AbortController();
  const { signal } = new AbortController();
  let finish = () => {};
  const first = limit(async () => await new Promise<void>((resolve) => (finish = resolve)), signal);
  const second = limit(async () => "never", abort.signal);
  const third = limit(async () => "third", signal);
  abort.abort(new Error("not wanted"));
  await expect(second).rejects.toThrow("not wanted");
  finish();
  await first;
  expect(await third).toBe("third");
});
