import { expect, test } from "vitest";
import { PartPool } from "./part-pool.ts";

const signal = new AbortController().signal;

test("no more parts are lent than there are; who waits gets the next one, in order", async () => {
  const pool = new PartPool({ partBytes: 8, parts: 2 });
  const first = await pool.take(signal);
  await pool.take(signal);
  const got: string[] = [];
  const waiting = ["a", "b"].map(async (name) => {
    const part = await pool.take(signal);
    got.push(name);
    return part;
  });
  pool.giveBack(first);
  const [a] = waiting;
  pool.giveBack((await a) ?? first);
  await Promise.all(waiting);
  expect(got).toEqual(["a", "b"]);
  expect(pool.mostBytes).toBe(16);
});

test("who gives up waiting gets none, and takes none from those behind", async () => {
  const pool = new PartPool({ partBytes: 8, parts: 1 });
  const part = await pool.take(signal);
  const abort = new AbortController();
  const impatient = pool.take(abort.signal);
  const patient = pool.take(signal);
  abort.abort(new Error("not wanted"));
  await expect(impatient).rejects.toThrow("not wanted");
  pool.giveBack(part);
  expect(await patient).toBe(part);
  await expect(pool.take(abort.signal)).rejects.toThrow("not wanted");
});
