import { LOG_HEADERS, logSubject, MAX_BATCH_BYTES } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { describe, expect, it } from "vitest";
import { GROUP, logBatches, newTaskId, node, startLogStack, TestPod, textsOf } from "../testing/log-stack.ts";

const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, at) => `line ${from + at}`);

async function start() {
  await using opening = new AsyncDisposableStack();
  const stack = opening.use(await startLogStack());
  const task = newTaskId();
  const pod = await TestPod.create({ podsDir: stack.podsDir, task, node: node("worker-0") });
  opening.use(await stack.startAgent({ gatherMs: 1 }));
  const opened = opening.move();
  return {
    stack,
    task,
    pod,
    source: async () => (await stack.index.sourcesOf(task))[0],
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Long enough that nothing but size or number can be the reason for a flush. */
const NEVER = { flushMs: 60_000, lazyFlushMs: 60_000 };

describe("flushing", () => {
  it("a slow log is read at once and stored in few chunks; enough bytes for a chunk do not wait", async () => {
    await using house = await start();
    const { stack, task, pod, source } = house;
    await using store = stack.startStore({ limits: { flushMs: 50, lazyFlushMs: 60_000 } });
    for (let line = 0; line < 20; line += 1) {
      await pod.write(numbered(line, line + 1));
      await waitFor("line to be read", async () => (await store.read(task)).length === line + 1);
    }
    expect((await source())?.nextPosition).toBe(0);

    await pod.write(numbered(20, 2_000)); // more than 64 KiB
    await waitFor("bytes stored", async () => ((await source())?.nextPosition ?? 0) > 0);
    await pod.write(numbered(2_000, 2_010));
    await pod.complete();
    await waitFor("source complete", async () => (await source())?.complete);
    expect(textsOf(await store.read(task))).toEqual(numbered(0, 2_010));
    const segments = await stack.index.segments((await source())?.id ?? 0, 0, 100);
    expect(segments.length).toBeLessThanOrEqual(4);
  });

  it("many small batches are stored before the server stops handing out more", async () => {
    await using house = await start();
    const { stack, task, pod, source } = house;
    await using store = stack.startStore({
      consumer: { ...logBatches, maxAckPending: 20 },
      limits: NEVER,
    });
    for (let line = 0; line < 10; line += 1) {
      expect((await source())?.nextPosition ?? 0).toBe(0);
      await pod.write(numbered(line, line + 1));
      await waitFor("line to be read", async () => (await store.read(task)).length === line + 1);
    }
    await waitFor("bytes stored", async () => ((await source())?.nextPosition ?? 0) > 0);
  });

  it("a dead letter that cannot be taken just now is answered, not waited for", async () => {
    await using house = await start();
    const { stack, task, pod } = house;
    await using store = stack.startStore();
    const letter = (position: number) => ({
      subject: logSubject({ env: "test", groupId: GROUP, taskId: task, node: node("worker-0") }),
      headers: new Map([
        [LOG_HEADERS.source, `${pod.uid}/main`],
        [LOG_HEADERS.position, String(position)],
        [LOG_HEADERS.attempt, "1"],
      ]),
      payload: Buffer.alloc(MAX_BATCH_BYTES, "x"),
    });
    // Beyond a hole: so many may wait, one more is too much.
    const waiting = [store.ingest.redrive(letter(MAX_BATCH_BYTES))];
    await waitFor("source opened", () => store.ingest.openSources === 1);
    for (let at = 2; at <= 32; at += 1) waiting.push(store.ingest.redrive(letter(at * MAX_BATCH_BYTES)));
    const settled = Promise.allSettled(waiting);
    await expect(store.ingest.redrive(letter(33 * MAX_BATCH_BYTES))).rejects.toMatchObject({
      code: "DEPENDENCY_UNAVAILABLE",
    });
    await store.ingest.redrive(letter(0)); // fills the hole
    expect((await settled).every(({ status }) => status === "fulfilled")).toBe(true);
  });
});
