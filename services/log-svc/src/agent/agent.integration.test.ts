import { access, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { waitFor } from "@aiep/dev-servers";
import { startTelemetry } from "@aiep/service-kit";
import { describe, expect, it } from "vitest";
import {
  type LogStack,
  newTaskId,
  node,
  type Store,
  startLogStack,
  TestPod,
  textsOf,
} from "../testing/log-stack.ts";

const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, at) => `line ${from + at}`);

const complete = (stack: LogStack, task: ReturnType<typeof newTaskId>) =>
  waitFor("source complete", async () => (await stack.index.sourcesOf(task))[0]?.complete === true, {
    timeoutMs: 30_000,
  });

async function lines(store: Store, task: ReturnType<typeof newTaskId>, count: number): Promise<void> {
  await waitFor(`${count} lines`, async () => (await store.read(task)).length >= count, {
    timeoutMs: 30_000,
  });
}

describe("log agent", () => {
  it("finds its place again after rotations and compression that happened while it was away", async () => {
    await using stack = await startLogStack();
    await using store = stack.startStore();
    const task = newTaskId();
    const pod = await TestPod.create({ podsDir: stack.podsDir, task, node: node("worker-0") });
    const at = (name: string): string => join(pod.container, name);
    await pod.write(numbered(0, 100));
    const agent = await stack.startAgent();
    await lines(store, task, 100);
    await agent.stop();

    await pod.write(numbered(100, 200));
    await rename(at("0.log"), at("0.log.20261121-100000"));
    await writeFile(at("0.log.20261121-100000.gz"), gzipSync(await readFile(at("0.log.20261121-100000"))));
    await rm(at("0.log.20261121-100000"));
    await pod.write(numbered(200, 300));
    await rename(at("0.log"), at("0.log.20261121-110000"));
    await pod.write(numbered(300, 400));
    await pod.complete();
    await using _again = await stack.startAgent();
    await complete(stack, task);
    expect(textsOf(await store.read(task))).toEqual(numbered(0, 400));
  });

  it("counts what it shipped", async () => {
    await using stack = await startLogStack();
    await using store = stack.startStore();
    const telemetry = await startTelemetry({ service: "log-agent", version: "0" });
    const task = newTaskId();
    const pod = await TestPod.create({ podsDir: stack.podsDir, task, node: node("worker-0") });
    await pod.write(numbered(0, 10));
    await using _agent = await stack.startAgent({ meter: telemetry.meter });
    await lines(store, task, 10);
    const figures = await telemetry.metricsText();
    await telemetry.shutdown();
    expect(figures).toMatch(/^aiep_agent_shipped_batches_total [1-9]/m);
    expect(figures).toMatch(/^aiep_agent_shipped_bytes_total [1-9]\d{2}/m);
  });

  it("a file that vanished before it was read is a gap, and what follows is there", async () => {
    await using stack = await startLogStack();
    await using store = stack.startStore({ limits: { holeMs: 300 } });
    const task = newTaskId();
    const pod = await TestPod.create({ podsDir: stack.podsDir, task, node: node("worker-0") });
    await pod.write(["a"]);
    const agent = await stack.startAgent();
    await lines(store, task, 1);
    await agent.stop();
    await rm(join(pod.container, "0.log"));
    await pod.write(["b"], "1.log");
    await pod.complete();
    await using _again = await stack.startAgent();
    await complete(stack, task);
    expect(textsOf(await store.read(task))).toEqual(["a", "(lost 1)", "b"]);
  });

  it("ships nothing twice after a restart, and forgets folders that are gone", async () => {
    await using stack = await startLogStack();
    await using store = stack.startStore();
    const task = newTaskId();
    const pod = await TestPod.create({ podsDir: stack.podsDir, task, node: node("worker-0") });
    await pod.write(numbered(0, 10));
    await pod.complete();
    const agent = await stack.startAgent();
    await complete(stack, task);
    await agent.stop();
    const { last_seq } = (await stack.bus.jsm.streams.info("LOG")).state;

    await using _again = await stack.startAgent({ removeAfterMs: 0 });
    await waitFor("folder removed", () =>
      access(pod.folder).then(
        () => false,
        () => true,
      ),
    );
    const checkpoint = join(stack.dir, "agent", "checkpoint.json");
    await waitFor("checkpoint empty", async () => !(await readFile(checkpoint, "utf8")).includes(pod.uid));
    expect((await stack.bus.jsm.streams.info("LOG")).state.last_seq).toBe(last_seq);
    expect(textsOf(await store.read(task))).toEqual(numbered(0, 10));
  });

  it("waits while the bus is away, and ships every line when it is back", async () => {
    await using stack = await startLogStack();
    await using store = stack.startStore();
    const task = newTaskId();
    const pod = await TestPod.create({ podsDir: stack.podsDir, task, node: node("worker-0") });
    await using _agent = await stack.startAgent();
    await pod.write(numbered(0, 100));
    await lines(store, task, 100);
    await stack.nats.kill9();
    await pod.write(numbered(100, 5_000));
    await stack.nats.start();
    await pod.write(numbered(5_000, 6_000));
    await pod.complete();
    await complete(stack, task);
    expect(textsOf(await store.read(task))).toEqual(numbered(0, 6_000));
  });

  it("a full stream is waited for: files are the buffer", async () => {
    await using stack = await startLogStack();
    const { config } = await stack.bus.jsm.streams.info("LOG");
    await stack.bus.jsm.streams.update("LOG", { ...config, max_bytes: 1024 * 1024 });
    const task = newTaskId();
    const pod = await TestPod.create({ podsDir: stack.podsDir, task, node: node("worker-0") });
    await pod.write(numbered(0, 100_000));
    await pod.complete();
    await using _agent = await stack.startAgent();
    await waitFor("stream full", async () => (await stack.bus.jsm.streams.info("LOG")).state.bytes > 700_000);
    await using store = stack.startStore({ limits: { trimMs: 100, flushMs: 50 } });
    await complete(stack, task);
    const texts = textsOf(await store.read(task));
    expect(texts.length).toBe(100_000);
    expect(texts.every((text, at) => text === `line ${at}`)).toBe(true);
  });

  it("a database that goes away and comes back costs no line", async () => {
    await using stack = await startLogStack();
    const task = newTaskId();
    const pod = await TestPod.create({ podsDir: stack.podsDir, task, node: node("worker-0") });
    let broken = true;
    const index = new Proxy(stack.index, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== "function") return member;
        return async (...args: unknown[]) => {
          if (broken) throw new Error("the database is away");
          return await Reflect.apply(member, target, args);
        };
      },
    });
    await using store = stack.startStore({ index, limits: { flushMs: 50 } });
    await using _agent = await stack.startAgent();
    await pod.write(numbered(0, 1_000));
    await waitFor(
      "batches in the stream",
      async () => (await stack.bus.jsm.streams.info("LOG")).state.messages > 0,
    );
    broken = false;
    await lines(store, task, 1_000);
    broken = true;
    await pod.write(numbered(1_000, 2_000));
    await pod.complete();
    await waitFor("bytes held", () => store.ingest.heldBytes > 0);
    broken = false;
    await complete(stack, task);
    expect(textsOf(await store.read(task))).toEqual(numbered(0, 2_000));
  });
});
