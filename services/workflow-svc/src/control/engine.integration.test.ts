import { setImmediate as soon } from "node:timers/promises";
import { type RunStatusData, stopTask, submitTask, taskId, taskIdOfCommand } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import type { Failpoints } from "@aiep/service-kit";
import { describe, expect, test } from "vitest";
import { failed, succeeded } from "../components/define.ts";
import { registryOf } from "../components/registry.ts";
import { effectiveEdges } from "../domain/definition/index.ts";
import { buildRunGraph, nodeView, runColumns } from "../domain/engine/index.ts";
import { replay } from "../domain/engine/replay.ts";
import { records } from "../domain/engine/run.ts";
import { SHARDS } from "../domain/shard.ts";
import type { NewRun, TaskNotice } from "../store/run-store.ts";
import { type EngineStage, openEngineStage, PLAIN_KINDS } from "../testing/engine-stage.ts";
import { HeldWork, polledKind, workKind } from "../testing/kinds.ts";
import { chainOf, definitionOf, fanOutOf, newExperimentId, newRunOf } from "../testing/runs.ts";
import { traitsOf } from "./engine-env.ts";
import type { ChildRuns } from "./executors/child-run.ts";
import { submitCommandId } from "./executors/task.ts";

const within = { timeoutMs: 20_000 };
const stateOf = async (stage: EngineStage, run: NewRun, key: string) =>
  (await stage.store.store.node(run.facts.id, key))?.view.state;
const inState = async (stage: EngineStage, run: NewRun, key: string, state: string) =>
  await waitFor(`${key} in ${state}`, async () => (await stateOf(stage, run, key)) === state, within);
const runIn = async (stage: EngineStage, run: NewRun, state: string) =>
  await waitFor(
    `a run in ${state}`,
    async () => (await stage.store.store.get(run.facts.id))?.status.state === state,
    within,
  );

