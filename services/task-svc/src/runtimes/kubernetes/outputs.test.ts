import { nodeName, type TaskOutputs } from "@aiep/contracts";
import { expect, test, vi } from "vitest";
import type { NodeObservation } from "../../domain/runtime.ts";
import { Outputs } from "./outputs.ts";
import { TASK } from "./testing/workloads.ts";

const ref = { taskId: TASK, attempt: 1 };
const left: TaskOutputs = { values: { rows: 3 }, directories: [] };
const node = (index: number, changes: Partial<NodeObservation> = {}): NodeObservation => ({
  name: nodeName.parse(`worker-${index}`),
  role: "worker",
  index,
  state: "Succeeded",
  exitCode: 0,
  reason: null,
  message: null,
  startedAt: new Date(1_000),
  finishedAt: new Date(2_000),
  ...changes,
});
const seen = (...nodes: NodeObservation[]) => ({ kind: "present", ref, nodes, waiting: null }) as const;

function ground() {
  let now = 0;
  const records = new Map<string, TaskOutputs>();
  const read = vi.fn<(key: string) => void>();
  const failed = vi.fn<(error: unknown) => void>();
  let broken = false;
  const outputs = new Outputs({
    records: {
      read: async ({ taskId }) => {
        if (broken) throw new Error("the folder does not answer");
        return records.get(taskId);
      },
      remove: async ({ taskId }) => void records.delete(taskId),
    },
    read,
    failed,
    now: () => new Date(now),
  });
  return {
    outputs,
    records,
    read,
    failed,
    breaks: (is: boolean) => {
      broken = is;
    },
    later: (ms: number) => {
      now += ms;
    },
  };
}

test("a node that ended well counts as running until what it left was read, then outputs come with its success", async () => {
  const { outputs, records, read } = ground();
  records.set(TASK, left);
  const end = seen(node(0), node(1));
  const held = outputs.complete(end);
  expect(held.nodes).toMatchObject([
    { state: "Running", exitCode: null, finishedAt: null, startedAt: new Date(1_000) },
    { state: "Succeeded" },
  ]);
  expect(held).not.toHaveProperty("outputs");
  await outputs.settled(ref);
  expect(read).toHaveBeenCalledOnce();
  expect(outputs.complete(end)).toEqual({ ...end, outputs: left });
});

test("only worker-0's success asks for a record", async () => {
  const { outputs, records } = ground();
  records.set(TASK, left);
  for (const state of ["Pending", "Running", "Failed", "Stopped"] as const) {
    const now = seen(node(0, { state }), node(1));
    expect(outputs.complete(now)).toBe(now);
    await outputs.settled(ref);
    expect(outputs.complete(now)).toBe(now);
  }
});

test("a record that stays away fails the node after a minute, and not sooner", async () => {
  const { outputs, records, later } = ground();
  const look = async () => {
    const [first] = outputs.complete(seen(node(0))).nodes;
    await outputs.settled(ref);
    return first;
  };
  await look();
  later(59_000);
  expect(await look()).toMatchObject({ state: "Running" });
  later(2_000);
  expect(await look()).toMatchObject({ state: "Failed", reason: "OutputsInvalid" });
  records.set(TASK, left);
  outputs.forget(`t-${TASK}-1`);
  await look();
  expect(outputs.complete(seen(node(0))).outputs).toEqual(left);
});

test("a folder that does not answer fails nothing; it is read again", async () => {
  const { outputs, records, failed, breaks, later } = ground();
  records.set(TASK, left);
  breaks(true);
  outputs.complete(seen(node(0)));
  await outputs.settled(ref);
  later(3_600_000);
  expect(outputs.complete(seen(node(0))).nodes[0]?.state).toBe("Running");
  await outputs.settled(ref);
  expect(failed).toHaveBeenCalledTimes(2);
  breaks(false);
  outputs.complete(seen(node(0)));
  await outputs.settled(ref);
  expect(outputs.complete(seen(node(0))).outputs).toEqual(left);
});

test("removing a workload removes its record", async () => {
  const { outputs, records } = ground();
  records.set(TASK, left);
  await outputs.remove(ref);
  expect(records.size).toBe(0);
});
