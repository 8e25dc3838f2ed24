/**
 * Whole tasks on a runtime: the controller, a real database, and real nodes. The same states, reasons, logs and clean-up
 * wherever tasks run (D11, D14), in every mode and for every way a task ends.
 */
import { nodeName, type TaskMode, type TaskReason, type TaskState } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { createLease, createLogger, NO_FAILPOINTS } from "@aiep/service-kit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createController } from "../../control/controller.ts";
import { createTaskNotifier, type TaskNotifier } from "../../control/notifier.ts";
import { createTask, requestStop } from "../../domain/life-cycle.ts";
import type { Runtime, Workload } from "../../domain/runtime.ts";
import { isEnded, type Task } from "../../domain/task.ts";
import { openTestStore, type StoreFixture } from "../../testing/database.ts";
import { factsOf, TASK_FILE } from "../../testing/tasks.ts";
import {
  dataMount,
  MASTER_LAST,
  type Stage,
  type StageFactory,
  untilLog,
  userText,
  type Wanted,
  workload,
} from "./stage.ts";

const PATIENCE = { timeoutMs: 90_000, intervalMs: 50 };
const FOR_EVER = "while :; do sleep 0.05; done";
const HUNGRY = "exec python3 -c 'x = bytearray(300_000_000)'";
const submission = { taskConfig: TASK_FILE, setEnvs: {}, warnings: [] };

interface Mode {
  readonly mode: TaskMode;
  readonly wanted: Wanted;
  /** The node that the case is about, and the test by which a script finds that it is it. */
  readonly node: string;
  readonly isNode: string;
  /** What makes a success of a script that has come to its end. */
  readonly end: string;
  /** What comes before: nodes that serve the others for ever. */
  readonly before: string;
}

const STANDALONE: Mode = {
  mode: "Standalone",
  wanted: {},
  node: "worker-0",
  isNode: "true",
  before: "",
  end: "",
};
const MODES: readonly Mode[] = [
  STANDALONE,
  {
    mode: "DDP",
    wanted: { mode: "DDP", workers: 2 },
    node: "worker-1",
    isNode: '[ "$RANK" = 1 ]',
    before: "",
    end: MASTER_LAST,
  },
  {
    mode: "PS-Worker",
    wanted: { mode: "PS-Worker", workers: 2, ps: 1 },
    node: "worker-1",
    isNode: '[ "$AIEP_NODE" = worker-1 ]',
    before: `case $AIEP_NODE in ps-*) ${FOR_EVER} ;; esac`,
    end: "",
  },
];

interface Ending {
  readonly name: string;
  readonly script: (mode: Mode) => string;
  readonly limitSeconds?: number;
  readonly memoryGb?: number;
  readonly stops?: boolean;
  readonly state: TaskState;
  readonly reason: TaskReason;
  /** The message names the node. */
  readonly names?: boolean;
}

const STOP: Ending = {
  name: "stop",
  script: () => `echo done\n${FOR_EVER}`,
  stops: true,
  state: "Stopped",
  reason: "StoppedByUser",
};
const ENDINGS: readonly Ending[] = [
  { name: "success", script: ({ end }) => `echo done\n${end}`, state: "Succeeded", reason: "Completed" },
  {
    name: "failure",
    script: ({ isNode }) => `echo done\n${isNode} && exit 3\n${FOR_EVER}`,
    state: "Failed",
    reason: "NonZeroExit",
    names: true,
  },
  STOP,
  {
    name: "deadline",
    script: () => `echo done\n${FOR_EVER}`,
    limitSeconds: 6,
    state: "Failed",
    reason: "DeadlineExceeded",
  },
  {
    name: "out of memory",
    script: ({ isNode }) => `echo done\n${isNode} && ${HUNGRY}\n${FOR_EVER}`,
    memoryGb: 0.1,
    state: "Failed",
    reason: "OutOfMemory",
    names: true,
  },
];

