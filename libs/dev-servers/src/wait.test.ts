import { expect, test } from "vitest";
import { WaitTimeoutError } from "./errors.ts";
import { waitFor } from "./wait.ts";

test("the first truthy answer is returned", async () => {
  let probes = 0;
  expect(await waitFor("three probes", () => ++probes === 3 && `answer ${probes}`, { intervalMs: 1 })).toBe(
    "answer 3",
  );
});

test("a timeout names what was awaited and what was seen last", async () => {
  const wait = waitFor("the task to end", () => undefined, { timeoutMs: 5, intervalMs: 1 });
  await expect(wait).rejects.toThrow(/waited 5 ms for: the task to end; last seen: undefined/);
});

test("a probe that throws is probed again, and its error is in the timeout", async () => {
  const cause = new Error("connection refused");
  const wait = waitFor("the server", () => Promise.reject(cause), { timeoutMs: 5, intervalMs: 1 });
  const error = await wait.catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(WaitTimeoutError);
  expect(error).toMatchObject({
    code: "wait_timeout",
    cause,
    message: expect.stringContaining("connection refused"),
  });
});

test("a probe that never settles does not hold the wait beyond its bound", async () => {
  const wait = waitFor("an answer", () => new Promise<boolean>(() => {}), { timeoutMs: 5 });
  await expect(wait).rejects.toBeInstanceOf(WaitTimeoutError);
});

test("an aborted wait ends with the signal's reason", async () => {
  const abort = new AbortController();
  const reason = new Error("enough");
  const wait = waitFor("never", () => abort.abort(reason), { intervalMs: 60_000, signal: abort.signal });
  await expect(wait).rejects.toMatchObject({ name: "AbortError", cause: reason });
});
