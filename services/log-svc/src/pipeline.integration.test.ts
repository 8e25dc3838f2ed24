import { rename } from "node:fs/promises";
import { join } from "node:path";
import { LOG_HEADERS, logSubject } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import type { ObjectStore } from "@aiep/objects";
import { publishMessage } from "@aiep/service-kit";
import { describe, expect, it } from "vitest";
import { newTaskId, node, type Store, startLogStack, TestPod, textsOf } from "./testing/log-stack.ts";

const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, at) => `line ${from + at}`);

async function wholeLog(store: Store, task: ReturnType<typeof newTaskId>, lines: number): Promise<string[]> {
  return await waitFor(
    `${lines} lines`,
    async () => {
      const texts = textsOf(await store.read(task));
      return texts.length >= lines ? texts : undefined;
    },
    { timeoutMs: 60_000, intervalMs: 50 },
  );
}

describe("agent → bus → store → reader", () => {
  it("each line once, in order, over rotation, container restart and the end without a newline", async () => {
    await using stack = await startLogStack();
    const task = newTaskId();
    const pod = await TestPod.create({ podsDir: stack.podsDir, task, node: node("worker-0") });
    await pod.write(numbered(0, 100));
    await using store = stack.startStore();
    await using _agent = await stack.startAgent();
    await wholeLog(store, task, 100);

    await rename(join(pod.container, "0.log"), join(pod.container, "0.log.20261121-100000"));
    await pod.writeRaw(pod.cri(numbered(100, 101)), "0.log.20261121-100000"); // the runtime still has the old file
    await pod.write(numbered(101, 200));
    await wholeLog(store, task, 200);
    await pod.write(numbered(200, 250), "1.log");
    await pod.writeRaw(pod.cri(["end without newline"]).slice(0, -1), "1.log");
    await pod.complete();

    const sources = await waitFor("source complete", async () => {
      const rows = await stack.index.sourcesOf(task);
      return rows[0]?.complete === true ? rows : undefined;
    });
    expect(sources).toHaveLength(1);
    expect(textsOf(await store.read(task))).toEqual([...numbered(0, 250), "end without newline"]);
    expect(sources[0]?.lines).toBe(250);
  });

  it("1 MB lines, binary bytes, progress bars and empty lines arrive whole", async () => {
    await using stack = await startLogStack();
    await using store = stack.startStore();
    await using _agent = await stack.startAgent();
    const task = newTaskId();
    const pod = await TestPod.create({ podsDir: stack.podsDir, task, node: node("worker-0") });
    const long = "x".repeat(1024 * 1024);
    await pod.write(["", "0%\r50%\r100%", "进度"]);
    await pod.writeRaw(
      Buffer.concat([Buffer.from(pod.cri([""]).slice(0, -1)), Buffer.from([0, 255, 254, 65, 10])]),
    );
    await pod.write([long, "after"]);
    await pod.complete();
    await waitFor("source complete", async () => (await stack.index.sourcesOf(task))[0]?.complete === true);
    const items = await store.read(task);
    const texts = textsOf(items);
    expect(texts.slice(0, 4)).toEqual(["", "0%\r50%\r100%", "进度", "\u0000\ufffd\ufffdA"]);
    expect(texts.slice(4, -1).join("")).toBe(long);
    expect(texts.at(-1)).toBe("after");
    expect(items.filter((item) => item.kind === "line" && item.partial)).toHaveLength(63);
  });

  it("store and agent thrown away at any moment: the log is exact all the same (I8)", async () => {
    await using stack = await startLogStack();
    const tasks = [newTaskId(), newTaskId(), newTaskId()];
    const pods = await Promise.all(
      tasks.map((task) => TestPod.create({ podsDir: stack.podsDir, task, node: node("worker-0") })),
    );
    const rounds = 6;
    for (let round = 0; round < rounds; round += 1) {
      const storeBus = await stack.connect("store");
      const agentBus = await stack.connect("agent");
      const crash = new AbortController();
      const objects: ObjectStore = {
        ...stack.objects,
        put: async (key, content) => {
          crash.signal.throwIfAborted();
          await stack.objects.put(key, content);
        },
      };
      const store = stack.startStore({ bus: storeBus, objects, limits: { flushMs: 100 } });
      const agent = await stack.startAgent({ bus: agentBus, gatherMs: 1 });
      for (let part = 0; part < 10; part += 1)
        for (const pod of pods)
          await pod.write(numbered((round * 10 + part) * 50, (round * 10 + part + 1) * 50));
      await waitFor("something held", () => store.ingest.heldBytes > 0);
      // A crash: connections vanish, and in every other round what is in memory only is gone with them.
      if (round % 2 === 0) crash.abort();
      await Promise.all([storeBus.close(), agentBus.close()]);
      await Promise.all([store[Symbol.asyncDispose](), agent.stop()]);
    }
    for (const pod of pods) await pod.complete();
    await using store = stack.startStore();
    await using _agent = await stack.startAgent();
    await waitFor(
      "all complete",
      async () => {
        const rows = await Promise.all(tasks.map((task) => stack.index.sourcesOf(task)));
        return rows.every((each) => each[0]?.complete === true);
      },
      { timeoutMs: 60_000 },
    );
    for (const task of tasks) expect(textsOf(await store.read(task))).toEqual(numbered(0, rounds * 500));
  });

  it("a burst far above 100 000 lines/s is stored exactly, with bounded memory", async () => {
    await using stack = await startLogStack();
    const task = newTaskId();
    const pod = await TestPod.create({ podsDir: stack.podsDir, task, node: node("worker-0") });
    const lines = 200_000;
    for (let from = 0; from < lines; from += 20_000) await pod.write(numbered(from, from + 20_000));
    await pod.complete();
    await using store = stack.startStore();
    await using _agent = await stack.startAgent();
    await waitFor("source complete", async () => (await stack.index.sourcesOf(task))[0]?.complete === true, {
      timeoutMs: 60_000,
    });
    const texts = textsOf(await store.read(task));
    expect(texts.length).toBe(lines);
    expect(texts.every((text, at) => text === `line ${at}`)).toBe(true);
    expect(store.ingest.heldBytes).toBe(0);
  });

  it("bytes that were never received are one marked gap", async () => {
    await using stack = await startLogStack();
    const task = newTaskId();
    const pod = await TestPod.create({ podsDir: stack.podsDir, task, node: node("worker-0") });
    const batch = (position: number, text: string) => publishBatch(stack, pod, task, position, text);
    await using store = stack.startStore({ limits: { holeMs: 300 } });
    const first = pod.cri(["a"]);
    const last = pod.cri(["b"]);
    await batch(0, first);
    await batch(first.length + 7, last);
    expect(await wholeLog(store, task, 3)).toEqual(["a", "(lost 7)", "b"]);
  });

  it("garbage ends in the dead letters and disturbs nobody (I12)", async () => {
    await using stack = await startLogStack();
    await using store = stack.startStore();
    const task = newTaskId();
    const pod = await TestPod.create({ podsDir: stack.podsDir, task, node: node("worker-0") });
    await stack.bus.js.publish(`aiep.test.log.g1.${task}.worker-0`, "no headers");
    await stack.bus.js.publish("aiep.test.log.g1.nonsense.worker-0.x", "bad subject");
    await publishBatch(stack, pod, task, 0, pod.cri(["fine"]));
    expect(await wholeLog(store, task, 1)).toEqual(["fine"]);
    await waitFor("dead letters", async () => (await stack.bus.jsm.streams.info("DLQ")).state.messages === 2);
  });

  it("the stream is trimmed once everything is stored", async () => {
    await using stack = await startLogStack();
    await using store = stack.startStore({ limits: { trimMs: 100, flushMs: 50 } });
    const task = newTaskId();
    const pod = await TestPod.create({ podsDir: stack.podsDir, task, node: node("worker-0") });
    await using _agent = await stack.startAgent();
    await pod.write(numbered(0, 1000));
    await wholeLog(store, task, 1000);
    await waitFor("stream empty", async () => (await stack.bus.jsm.streams.info("LOG")).state.messages === 0);
  });
});

async function publishBatch(
  stack: Awaited<ReturnType<typeof startLogStack>>,
  pod: TestPod,
  task: string,
  position: number,
  text: string,
): Promise<void> {
  await publishMessage(stack.bus, {
    id: `${pod.uid}/main:${position}-${text.length}`,
    stream: "LOG",
    subject: logSubject({ env: "test", groupId: "g1", taskId: task, node: "worker-0" }),
    headers: {
      [LOG_HEADERS.source]: `${pod.uid}/main`,
      [LOG_HEADERS.position]: String(position),
      [LOG_HEADERS.attempt]: "1",
    },
    payload: text,
  });
}
