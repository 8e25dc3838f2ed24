import { describe, expect, it } from "vitest";
import { factsOf, nodeStates, observed, specOf } from "../testing/tasks.ts";
import {
  applyObservation,
  applyTick,
  type Change,
  createTask,
  launchRefused,
  markDeleted,
  markLaunched,
  markLaunching,
  requestStop,
  waitForQuota,
  wakeAt,
} from "./life-cycle.ts";
import { dutyOf, mayLeave, type Task } from "./task.ts";

const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, seconds));

function must<T extends Task>(change: Change<T> | null): Change<T> {
  if (change === null) throw new Error("expected a change");
  return change;
}

function launchedTask(
  mode: "Standalone" | "DDP" | "PS-Worker" = "Standalone",
  workers = 1,
  servers = 0,
): Task {
  const { task } = createTask(factsOf({ spec: specOf(mode, workers, servers) }), { envNames: [] });
  return markLaunched(must(markLaunching(task, at(1))).task, at(1));
}

function runningTask(
  mode: "Standalone" | "DDP" | "PS-Worker" = "Standalone",
  workers = 1,
  servers = 0,
): Task {
  const task = launchedTask(mode, workers, servers);
  const all = Object.fromEntries(task.nodes.map((node) => [node.name, { state: "Running" as const }]));
  return must(applyObservation(task, observed(task, all), at(2))).task;
}

const succeeded = { state: "Succeeded" as const, exitCode: 0 };

describe("a task's life", () => {
  it("D11: goes Initializing, Running, Succeeded, one version an event", () => {
    const created = createTask(factsOf(), { envNames: ["A"] });
    const launching = must(markLaunching(created.task, at(1)));
    const running = must(
      applyObservation(launching.task, observed(launching.task, { "worker-0": { state: "Running" } }), at(2)),
    );
    const ended = must(
      applyObservation(running.task, observed(running.task, { "worker-0": succeeded }), at(3)),
    );
    expect(
      [created, launching, running, ended].flatMap(({ events }) =>
        events.map((each) => [each.name, each.version]),
      ),
    ).toEqual([
      ["created", 1],
      ["updated", 2],
      ["running", 3],
      ["succeeded", 4],
    ]);
    expect(ended.task).toMatchObject({ state: "Succeeded", reason: "Completed", finishedAt: at(3) });
  });

  it("what worker-0 left is told with succeeded alone, also when it was seen before the task was decided", () => {
    const outputs = { values: { rows: 3 }, directories: [] };
    const task = runningTask("DDP", 2);
    const seen = { ...observed(task, { "worker-0": succeeded, "worker-1": { state: "Running" } }), outputs };
    const lingering = must(applyObservation(task, seen, at(3)));
    expect(lingering.events.map(({ name, data }) => [name, "outputs" in data])).toEqual([["updated", false]]);
    const ended = must(applyTick(lingering.task, at(60)));
    expect(ended.events).toMatchObject([{ name: "succeeded", data: { outputs } }]);
    const failing = {
      ...observed(task, { "worker-0": succeeded, "worker-1": { state: "Failed", exitCode: 1 } }),
      outputs,
    };
    const failed = must(applyObservation(task, failing, at(3)));
    expect(failed.events[0]?.data).not.toHaveProperty("outputs");
  });

  it("a command that ends before it was ever seen running still passes through Running", () => {
    const task = launchedTask();
    const change = must(applyObservation(task, observed(task, { "worker-0": succeeded }), at(3)));
    expect(change.events.map((event) => event.name)).toEqual(["running", "succeeded"]);
  });

  it("D14: is Running only when all nodes run", () => {
    const task = launchedTask("DDP", 3);
    const some = must(
      applyObservation(
        task,
        observed(task, { "worker-0": { state: "Running" }, "worker-1": { state: "Running" } }),
        at(2),
      ),
    ).task;
    expect(some).toMatchObject({
      state: "Initializing",
      reason: "PreparingNodes",
      message: "2 of 3 nodes run; waiting for worker-2.",
    });
    const all = {
      "worker-0": { state: "Running" },
      "worker-1": succeeded,
      "worker-2": { state: "Running" },
    } as const;
    expect(must(applyObservation(some, observed(some, all), at(3))).task.state).toBe("Running");
  });

  it("I11: says what the runtime says it waits for", () => {
    const task = launchedTask();
    const waiting = { reason: "PullingImage", message: "Pulling python:3." } as const;
    expect(must(applyObservation(task, observed(task, {}, waiting), at(2))).task).toMatchObject(waiting);
  });

  it("an observation that tells nothing new changes nothing", () => {
    const task = runningTask("DDP", 2);
    const both = { "worker-0": { state: "Running" }, "worker-1": { state: "Running" } } as const;
    expect(applyObservation(task, observed(task, both), at(9))).toBeNull();
  });

  it("I4: an observation from before never takes a node back", () => {
    const task = runningTask();
    expect(applyObservation(task, observed(task, { "worker-0": { state: "Pending" } }), at(9))).toBeNull();
  });

  it("an observation of another attempt changes nothing", () => {
    const task = runningTask();
    const stray = observed(task, { "worker-0": succeeded });
    expect(applyObservation(task, { ...stray, ref: { ...stray.ref, attempt: 2 } }, at(9))).toBeNull();
  });
});