describe("a run of in-process nodes", () => {
  test("goes through a chain, every transition in an event of its own commit", async () => {
    await using stage = await openEngineStage();
    const id = await stage.run(newRunOf(chainOf(20)));
    const run = await stage.ended(id);
    expect(run.status.state).toBe("Succeeded");
    expect(run.nodesByState).toEqual({ Succeeded: 20 });
    expect(Object.keys(await stage.nodes(id))).toHaveLength(20);
    const history = await stage.store.store.history(id, 0, 1000);
    expect(history.map(({ version }) => version)).toEqual(history.map((_, index) => index + 1));
    expect(run.status.version).toBe(history.length);
    expect(history.length).toBeGreaterThanOrEqual(21);
  });

  test("fans out and in", async () => {
    await using stage = await openEngineStage();
    const run = await stage.ended(await stage.run(newRunOf(fanOutOf(200))));
    expect(run.status.state).toBe("Succeeded");
    expect(run.nodesByState).toEqual({ Succeeded: 202 });
  });

  test("that has no node ends at once", async () => {
    await using stage = await openEngineStage();
    const run = await stage.ended(await stage.run(newRunOf(definitionOf([]))));
    expect(run.status.state).toBe("Succeeded");
  });

  test("is rebuilt by its events alone, as its rows say (I5)", async () => {
    const registry = registryOf([
      ...PLAIN_KINDS,
      workKind(({ node }) => (node.attempt === 1 ? failed("user", "No", "no") : succeeded({ x: 1 }))),
    ]);
    await using stage = await openEngineStage({ registry });
    const definition = definitionOf(
      [
        "a",
        { id: "b", kind: "work", retries: { max: 1, backoff_seconds: 0.01 } },
        { id: "c", for_each: { items: [1, 2, 3] } },
        { id: "d", condition: "nodes.b.outputs.x == 2" },
      ],
      ["a b", "b c", "c d"],
    );
    const run = newRunOf(definition);
    const ended = await stage.ended(await stage.run(run));
    expect(ended.nodesByState).toEqual({ Succeeded: 6, Skipped: 1 });
    const history = await stage.store.store.history(run.facts.id, 0, 1000);
    const built = buildRunGraph({
      definition,
      edges: effectiveEdges(definition, registry.catalog),
      traits: traitsOf(registry),
      mode: "all",
      selected: [],
      base: null,
    });
    if (!built.ok) throw new Error(built.problem.detail);
    const rebuilt = replay(
      built.graph,
      history.map(({ data }) => data as unknown as RunStatusData), // what the events' schema says
    );
    expect(runColumns(rebuilt.phase).state).toBe("Succeeded");
    const views = Object.fromEntries([...records(rebuilt)].map((record) => [record.key, nodeView(record)]));
    expect(views).toEqual(await stage.nodes(run.facts.id));
    expect(await stage.store.store.attempts(run.facts.id, "b")).toMatchObject([
      { attempt: 1, view: { state: "UpForRetry", failure: "user", reason: "No" } },
    ]);
  });

  test("is cancelled in the middle: what works is aborted, the stop wins over what it answers (I9)", async () => {
    const work = new HeldWork();
    await using stage = await openEngineStage({
      registry: registryOf([...PLAIN_KINDS, workKind(work.execute)]),
    });
    const run = newRunOf(definitionOf([{ id: "a", kind: "work" }, "b"], ["a b"]));
    await stage.run(run);
    await inState(stage, run, "a", "Running");
    await stage.engine.control.cancel(run.facts.id, { by: "alice", reason: "enough" });
    await stage.engine.control.cancel(run.facts.id, { by: "alice" });
    const ended = await stage.ended(run.facts.id);
    expect(ended.status).toMatchObject({ state: "Cancelled", message: "enough" });
    expect(ended.nodesByState).toEqual({ Cancelled: 2 });
    await waitFor(
      "answered requests",
      async () => (await stage.store.pool.query("SELECT id FROM run_requests")).length === 0,
      within,
    );
  });

  test("pauses and resumes", async () => {
    const work = new HeldWork();
    await using stage = await openEngineStage({
      registry: registryOf([...PLAIN_KINDS, workKind(work.execute)]),
    });
    const run = newRunOf(definitionOf([{ id: "a", kind: "work" }, "b"], ["a b"]));
    await stage.run(run);
    await inState(stage, run, "a", "Running");
    await stage.engine.control.pause(run.facts.id, "alice");
    await runIn(stage, run, "Pausing");
    work.release();
    await runIn(stage, run, "Paused");
    expect(await stateOf(stage, run, "b")).not.toBe("Succeeded");
    await stage.engine.control.resume(run.facts.id, "alice");
    expect((await stage.ended(run.facts.id)).status.state).toBe("Succeeded");
  });

  test("waits for people, whose decision becomes outputs; who may decide stands in the node's row", async () => {
    await using stage = await openEngineStage();
    const manifest = { message: "Go on?", allowed_users: ["bob"] };
    const run = newRunOf(definitionOf([{ id: "ask", kind: "approval", manifest }, "b"], ["ask b"]));
    await stage.run(run);
    await inState(stage, run, "ask", "Suspended");
    expect((await stage.store.store.node(run.facts.id, "ask"))?.executor).toMatchObject({
      allowed_users: ["bob"],
    });
    const decision = { by: "bob", node: "ask", approved: true, values: { day: 1 } };
    await stage.engine.control.decide(run.facts.id, { ...decision, attempt: 7 }); // of an attempt that never was
    await stage.engine.control.decide(run.facts.id, { ...decision, attempt: 1, comment: "fine" });
    expect((await stage.ended(run.facts.id)).status.state).toBe("Succeeded");
    expect((await stage.nodes(run.facts.id))["ask"]).toMatchObject({
      state: "Succeeded",
      outputs: { day: 1 },
      message: "Approved by bob: fine",
    });
  });
});

