import { AiepError, type TaskId } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import {
  createFailpoints,
  createLease,
  createLogger,
  type Failpoints,
  type Lease,
  NO_FAILPOINTS,
} from "@aiep/service-kit";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createTask, markLaunching, requestStop } from "../domain/life-cycle.ts";
import { type Resources, taskResources } from "../domain/quota.ts";
import type { Task, TaskFacts } from "../domain/task.ts";
import { openTestStore, type StoreFixture } from "../testing/database.ts";
import { MemoryRuntime, unavailable, World } from "../testing/memory-runtime.ts";
import { factsOf, newTaskId, nodeStates, specOf, TASK_FILE } from "../testing/tasks.ts";
import { type Controller, createController } from "./controller.ts";
import { createTaskNotifier, type TaskNotifier } from "./notifier.ts";

const submission = { taskConfig: TASK_FILE, setEnvs: {}, warnings: [] };
const log = createLogger({ service: "task-svc", level: "silent" });
/** Every process may be active at once: the worst that can happen to a controller (C1). */
const anyone: Lease = {
  acquire: async () => {
    const lost = new AbortController().signal;
    return { epoch: 1, lost, release: async () => undefined, [Symbol.asyncDispose]: async () => undefined };
  },
};

let fixture: StoreFixture;
let notifier: TaskNotifier;

beforeAll(async () => {
  fixture = await openTestStore((change) => notifier?.changed(change));
});
afterAll(async () => await fixture?.[Symbol.asyncDispose]());

interface ProcessOptions {
  readonly world: World;
  readonly failpoints?: Failpoints;
  readonly lease?: Lease;
  readonly quota?: Resources;
  readonly resyncMs?: number;
}

/** One process with an active controller. */
async function startProcess(options: ProcessOptions) {
  const runtime = new MemoryRuntime(options.world);
  const own = createTaskNotifier();
  notifier = own;
  const controller = createController({
    store: fixture.store,
    runtime,
    notifier: own,
    lease: options.lease ?? anyone,
    quotaOf: () => options.quota ?? { cpu: 1000, memoryGb: 1000, gpu: 0 },
    onQuotaChange: () => () => undefined,
    failpoints: options.failpoints ?? NO_FAILPOINTS,
    log,
    resyncMs: options.resyncMs ?? 60_000,
  });
  controller.start();
  return {
    runtime,
    controller,
    [Symbol.asyncDispose]: async () => {
      await controller.stop();
      await runtime.close();
    },
  };
}

const active = async (controller: Controller) =>
  await waitFor("the controller is active", () => controller.active);

async function submit(overrides: Partial<TaskFacts> = {}): Promise<TaskId> {
  const change = createTask(factsOf({ createdAt: new Date(), ...overrides }), { envNames: [] });
  await fixture.store.insert(change, submission);
  return change.task.facts.id;
}

async function stop(id: TaskId, by = "bob"): Promise<Task> {
  for (;;) {
    const task = await taskOf(id);
    const change = requestStop(task, { by, graceSeconds: 1 }, new Date());
    if (change === null) return task;
    try {
      await fixture.store.save(change);
      return change.task;
    } catch (error) {
      if (!AiepError.is(error, "VERSION_CONFLICT")) throw error;
    }
  }
}

async function taskOf(id: TaskId): Promise<Task> {
  const task = await fixture.store.task(id);
  if (task === undefined) throw new Error(`no task ${id}`);
  return task;
}

const reaches = async (id: TaskId, state: Task["state"]) =>
  await waitFor(`task is ${state}`, async () => {
    const task = await taskOf(id);
    return task.state === state && task;
  });
const settled = async (id: TaskId) =>
  await waitFor("task is settled", async () => {
    for await (const task of fixture.store.unsettled()) if (task.facts.id === id) return false;
    return true;
  });
const versions = async (id: TaskId) =>
  (await fixture.store.history(id, 0, 1000)).map((entry) => entry.version);
const gapFree = (numbers: readonly number[]) => expect(numbers).toEqual(numbers.map((_, index) => index + 1));