describe("failure", () => {
  it("a node's own sentence goes into the task's as one, without a full stop in the middle", () => {
    const task = runningTask("Standalone", 1);
    const refused = {
      state: "Failed",
      reason: "MountRefused",
      message: "/mnt may not be written by uid 7; ask its owner.",
    } as const;
    const { task: ended } = must(applyObservation(task, observed(task, { "worker-0": refused }), at(4)));
    expect(ended.message).toMatch(/^worker-0: \/mnt may not be written by uid 7; ask its owner; see its log/);
  });

  it("any failed node fails the task, read before success, and the sentence says where to look", () => {
    const task = runningTask("DDP", 3);
    const { task: ended } = must(
      applyObservation(
        task,
        observed(task, {
          "worker-0": succeeded,
          "worker-1": { state: "Failed", exitCode: 3 },
          "worker-2": { state: "Running" },
        }),
        at(4),
      ),
    );
    expect(ended).toMatchObject({
      state: "Failed",
      reason: "NonZeroExit",
      message: `worker-1 ended with exit code 3; see its log: aiepctl mltask logs ${task.facts.id} --node worker-1`,
    });
    expect(ended.nodes[2]).toMatchObject({
      state: "Stopped",
      message: "ended with the task",
      finishedAt: at(4),
    });
  });

  it("names the node that failed first", () => {
    const task = runningTask("DDP", 2);
    const late = { state: "Failed", exitCode: 1, finishedAt: at(3) } as const;
    const early = { state: "Failed", exitCode: 7, finishedAt: at(2) } as const;
    const { task: ended } = must(
      applyObservation(task, observed(task, { "worker-0": late, "worker-1": early }), at(4)),
    );
    expect(ended.message).toContain("worker-1 ended with exit code 7");
  });

  it.each([
    [{ exitCode: 139 }, "Signaled"],
    [{ exitCode: 137, reason: "OutOfMemory" as const }, "OutOfMemory"],
    [{ exitCode: null }, "NodeLost"],
    [{ exitCode: 1, reason: "MountRefused" as const, message: "/data is not a folder" }, "MountRefused"],
  ])("a node that failed with %o fails the task with %s", (sketch, reason) => {
    const task = launchedTask();
    const change = must(
      applyObservation(task, observed(task, { "worker-0": { state: "Failed", ...sketch } }), at(3)),
    );
    expect(change.task).toMatchObject({ state: "Failed", reason });
    expect(change.task.message).toContain("worker-0");
  });

  it("a workload that vanished after its launch was recorded fails the task; before, it is launched again", () => {
    const recorded = launchedTask();
    const ref = { taskId: recorded.facts.id, attempt: 1 };
    expect(must(applyObservation(recorded, { kind: "absent", ref }, at(5))).task).toMatchObject({
      state: "Failed",
      reason: "RemovedFromOutside",
    });
    const { task } = createTask(factsOf(), { envNames: [] });
    const intended = must(markLaunching(task, at(1))).task;
    const same = { taskId: task.facts.id, attempt: 1 };
    expect(applyObservation(intended, { kind: "absent", ref: same }, at(5))).toBeNull();
    expect(dutyOf(intended)).toBe("launch");
  });

  it("a node stopped by nobody here fails the task", () => {
    const task = runningTask();
    const change = must(applyObservation(task, observed(task, { "worker-0": { state: "Stopped" } }), at(3)));
    expect(change.task).toMatchObject({ state: "Failed", reason: "RemovedFromOutside" });
  });

  it("the run limit fails the task, counted from its launch", () => {
    const task = runningTask();
    expect(wakeAt(task)).toEqual(at(3601));
    expect(applyTick(task, at(3600))).toBeNull();
    expect(must(applyTick(task, at(3601))).task).toMatchObject({
      state: "Failed",
      reason: "DeadlineExceeded",
    });
  });

  it("a launch the runtime refuses fails the task with the runtime's words", () => {
    const { task } = createTask(factsOf(), { envNames: [] });
    const intended = must(markLaunching(task, at(1))).task;
    expect(must(launchRefused(intended, "No such image here.", at(2))).task).toMatchObject({
      state: "Failed",
      reason: "LaunchFailed",
      message: "No such image here.",
    });
  });
});

