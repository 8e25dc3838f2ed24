import { type TaskId, taskRunning } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { newOutboxRecord, publishMessage } from "@aiep/service-kit";
import { describe, expect, it } from "vitest";
import { TaskStore } from "./store/task-facts.ts";
import { GROUP, newTaskId, node, TestPod, textsOf } from "./testing/log-stack.ts";
import { startPrograms } from "./testing/programs.ts";

const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, at) => `line ${from + at}`);

describe("log-svc and log-agent as programs", () => {
  it("run with least-privilege accounts, project tasks, keep every line over kill -9, and stop cleanly", async () => {
    await using house = await startPrograms();
    const task = newTaskId();
    const pod = await TestPod.create({ podsDir: house.podsDir, task, node: node("worker-0") });
    {
      await using store = await house.program("log-svc");
      await using agent = await house.program("log-agent");
      await Promise.all([store.ready(), agent.ready()]);
      await pod.write(numbered(0, 20_000));
      await waitFor(
        "first lines stored",
        async () => ((await house.index.sourcesOf(task))[0]?.nextPosition ?? 0) > 0,
      );
      await pod.write(numbered(20_000, 40_000));
      await Promise.all([store.end("SIGKILL"), agent.end("SIGKILL")]);
    }
    await pod.write(numbered(40_000, 50_000));
    await pod.complete();
    await using store = await house.program("log-svc");
    await using agent = await house.program("log-agent");
    await Promise.all([store.ready(), agent.ready()]);

    await using tasks = await house.connect("task-svc");
    await publishMessage(tasks, runningEvent(task));
    const found = await waitFor("task projected", () => new TaskStore(house.pool).find(task));
    expect(found).toMatchObject({ taskId: task, groupId: GROUP, state: "Running" });

    await waitFor("log complete", async () => (await house.index.sourcesOf(task))[0]?.complete === true, {
      timeoutMs: 60_000,
    });
    const texts = textsOf(await house.read(task));
    expect(texts.length).toBe(50_000);
    expect(texts.every((text, at) => text === `line ${at}`)).toBe(true);
    await waitFor(
      "stream trimmed",
      async () => (await house.topology.jsm.streams.info("LOG")).state.messages === 0,
    );
    expect(await Promise.all([store.end("SIGTERM"), agent.end("SIGTERM")])).toEqual([0, 0]);
  });

  it("a store killed between its steps keeps the log exact", async () => {
    await using house = await startPrograms();
    const task = newTaskId();
    const pod = await TestPod.create({ podsDir: house.podsDir, task, node: node("worker-0") });
    await using agent = await house.program("log-agent");
    await agent.ready();
    for (const [round, point] of ["log.chunk-written-not-indexed", "log.indexed-not-acked"].entries()) {
      await using store = await house.program("log-svc", { AIEP_FAILPOINTS: `${point}=kill` });
      await store.ready();
      await pod.write(numbered(round * 1_000, (round + 1) * 1_000));
      expect(await waitFor("killed at the failpoint", () => store.signal)).toBe("SIGKILL");
    }
    await pod.complete();
    await using _store = await house.program("log-svc");
    await waitFor("log complete", async () => (await house.index.sourcesOf(task))[0]?.complete === true, {
      timeoutMs: 60_000,
    });
    expect(textsOf(await house.read(task))).toEqual(numbered(0, 2_000));
  });
});

function runningEvent(task: TaskId) {
  const record = newOutboxRecord({
    definition: taskRunning,
    env: "test",
    source: "/aiep/task-svc",
    groupId: GROUP,
    aggregateType: "task",
    aggregateId: task,
    aggregateVersion: 1,
    now: new Date(),
    data: {
      task_id: task,
      group_id: GROUP,
      name: "a task",
      state: "Running",
      reason: "AllNodesRunning",
      message: "",
      attempt: 1,
      nodes: [],
      started_at: null,
      finished_at: null,
    },
  });
  return { ...record, id: record.eventId };
}