describe("a task under the controller", () => {
  it("is launched, runs, succeeds, and its workload is removed", async () => {
    const world = new World();
    await using process = await startProcess({ world });
    const id = await submit();
    await reaches(id, "Running");
    world.end(id);
    const ended = await reaches(id, "Succeeded");
    expect(ended.nodes[0]).toMatchObject({ state: "Succeeded", exitCode: 0 });
    await settled(id);
    expect(world.removed).toEqual([id]);
    await waitFor("nothing is kept in memory", () => process.controller.liveTasks === 0);
    gapFree(await versions(id));
  });

  it("ends nodes that outlive the result before it removes the workload", async () => {
    const world = new World();
    await using _process = await startProcess({ world });
    const id = await submit({ spec: specOf("PS-Worker", 1, 1) });
    await reaches(id, "Running");
    world.set(id, "worker-0", "Succeeded", 0);
    await settled(id);
    expect(nodeStates(await taskOf(id))).toEqual({ "worker-0": "Succeeded", "ps-0": "Stopped" });
    expect(world.stopped).toContain(`${id}/1`);
    expect(world.has(id)).toBe(false);
  });

  it("fails with DeadlineExceeded when its run limit is over", async () => {
    const world = new World();
    await using _process = await startProcess({ world });
    const id = await submit({ spec: { ...specOf(), run_limit_seconds: 1 } });
    expect(await reaches(id, "Failed")).toMatchObject({ reason: "DeadlineExceeded" });
    await settled(id);
    expect(world.has(id)).toBe(false);
  });

  it("fails with the runtime's words when the runtime refuses it", async () => {
    const world = new World();
    await using process = await startProcess({ world });
    process.runtime.launchErrors.push(
      new AiepError("LAUNCH_REFUSED", "There is no unshare on this machine."),
    );
    const id = await submit();
    expect(await reaches(id, "Failed")).toMatchObject({
      reason: "LaunchFailed",
      message: "There is no unshare on this machine.",
    });
  });

  it("I11: is launched again and again while the runtime is away, and says so", async () => {
    const world = new World();
    await using process = await startProcess({ world });
    process.runtime.launchErrors.push(unavailable(), unavailable(), unavailable(), unavailable());
    const id = await submit();
    await reaches(id, "Running");
    const messages = (await fixture.store.history(id, 0, 100)).map((entry) => entry.data["message"]);
    expect(messages).toContain("The launch is tried again: The cluster does not answer.");
    expect(world.created).toEqual([id]);
  });

  it("I12: a task whose launch breaks every time holds back no other", async () => {
    const world = new World();
    await using process = await startProcess({ world });
    const poison = newTaskId();
    process.runtime.beforeLaunch = ({ taskId }) => {
      if (taskId === poison) throw new TypeError("unexpected");
    };
    await submit({ id: poison });
    const others = await Promise.all(Array.from({ length: 10 }, async () => await submit()));
    await Promise.all(others.map(async (id) => await reaches(id, "Running")));
    await stop(poison);
    await reaches(poison, "Stopped");
  });
});

describe("quota", () => {
  it("D15, I11: what does not fit waits, says so, and starts by itself in order", async () => {
    const world = new World();
    await using _process = await startProcess({ world, quota: { cpu: 2, memoryGb: 100, gpu: 0 } });
    const first = await submit({ spec: specOf("DDP", 2), createdAt: new Date(1000) });
    await reaches(first, "Running");
    const second = await submit({ createdAt: new Date(2000) });
    const third = await submit({ spec: specOf("DDP", 2), createdAt: new Date(3000) });
    const waiting = await waitFor("the second waits", async () => {
      const task = await taskOf(second);
      return task.reason === "WaitingForQuota" && task;
    });
    expect(waiting.message).toContain("Needs 1 CPU, 1 GB; free now in namespace ns-a: 0 CPU");
    world.end(first);
    await reaches(second, "Running");
    expect(await taskOf(third)).toMatchObject({ state: "Initializing", reason: "WaitingForQuota" });
    await stop(second);
    await reaches(third, "Running");
    expect(world.created).toEqual([first, second, third]);
    world.end(third);
    await settled(third);
  });

  it("a restart keeps what runs in the account and the order of who waits, and says nothing twice", async () => {
    const world = new World();
    const quota = { cpu: 1, memoryGb: 100, gpu: 0 };
    let ids: TaskId[] = [];
    {
      await using _process = await startProcess({ world, quota });
      ids = [
        await submit({ createdAt: new Date(1000) }),
        await submit({ createdAt: new Date(2000) }),
        await submit({ createdAt: new Date(3000) }),
      ];
      for (const id of ids.slice(1))
        await waitFor("it waits", async () => (await taskOf(id)).reason === "WaitingForQuota");
    }
    const before = await Promise.all(ids.map(versions));
    await using process = await startProcess({ world, quota });
    await active(process.controller);
    for (const id of ids) {
      await reaches(id, "Running");
      world.end(id);
    }
    await Promise.all(ids.map(settled));
    expect(world.created).toEqual(ids);
    const waits = (await fixture.store.history(ids[2] as TaskId, 0, 100)).filter(
      (entry) => entry.data["reason"] === "WaitingForQuota",
    );
    expect(before[2]?.length).toBe(2);
    expect(waits.length).toBe(2); // behind others, then first
  });
});