describe("success", () => {
  it("V3: a worker that the cluster ended after worker-0 succeeded is no failure", () => {
    const task = runningTask("DDP", 2);
    const both = { "worker-0": succeeded, "worker-1": { state: "Stopped" as const, exitCode: 143 } };
    expect(must(applyObservation(task, observed(task, both), at(3))).task.state).toBe("Succeeded");
    const alone = { "worker-0": { state: "Running" as const }, "worker-1": { state: "Stopped" as const } };
    expect(must(applyObservation(task, observed(task, alone), at(3))).task.state).toBe("Failed");
  });

  it("worker-0 decides; other workers get ten seconds to end by themselves", () => {
    const task = runningTask("DDP", 2);
    const lingering = must(
      applyObservation(
        task,
        observed(task, { "worker-0": succeeded, "worker-1": { state: "Running" } }),
        at(10),
      ),
    ).task;
    expect(lingering.state).toBe("Running");
    expect(wakeAt(lingering)).toEqual(at(20));
    expect(applyTick(lingering, at(19))).toBeNull();
    const ended = must(applyTick(lingering, at(20))).task;
    expect(ended.state).toBe("Succeeded");
    expect(nodeStates(ended)).toEqual({ "worker-0": "Succeeded", "worker-1": "Stopped" });
  });

  it("ends at once when the other workers have ended", () => {
    const task = runningTask("DDP", 2);
    const both = { "worker-0": succeeded, "worker-1": succeeded };
    expect(must(applyObservation(task, observed(task, both), at(10))).task.state).toBe("Succeeded");
  });

  it("parameter servers never keep a task alive: they are ended with it", () => {
    const task = runningTask("PS-Worker", 1, 2);
    const ended = must(
      applyObservation(
        task,
        observed(task, { "worker-0": succeeded, "ps-0": { state: "Running" }, "ps-1": { state: "Running" } }),
        at(5),
      ),
    ).task;
    expect(ended.state).toBe("Succeeded");
    expect(nodeStates(ended)).toEqual({ "worker-0": "Succeeded", "ps-0": "Stopped", "ps-1": "Stopped" });
  });
});