describe("a polled node", () => {
  test("is started once and asked on by whoever owns the run later, by the handle in its row", async () => {
    let started = 0;
    let answer = false;
    const asked: string[] = [];
    const waiting = (id: string, count: number) => ({
      kind: "waiting" as const,
      handle: { id, asked: count },
      checkAfterSeconds: 0.05,
      message: "waits",
    });
    const registry = registryOf([
      ...PLAIN_KINDS,
      polledKind({
        start: async () => await Promise.resolve(waiting(`job-${++started}`, 0)),
        status: async (handle) => {
          asked.push(handle.id);
          return await Promise.resolve(answer ? succeeded({ rows: 1 }) : waiting(handle.id, handle.asked));
        },
      }),
    ]);
    await using stage = await openEngineStage({ registry });
    const run = newRunOf(definitionOf([{ id: "a", kind: "polled" }]));
    await stage.run(run);
    await inState(stage, run, "a", "Running");
    await stage.engine.stop();
    const next = stage.replica();
    const before = asked.length;
    await waitFor("questions by the next owner", () => asked.length > before, within);
    answer = true;
    expect((await stage.ended(run.facts.id)).status.state).toBe("Succeeded");
    expect([started, new Set(asked)]).toEqual([1, new Set(["job-1"])]);
    expect(next.shards).toBe(SHARDS);
  });

  test("is told of its end when the run is cancelled", async () => {
    const cancelled: string[] = [];
    const waiting = {
      kind: "waiting" as const,
      handle: { id: "j", asked: 0 },
      checkAfterSeconds: 60,
      message: "m",
    };
    const registry = registryOf([
      ...PLAIN_KINDS,
      polledKind({
        start: async () => await Promise.resolve(waiting),
        status: async () => await Promise.resolve(waiting),
        cancel: async ({ id }) => await Promise.resolve(void cancelled.push(id)),
      }),
    ]);
    await using stage = await openEngineStage({ registry });
    const run = newRunOf(definitionOf([{ id: "a", kind: "polled" }]));
    await stage.run(run);
    await inState(stage, run, "a", "Running");
    await stage.engine.control.cancel(run.facts.id, { by: "alice" });
    expect((await stage.ended(run.facts.id)).status.state).toBe("Cancelled");
    expect(cancelled).toEqual(["j"]);
  });
});