describe("what this process committed", () => {
  it("is taken over without being read again, and a foreseen wait is not said twice (Q4)", async () => {
    const world = new World();
    await using process = await startProcess({ world, quota: { cpu: 1, memoryGb: 100, gpu: 0 } });
    await active(process.controller);
    const reads = vi.spyOn(fixture.store, "task");
    const first = await submit({ createdAt: new Date(1000) });
    await waitFor("it runs", () => world.created.includes(first));
    const facts = factsOf({ createdAt: new Date(2000) });
    const asked = taskResources(facts.spec);
    const waiting = process.controller.foreseeWait({ namespace: facts.spec.namespace, asked });
    expect(waiting).toContain("free now in namespace ns-a: 0 CPU");
    const change = createTask(facts, { envNames: [], waiting });
    expect(change.task.reason).toBe("WaitingForQuota");
    await fixture.store.insert(change, submission);
    const behind = await submit({ createdAt: new Date(3000) });
    await waitFor("the one behind waits", async () => (await versions(behind)).length === 2);
    expect(await versions(facts.id)).toEqual([1]);
    expect(reads).not.toHaveBeenCalled();
    reads.mockRestore();
    for (const id of [first, facts.id, behind]) {
      await reaches(id, "Running");
      world.end(id);
    }
  });
});

describe("stop", () => {
  it("I9: while the launch is under way ends as Stopped, with nothing left", async () => {
    const world = new World();
    await using process = await startProcess({ world });
    const launching = Promise.withResolvers<void>();
    const proceed = Promise.withResolvers<void>();
    process.runtime.beforeLaunch = async () => {
      launching.resolve();
      await proceed.promise;
    };
    const id = await submit();
    await launching.promise;
    await stop(id);
    proceed.resolve();
    await reaches(id, "Stopped");
    await settled(id);
    expect(world.has(id)).toBe(false);
    gapFree(await versions(id));
  });

  it("before the launch ends as Stopped at once and launches nothing", async () => {
    const world = new World();
    const id = await submit();
    await stop(id);
    await using process = await startProcess({ world });
    await active(process.controller);
    expect((await taskOf(id)).state).toBe("Stopped");
    expect(world.created).not.toContain(id);
  });

  it("is idempotent: twice at once and after the end", async () => {
    const world = new World();
    await using _process = await startProcess({ world });
    const id = await submit();
    await reaches(id, "Running");
    await Promise.all([stop(id, "bob"), stop(id, "eve")]);
    const ended = await reaches(id, "Stopped");
    expect(await stop(id)).toMatchObject({ state: "Stopped", version: ended.version });
    const requests = (await fixture.store.history(id, 0, 100)).filter((each) =>
      each.type.includes("stop_requested"),
    );
    expect(requests).toHaveLength(1);
  });

  it("I9: wins over nodes that succeed while they are being stopped", async () => {
    const world = new World();
    world.stubborn = true;
    await using _process = await startProcess({ world });
    const id = await submit();
    await reaches(id, "Running");
    await stop(id);
    await waitFor("the runtime was asked", () => world.stopped.has(`${id}/1`));
    world.end(id, 0);
    expect(nodeStates(await reaches(id, "Stopped"))).toEqual({ "worker-0": "Succeeded" });
    await settled(id);
  });
});

/** Dies at a failpoint: whatever passes it never goes on. */
function dyingAt(point: string) {
  const reached = Promise.withResolvers<void>();
  const failpoints: Failpoints = {
    hit: (name) => {
      if (name !== point) return undefined;
      reached.resolve();
      return new Promise(() => {});
    },
    hits: () => 0,
  };
  return { failpoints, reached: reached.promise };
}