describe("stop", () => {
  it("I9: a task never launched is Stopped in the same change", () => {
    const { task } = createTask(factsOf(), { envNames: [] });
    const change = must(requestStop(task, { by: "bob" }, at(1)));
    expect(change.events.map((event) => event.name)).toEqual(["stop_requested", "stopped"]);
    expect(change.task).toMatchObject({
      state: "Stopped",
      message: "Stopped by bob before it was launched.",
    });
    expect(dutyOf(change.task)).toBe("none");
  });

  it("I9: wins over a success that arrives later", () => {
    const task = runningTask();
    const stopping = must(requestStop(task, { by: "bob", graceSeconds: 5 }, at(3))).task;
    expect(stopping).toMatchObject({ state: "Running", reason: "Stopping" });
    expect(dutyOf(stopping)).toBe("stop");
    const ended = must(applyObservation(stopping, observed(stopping, { "worker-0": succeeded }), at(4))).task;
    expect(ended.state).toBe("Stopped");
    expect(nodeStates(ended)).toEqual({ "worker-0": "Succeeded" });
  });

  it("waits for the last node, and a workload that is gone is stopped", () => {
    const task = runningTask("DDP", 2);
    const stopping = must(requestStop(task, { by: "bob" }, at(3))).task;
    const half = must(
      applyObservation(
        stopping,
        observed(stopping, { "worker-0": { state: "Stopped" }, "worker-1": { state: "Running" } }),
        at(4),
      ),
    ).task;
    expect(half).toMatchObject({ state: "Running", reason: "Stopping" });
    const ref = { taskId: task.facts.id, attempt: 1 };
    expect(must(applyObservation(half, { kind: "absent", ref }, at(5))).task.state).toBe("Stopped");
  });

  it("is idempotent: twice, and after the end", () => {
    const stopping = must(requestStop(runningTask(), { by: "bob" }, at(3))).task;
    expect(requestStop(stopping, { by: "eve" }, at(4))).toBeNull();
    const ended = must(applyObservation(stopping, observed(stopping, { "worker-0": succeeded }), at(4))).task;
    expect(requestStop(ended, { by: "eve" }, at(5))).toBeNull();
  });

  it("what a launch leaves counts from its launch until its end or a stop, and never another launch's", () => {
    const { task: fresh } = createTask(factsOf(), { envNames: [] });
    const running = runningTask();
    const ended = must(applyObservation(running, observed(running, { "worker-0": succeeded }), at(3))).task;
    const stopping = must(requestStop(running, { by: "bob" }, at(3))).task;
    const may = [fresh, launchedTask(), running, ended, stopping].map((task) => mayLeave(task, 1));
    expect(may).toEqual([false, true, true, false, false]);
    expect(mayLeave(running, 2)).toBe(false);
  });

  it("I3: a task that is being stopped is never launched", () => {
    const stopping = must(requestStop(launchedTask(), { by: "bob" }, at(3))).task;
    expect(markLaunching(stopping, at(4))).toBeNull();
    expect(waitForQuota(stopping, "later", at(4))).toBeNull();
  });
});

describe("waiting and deleting", () => {
  it("D15: waiting for quota is said once", () => {
    const { task } = createTask(factsOf(), { envNames: [] });
    const waiting = must(waitForQuota(task, "Needs 4 CPU; free now: 2 CPU.", at(1))).task;
    expect(waiting).toMatchObject({ state: "Initializing", reason: "WaitingForQuota" });
    expect(waitForQuota(waiting, "Needs 4 CPU; free now: 2 CPU.", at(2))).toBeNull();
  });

  it("D16: only an ended task can be deleted, once", () => {
    const task = runningTask();
    expect(() => markDeleted(task, "alice", at(3))).toThrow(
      expect.objectContaining({ code: "TASK_NOT_TERMINAL" }),
    );
    const ended = must(applyObservation(task, observed(task, { "worker-0": succeeded }), at(4))).task;
    const deleted = must(markDeleted(ended, "alice", at(5)));
    expect(deleted.events[0]).toMatchObject({ name: "deleted", version: ended.version + 1, by: "alice" });
    expect(markDeleted(deleted.task, "alice", at(6))).toBeNull();
  });
});