describe("a container task", () => {
  const training = {
    image_info: { name: "python3" },
    compute_resource_info: { namespace: "ns", node_info: { worker: { cpu_num: 1, memory: 1 } } },
    code_info: { command: "true" },
  };
  const taskRun = () =>
    newRunOf(definitionOf([{ id: "a", kind: "general-training", manifest: training }, "b"], ["a b"]));
  const commandsOf = async (stage: EngineStage) =>
    (
      await stage.store.pool.query<{
        event_id: string;
        type: string;
        payload: string;
        aggregate_version: number;
      }>("SELECT event_id, type, payload, aggregate_version FROM outbox WHERE stream = 'CMD' ORDER BY id")
    ).map(({ payload, ...row }) => ({ ...row, data: JSON.parse(payload) as Record<string, unknown> }));
  const status = (
    run: NewRun,
    version: number,
    state: "Initializing" | "Running" | "Succeeded" | "Stopped",
  ) =>
    ({
      what: "status",
      taskId: taskIdOfCommand(submitCommandId(run.facts.id, "a", 1)),
      version,
      state,
      reason: "Word",
      message: "A sentence.",
      outputs: state === "Succeeded" ? { loss: 0.1 } : {},
    }) satisfies TaskNotice;

  test("is asked for by a command in the commit that queues the node, and followed by its events in any order", async () => {
    await using stage = await openEngineStage();
    const run = taskRun();
    await stage.run(run);
    await inState(stage, run, "a", "Queued");
    const [command] = await commandsOf(stage);
    expect(command).toMatchObject({
      event_id: submitCommandId(run.facts.id, "a", 1),
      type: submitTask.type,
      data: {
        requested_by: "alice",
        task_config: { metadata: { experiment_run_id: run.facts.id, experiment_version_name: "v1" } },
      },
    });
    const { id } = run.facts;
    await stage.engine.notice(id, status(run, 3, "Running"));
    await stage.engine.notice(id, status(run, 2, "Initializing")); // late: tells nothing new
    await stage.engine.notice(id, { ...status(run, 9, "Succeeded"), taskId: taskId.parse("0".repeat(32)) }); // nobody's
    expect(await stateOf(stage, run, "a")).toBe("Running");
    await stage.engine.notice(id, status(run, 4, "Succeeded"));
    await stage.engine.notice(id, status(run, 4, "Succeeded"));
    const ended = await stage.ended(id);
    expect(ended.status.state).toBe("Succeeded");
    expect((await stage.nodes(id))["a"]).toMatchObject({
      outputs: { loss: 0.1 },
      task_id: status(run, 1, "Running").taskId,
    });
    expect(await commandsOf(stage)).toHaveLength(1);
    await stage.engine.notice(id, status(run, 5, "Succeeded")); // of a run that ended
  });

  test("whose submit is refused fails its node with the reason", async () => {
    await using stage = await openEngineStage();
    const run = taskRun();
    await stage.run(run);
    await inState(stage, run, "a", "Queued");
    const refused = { what: "refused", commandId: submitCommandId(run.facts.id, "a", 1) } as const;
    await stage.engine.notice(run.facts.id, {
      ...refused,
      code: "NOT_A_MEMBER",
      detail: "alice is no member.",
    });
    expect((await stage.ended(run.facts.id)).status.state).toBe("Failed");
    expect((await stage.nodes(run.facts.id))["a"]).toMatchObject({
      failure: "validation",
      reason: "NOT_A_MEMBER",
    });
  });

  test("A4: whose answer is here before the word that its commit is through is heard all the same", async () => {
    const through = Promise.withResolvers<void>();
    const failpoints: Failpoints = {
      hit: (name) => (name === "run.committed" ? through.promise : undefined),
      hits: () => 0,
    };
    await using stage = await openEngineStage({ failpoints });
    const run = taskRun();
    await stage.run(run);
    await inState(stage, run, "a", "Queued");
    const told = stage.engine.notice(run.facts.id, {
      what: "refused",
      commandId: submitCommandId(run.facts.id, "a", 1),
      code: "NOT_A_MEMBER",
      detail: "alice is no member.",
    });
    await soon(); // it is with the run now
    through.resolve();
    await told;
    expect((await stage.ended(run.facts.id)).status.state).toBe("Failed");
  });

  test("is stopped by a command behind its submit, again when the stop came first, until it ended", async () => {
    await using stage = await openEngineStage();
    const run = taskRun();
    const { id } = run.facts;
    await stage.run(run);
    await inState(stage, run, "a", "Queued");
    await stage.engine.control.cancel(id, { by: "alice" });
    await runIn(stage, run, "Cancelling");
    const stops = async () => (await commandsOf(stage)).filter(({ type }) => type === stopTask.type);
    const [stop] = await stops();
    expect(stop).toMatchObject({ aggregate_version: 2, data: { task_id: status(run, 1, "Running").taskId } });
    const refused = { what: "refused", code: "TASK_NOT_FOUND", detail: "no such task" } as const;
    await stage.engine.notice(id, { ...refused, commandId: stop?.event_id ?? "" });
    await waitFor("a second stop", async () => (await stops()).length === 2, within);
    await stage.engine.notice(id, status(run, 1, "Initializing"));
    await stage.engine.notice(id, status(run, 3, "Stopped"));
    expect((await stage.ended(id)).status.state).toBe("Cancelled");
    expect((await stops()).map(({ aggregate_version: version }) => version)).toEqual([2, 3]);
  });
});