export function describeTasks(name: string, openStage: StageFactory): void {
  describe(`tasks on the ${name} runtime`, () => {
    let store: StoreFixture;
    let notifier: TaskNotifier | undefined;
    beforeAll(async () => {
      store = await openTestStore((change) => notifier?.changed(change));
    });
    afterAll(async () => await store?.[Symbol.asyncDispose]());

    const cases = MODES.flatMap((mode) =>
      ENDINGS.map((ending) => [mode.mode, ending.name, mode, ending] as const),
    );
    test("I10: a workload that belongs to no task is found and removed, one of a task stays", async () => {
      await using stage = await openStage();
      const orphan = workload(stage, FOR_EVER);
      await stage.runtime.launch(orphan);
      notifier = createTaskNotifier();
      const planned = await submit(stage, store, STANDALONE, STOP);
      await using _controller = startController(stage, store, notifier);
      await waitFor(
        "the orphan is gone",
        async () => (await stage.runtime.observe(orphan)).kind === "absent",
        PATIENCE,
      );
      await until(store, planned, "runs", (task) => task.state === "Running");
      await stop(store, planned);
      await waitFor("nothing of it is left to do", async () => await isSettled(store, planned), PATIENCE);
    });

    test.for(cases)("%s: %s", async ([, , mode, ending], context) => {
      await using stage = await openStage();
      context.skip(ending.reason === "OutOfMemory" && !stage.can.limitMemory, "no memory limits here");
      notifier = createTaskNotifier();
      await using _controller = startController(stage, store, notifier);
      const planned = await submit(stage, store, mode, ending);
      const id = planned.taskId;
      if (ending.stops === true) {
        await until(store, planned, "runs", (task) => task.state === "Running");
        await stop(store, planned);
      }
      const task = await until(store, planned, "has ended", isEnded);
      expect(task).toMatchObject({ state: ending.state, reason: ending.reason });
      if (ending.names === true && isEnded(task)) expect(task.message).toContain(mode.node);
      for (const node of task.nodes) expect(["Succeeded", "Failed", "Stopped"]).toContain(node.state);
      await waitFor("nothing of it is left to do", async () => await isSettled(store, planned), PATIENCE);
      expect(await stage.runtime.list()).toEqual([]);
      const versions = (await store.store.history(id, 0, 1000)).map((entry) => entry.version);
      expect(versions).toEqual(versions.map((_, index) => index + 1));
      if (ending.reason !== "DeadlineExceeded")
        expect(userText(await untilLog(stage, planned, nodeName.parse(mode.node)))).toMatch(/^done\n/);
    });
  });
}

function startController(stage: Stage, fixture: StoreFixture, notifier: TaskNotifier) {
  const log = createLogger({ service: "task-svc", level: "silent" });
  const runtime: Runtime = {
    kind: stage.runtime.kind,
    start: async (sink) => stage.listen(sink),
    launch: async (planned) => await stage.runtime.launch(planned),
    observe: async (ref) => await stage.runtime.observe(ref),
    stop: async (ref, options) => await stage.runtime.stop(ref, options),
    remove: async (ref) => await stage.runtime.remove(ref),
    list: async () => await stage.runtime.list(),
    checks: async () => [],
    close: async () => undefined,
  };
  const controller = createController({
    store: fixture.store,
    runtime,
    notifier,
    lease: createLease({ pool: fixture.pool, name: "controller", log, ttlMs: 5_000 }),
    quotaOf: () => ({ cpu: 1000, memoryGb: 1000, gpu: 0 }),
    onQuotaChange: () => () => undefined,
    failpoints: NO_FAILPOINTS,
    log,
  });
  controller.start();
  return { [Symbol.asyncDispose]: async () => await controller.stop() };
}

async function submit(stage: Stage, { store }: StoreFixture, mode: Mode, ending: Ending): Promise<Workload> {
  const planned = workload(stage, `${mode.before}\n${ending.script(mode)}`, {
    ...mode.wanted,
    memoryGb: ending.memoryGb ?? 0.25,
    spec: { mounts: [dataMount(stage)], run_limit_seconds: ending.limitSeconds ?? 600 },
  });
  const { taskId: id, spec, groupId } = planned;
  const change = createTask(factsOf({ id, spec, groupId, createdAt: new Date() }), { envNames: [] });
  await store.insert(change, submission);
  return planned;
}

async function stop({ store }: StoreFixture, { taskId }: Workload): Promise<void> {
  await waitFor("the stop is saved", async () => {
    const task = await store.task(taskId);
    const change = task && requestStop(task, { by: "bob", graceSeconds: 5 }, new Date());
    if (change != null) await store.save(change); // throws when the controller was quicker
    return true;
  });
}

async function until(
  { store }: StoreFixture,
  { taskId }: Workload,
  claim: string,
  holds: (task: Task) => boolean,
): Promise<Task> {
  return await waitFor(
    `the task ${claim}`,
    async () => {
      const task = await store.task(taskId);
      if (task !== undefined && holds(task)) return task;
      throw new Error(JSON.stringify(task && [task.state, task.nodes]));
    },
    PATIENCE,
  );
}

async function isSettled({ store }: StoreFixture, { taskId }: Workload): Promise<boolean> {
  for await (const task of store.unsettled()) if (task.facts.id === taskId) return false;
  return true;
}
