import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { STREAMS } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { describe, expect, it } from "vitest";
import {
  applyLogTopology,
  type LogStack,
  newTaskId,
  node,
  startLogStack,
  TestPod,
  textsOf,
} from "../testing/log-stack.ts";

const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, at) => `line ${from + at}`);

const newPod = async (stack: LogStack) => {
  const task = newTaskId();
  return { task, pod: await TestPod.create({ podsDir: stack.podsDir, task, node: node("worker-0") }) };
};

const acknowledged = (stack: LogStack, pod: TestPod, done: boolean) =>
  waitFor("shipped", async () => {
    const text = await readFile(join(stack.dir, "agent", "checkpoint.json"), "utf8");
    const marks: Record<string, { done: boolean }> = JSON.parse(text).sources;
    return Object.entries(marks).some(([key, mark]) => key.includes(pod.uid) && mark.done === done);
  });

const complete = (stack: LogStack, task: ReturnType<typeof newTaskId>) =>
  waitFor("source complete", async () => (await stack.index.sourcesOf(task))[0]?.complete === true, {
    timeoutMs: 60_000,
  });

async function wipe(stack: LogStack): Promise<void> {
  await stack.nats.stop();
  await stack.nats.wipeStore();
  await stack.nats.start();
  await waitFor("connected again", () => stack.bus.status === "connected");
  await applyLogTopology(stack.bus);
}

describe("a log stream whose store was wiped", () => {
  it("while agent and store were down: what was acknowledged and not stored goes out again, over rotated files", async () => {
    await using stack = await startLogStack();
    const [ended, running] = [await newPod(stack), await newPod(stack)];
    const agent = await stack.startAgent();
    for (const { pod } of [ended, running]) {
      const at = (name: string): string => join(pod.container, name);
      await pod.write(numbered(0, 100));
      await rename(at("0.log"), at("0.log.20261121-100000"));
      await pod.write(numbered(100, 200));
    }
    await ended.pod.complete();
    await Promise.all([acknowledged(stack, ended.pod, true), acknowledged(stack, running.pod, false)]);
    await agent.stop();
    for (const { pod } of [ended, running]) {
      const rotated = join(pod.container, "0.log.20261121-100000");
      await writeFile(`${rotated}.gz`, gzipSync(await readFile(rotated)));
      await rename(rotated, join(stack.dir, `${pod.uid}.rotated`));
    }
    await wipe(stack);

    await using store = stack.startStore();
    await using _again = await stack.startAgent();
    await running.pod.write(numbered(200, 300));
    await running.pod.complete();
    await Promise.all([complete(stack, ended.task), complete(stack, running.task)]);
    expect(textsOf(await store.read(ended.task))).toEqual(numbered(0, 200));
    expect(textsOf(await store.read(running.task))).toEqual(numbered(0, 300));
  });

  it("while both were up: the log is exact, what the store had already is not there twice", async () => {
    await using stack = await startLogStack();
    const { task, pod } = await newPod(stack);
    await using _agent = await stack.startAgent();
    {
      await using store = stack.startStore();
      await pod.write(numbered(0, 100));
      await waitFor("first lines", async () => (await store.read(task)).length === 100);
    }
    await pod.write(numbered(100, 200));
    await waitFor(
      "batches only in the stream",
      async () => (await stack.bus.jsm.consumers.info("LOG", "log-store")).num_pending > 0,
    );
    await using store = stack.startStore({ limits: { flushMs: 60_000, lazyFlushMs: 60_000 } });
    await stack.nats.kill9();
    await pod.write(numbered(200, 300));
    await stack.nats.wipeStore();
    await stack.nats.start();
    await waitFor("connected again", () => stack.bus.status === "connected");
    await applyLogTopology(stack.bus);
    await pod.write(numbered(300, 400));
    await pod.complete();
    await complete(stack, task);
    expect(textsOf(await store.read(task))).toEqual(numbered(0, 400));
  });

  it("made anew without a disconnection: noticed by the sequence of the next acknowledgement", async () => {
    await using stack = await startLogStack();
    const { task, pod } = await newPod(stack);
    await using _agent = await stack.startAgent();
    for (let at = 0; at < 3; at += 1) {
      await pod.write(numbered(at * 10, at * 10 + 10));
      await waitFor(
        "batch shipped",
        async () => (await stack.bus.jsm.streams.info("LOG")).state.last_seq > at,
      );
    }
    await stack.bus.jsm.streams.delete(STREAMS.LOG.name);
    await applyLogTopology(stack.bus);
    await pod.write(numbered(30, 40));
    await pod.complete();
    await using store = stack.startStore();
    await complete(stack, task);
    expect(textsOf(await store.read(task))).toEqual(numbered(0, 40));
  });

  it("restored from an older state: noticed by its last sequence", async () => {
    await using stack = await startLogStack();
    const { task, pod } = await newPod(stack);
    const agent = await stack.startAgent();
    await pod.write(numbered(0, 10));
    await pod.complete();
    await acknowledged(stack, pod, true);
    await agent.stop();
    // As after a restore: the stream is the same one, and has not got as far as the agent remembers.
    await stack.bus.jsm.streams.purge(STREAMS.LOG.name);
    await stack.nats.restart();
    await waitFor("connected again", () => stack.bus.status === "connected");
    const file = join(stack.dir, "agent", "checkpoint.json");
    const content = JSON.parse(await readFile(file, "utf8"));
    await writeFile(file, JSON.stringify({ ...content, stream: { ...content.stream, acked_seq: 1_000 } }));

    await using store = stack.startStore();
    await using _again = await stack.startAgent();
    await complete(stack, task);
    expect(textsOf(await store.read(task))).toEqual(numbered(0, 10));
  });
});