describe("several runs", () => {
  const limited = (policy: "queue" | "skip" | "cancel_old") =>
    definitionOf([{ id: "a", kind: "work" }], [], {
      options: { max_active_runs: 1, max_active_policy: policy },
    });

  test("of one experiment wait for each other in the order of their creation", async () => {
    const work = new HeldWork();
    await using stage = await openEngineStage({
      registry: registryOf([...PLAIN_KINDS, workKind(work.execute)]),
    });
    const experimentId = newExperimentId();
    const runs = [1, 2, 3].map(() => newRunOf(limited("queue"), { experimentId }));
    const [first, second, third] = runs;
    if (first === undefined || second === undefined || third === undefined) throw new Error("three runs");
    for (const run of runs) await stage.run(run);
    await runIn(stage, first, "Running");
    await runIn(stage, second, "Queued");
    await runIn(stage, third, "Queued");
    expect(work.begun).toHaveLength(1);
    work.release();
    for (const run of runs) expect((await stage.ended(run.facts.id)).status.state).toBe("Succeeded");
    const started = await Promise.all(
      runs.map(async (run) => (await stage.store.store.get(run.facts.id))?.status),
    );
    expect(Number(started[1]?.startedAt)).toBeGreaterThanOrEqual(Number(started[0]?.finishedAt));
    expect(Number(started[2]?.startedAt)).toBeGreaterThanOrEqual(Number(started[1]?.finishedAt));
  });

  test("of one experiment are skipped, or take the older one's place, as the workflow says", async () => {
    const work = new HeldWork();
    await using stage = await openEngineStage({
      registry: registryOf([...PLAIN_KINDS, workKind(work.execute)]),
    });
    for (const [policy, states] of [
      ["skip", ["Running", "Cancelled"]],
      ["cancel_old", ["Cancelled", "Running"]],
    ] as const) {
      const experimentId = newExperimentId();
      const runs = [1, 2].map(() => newRunOf(limited(policy), { experimentId }));
      for (const [index, run] of runs.entries()) {
        await stage.run(run);
        if (index === 0) await inState(stage, run, "a", "Running");
      }
      for (const [index, run] of runs.entries()) await runIn(stage, run, states[index] ?? "");
    }
    work.release();
  });

  test("share a pool: slots are taken all or none and given on when a node ends", async () => {
    const work = new HeldWork();
    const registry = registryOf([...PLAIN_KINDS, workKind(work.execute)]);
    await using stage = await openEngineStage({ registry, pools: { gpu: 3 } });
    const asking = (slots: number) => definitionOf([{ id: "a", kind: "work", pool: { name: "gpu", slots } }]);
    const [two, alsoTwo] = [newRunOf(asking(2)), newRunOf(asking(2))];
    await stage.run(two);
    await inState(stage, two, "a", "Running");
    await stage.run(alsoTwo);
    await inState(stage, alsoTwo, "a", "Ready");
    expect(work.begun).toHaveLength(1);
    work.release();
    for (const run of [two, alsoTwo])
      expect((await stage.ended(run.facts.id)).status.state).toBe("Succeeded");
    expect(await stage.store.pool.query("SELECT id FROM pool_wishes")).toEqual([]);
  });

  test("use each other's results of a node that may be cached", async () => {
    let executed = 0;
    const registry = registryOf([...PLAIN_KINDS, workKind(() => succeeded({ n: ++executed }))]);
    await using stage = await openEngineStage({ registry });
    const definition = definitionOf([{ id: "a", kind: "work", cache: { ttl_seconds: 60 } }]);
    const first = await stage.run(newRunOf(definition));
    await stage.ended(first);
    const second = await stage.run(newRunOf(definition));
    await stage.ended(second);
    expect(executed).toBe(1);
    expect((await stage.nodes(second))["a"]).toMatchObject({
      state: "Cached",
      outputs: { n: 1 },
      from_run_id: first,
    });
  });
});