describe("a crash", () => {
  it.each([
    "launch.before",
    "launch.launched-not-saved",
    "stop.before",
    "stop.stopped-not-saved",
    "remove.removed-not-saved",
  ])("I3: at %s is harmless: the next process goes on, nothing runs twice", async (point) => {
    const world = new World();
    const death = dyingAt(point);
    const dead = await startProcess({ world, failpoints: death.failpoints });
    const id = await submit();
    if (point.startsWith("stop.")) {
      await reaches(id, "Running");
      await stop(id);
    } else if (point.startsWith("remove.")) {
      await reaches(id, "Running");
      world.end(id);
    }
    await death.reached;
    await dead.runtime.close();

    await using process = await startProcess({ world });
    await active(process.controller);
    if (point.startsWith("launch.")) {
      await reaches(id, "Running");
      world.end(id);
    }
    await settled(id);
    expect((await taskOf(id)).state).toBe(point.startsWith("stop.") ? "Stopped" : "Succeeded");
    expect(world.created).toEqual([id]);
    expect(world.workloads.size).toBe(0);
    gapFree(await versions(id));
  });

  it("I3, I4: at random lines, with restarts and two controllers at once, loses and doubles nothing", async () => {
    const world = new World();
    const points = [
      "launch.before",
      "launch.launched-not-saved",
      "stop.before",
      "stop.stopped-not-saved",
      "remove.removed-not-saved",
    ];
    const flaky = () => createFailpoints({ spec: points.map((point) => `${point}=error:0.3`).join(",") });
    const one = await startProcess({ world, failpoints: flaky() });
    const ids = await Promise.all(Array.from({ length: 20 }, async () => await submit()));
    const two = await startProcess({ world, failpoints: flaky() });
    await waitFor("half of them run", () => world.created.length >= 10);
    await one[Symbol.asyncDispose]();
    const stopped = ids.slice(0, 5);
    await Promise.all(stopped.map(async (id) => await stop(id)));
    await Promise.all(ids.slice(5).map(async (id) => await reaches(id, "Running")));
    for (const id of ids.slice(5)) world.end(id, id.startsWith("0") ? 1 : 0);
    await two[Symbol.asyncDispose]();
    await using process = await startProcess({ world });
    await active(process.controller);
    await Promise.all(ids.map(settled));
    for (const id of ids) {
      const expected = stopped.includes(id) ? "Stopped" : id.startsWith("0") ? "Failed" : "Succeeded";
      expect((await taskOf(id)).state).toBe(expected);
      gapFree(await versions(id));
    }
    expect(new Set(world.created).size).toBe(world.created.length);
    expect(world.workloads.size).toBe(0);
  });
});

describe("what is found at start", () => {
  it("R4: a result that came while no process lived is taken over", async () => {
    const world = new World();
    const first = await startProcess({ world });
    const id = await submit();
    await reaches(id, "Running");
    await first[Symbol.asyncDispose]();
    world.end(id, 3);
    await using _process = await startProcess({ world });
    expect(await reaches(id, "Failed")).toMatchObject({ reason: "NonZeroExit" });
  });

  it("a workload removed from outside fails its task", async () => {
    const world = new World();
    const first = await startProcess({ world });
    const id = await submit();
    await reaches(id, "Running");
    await first[Symbol.asyncDispose]();
    world.workloads.clear();
    await using _process = await startProcess({ world });
    expect(await reaches(id, "Failed")).toMatchObject({ reason: "RemovedFromOutside" });
  });

  it("a workload removed from outside while we watch is noticed at the next comparison", async () => {
    const world = new World();
    await using _process = await startProcess({ world, resyncMs: 50 });
    const id = await submit();
    await reaches(id, "Running");
    world.workloads.clear();
    expect(await reaches(id, "Failed")).toMatchObject({ reason: "RemovedFromOutside" });
  });

  it("I10: a workload no live task wants is removed, one of a live task stays", async () => {
    const world = new World();
    const orphan = newTaskId();
    world.create({ ...workloadOf(orphan), attempt: 1 });
    const first = await startProcess({ world });
    const id = await submit();
    await reaches(id, "Running");
    await waitFor("the orphan is gone", () => !world.has(orphan));
    expect(world.has(id)).toBe(true);
    world.end(id);
    await settled(id);
    await first[Symbol.asyncDispose]();
  });

  it("I3: a launch intent of a dead process is carried out once", async () => {
    const world = new World();
    const id = await submit();
    const change = markLaunching(await taskOf(id), new Date());
    if (change !== null) await fixture.store.save(change);
    await using _process = await startProcess({ world });
    await reaches(id, "Running");
    expect(world.created).toEqual([id]);
    world.end(id);
    await settled(id);
  });
});

const workloadOf = (taskId: TaskId) => ({
  taskId,
  groupId: factsOf().groupId,
  taskName: "t",
  createdBy: "alice",
  labels: {},
  spec: specOf(),
  traceparent: undefined,
});

describe("several processes", () => {
  it("one is active by the lease, the other takes over when it goes", async () => {
    const world = new World();
    const lease = () => createLease({ pool: fixture.pool, name: "controller", log, ttlMs: 1000 });
    const one = await startProcess({ world, lease: lease() });
    await active(one.controller);
    await using two = await startProcess({ world, lease: lease() });
    expect(two.controller.active).toBe(false);
    await one[Symbol.asyncDispose]();
    await active(two.controller);
    const id = await submit();
    await reaches(id, "Running");
    world.end(id);
    await settled(id);
  });
});