describe("a cache key of the author's own", () => {
  test("is filled in per run: the same business date is used again, another one is not", async () => {
    let executed = 0;
    const registry = registryOf([...PLAIN_KINDS, workKind(() => succeeded({ n: ++executed }))]);
    await using stage = await openEngineStage({ registry });
    const definition = definitionOf([
      { id: "a", kind: "work", cache: { ttl_seconds: 60, key: "features of ${run_date}" } },
    ]);
    const stateOn = async (runDate: string) => {
      const run = newRunOf(definition);
      await stage.ended(await stage.run({ ...run, facts: { ...run.facts, runDate } }));
      return (await stage.nodes(run.facts.id))["a"]?.state;
    };
    expect(await stateOn("20260301")).toBe("Succeeded");
    expect(await stateOn("20260302")).toBe("Succeeded");
    expect(await stateOn("20260301")).toBe("Cached");
    expect(executed).toBe(2);
  });
});

describe("a node that starts another workflow", () => {
  const manifest = { experiment_id: "e".repeat(32), version_name: "v1", parameters: {} };
  const parentRun = () => newRunOf(definitionOf([{ id: "s", kind: "sub-workflow", manifest }, "b"], ["s b"]));
  /** Makes children of this definition, as operations would. */
  const childrenOf = (
    stage: () => EngineStage,
    made: NewRun[],
    definition: NewRun["definition"],
  ): ChildRuns => ({
    start: async ({ id, parent, key }) => {
      const origin = { kind: "sub_workflow", parent_run_id: parent.id, parent_node: key } as const;
      const run = newRunOf(definition, { id, origin, depth: parent.depth + 1 });
      made.push(run);
      await stage().run(run);
    },
    exists: async (id) => (await stage().store.store.get(id)) !== undefined,
  });

  test("gets its declared outputs, and what failed there fails here", async () => {
    const made: NewRun[] = [];
    const good = definitionOf([{ id: "c", manifest: { outputs: { y: 7 } } }], [], {
      outputs: [{ name: "z", value: "nodes.c.outputs.y" }],
    });
    const children = childrenOf(() => stage, made, good);
    await using stage = await openEngineStage({ children });
    const parent = parentRun();
    expect((await stage.ended(await stage.run(parent))).status.state).toBe("Succeeded");
    expect((await stage.nodes(parent.facts.id))["s"]).toMatchObject({
      outputs: { z: 7 },
      child_run_id: made[0]?.facts.id,
    });
    expect(made).toHaveLength(1);
  });

  test("is cancelled with its child", async () => {
    const made: NewRun[] = [];
    const work = new HeldWork();
    const children = childrenOf(() => stage, made, definitionOf([{ id: "c", kind: "work" }]));
    await using stage = await openEngineStage({
      children,
      registry: registryOf([...PLAIN_KINDS, workKind(work.execute)]),
    });
    const parent = parentRun();
    await stage.run(parent);
    await waitFor("work of the child", () => work.begun.length === 1, within);
    await stage.engine.control.cancel(parent.facts.id, { by: "alice" });
    expect((await stage.ended(parent.facts.id)).status.state).toBe("Cancelled");
    const [child] = made;
    expect(child && (await stage.ended(child.facts.id)).status.state).toBe("Cancelled");
  });
});

describe("several replicas", () => {
  test("share the shards, and hand them over with what is under way", async () => {
    const work = new HeldWork();
    const registry = registryOf([...PLAIN_KINDS, workKind(work.execute)]);
    await using stage = await openEngineStage({ registry, leaseMs: 1_000 });
    const second = stage.replica();
    await waitFor(
      "equal shares",
      () => stage.engine.shards === SHARDS / 2 && second.shards === SHARDS / 2,
      within,
    );
    const runs = Array.from({ length: 12 }, () => newRunOf(chainOf(5)));
    for (const run of runs) await stage.run(run);
    for (const run of runs) expect((await stage.ended(run.facts.id)).status.state).toBe("Succeeded");
    await second.stop();
    await waitFor("all shards at the one that is left", () => stage.engine.shards === SHARDS, within);
    expect((await stage.ended(await stage.run(newRunOf(chainOf(3))))).status.state).toBe("Succeeded");
  });
});
