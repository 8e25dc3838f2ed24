/** Builders of tasks for tests. */
import { randomBytes } from "node:crypto";
import {
  type GroupId,
  groupId,
  hexId,
  type TaskFile,
  type TaskId,
  type TaskSpec,
  taskFile,
} from "@aiep/contracts";
import type { NodeObservation, Observation } from "../domain/runtime.ts";
import { attemptOf, type Task, type TaskFacts, type TaskNodeRecord } from "../domain/task.ts";
import { initialNodes } from "../domain/verdict.ts";

export const newTaskId = (): TaskId => hexId(randomBytes(16)) as TaskId; // 32 hex digits by construction

const GROUP: GroupId = groupId.parse("g1");

const node = { cpu: 1, memory_gb: 1, gpu: 0, gpu_type: null };

export function specOf(mode: TaskSpec["mode"] = "Standalone", workers = 1, servers = 0): TaskSpec {
  return {
    mode,
    namespace: "ns-a",
    image: { url: "docker.io/library/python:3", name: null },
    command: "true",
    env: {},
    identity: { user: "alice", uid: 1000, gid: 1000 },
    roles: [
      { role: "worker", count: workers, ...node },
      ...(servers > 0 ? [{ role: "ps" as const, count: servers, ...node }] : []),
    ],
    mounts: [],
    code_package: null,
    material: null,
    run_limit_seconds: 3600,
  };
}

export function factsOf(overrides: Partial<TaskFacts> = {}): TaskFacts {
  return {
    id: newTaskId(),
    groupId: GROUP,
    name: "train",
    description: null,
    labels: {},
    spec: specOf(),
    createdBy: "alice",
    proxyUser: null,
    genAiLlm: false,
    experimentId: null,
    experimentRunId: null,
    experimentVersionName: null,
    copiedFrom: null,
    codePackageId: null,
    traceparent: null,
    createdAt: new Date("2026-01-01T00:00:00.000Z"),
    ...overrides,
  };
}

export const TASK_FILE: TaskFile = taskFile.parse({
  metadata: { name: "train", group_id: "g1" },
  image_info: { url: "docker.io/library/python:3" },
  compute_resource_info: {
    model: "Standalone",
    namespace: "ns-a",
    node_info: { worker: { nums: 1, cpu_num: 1, memory: 1 } },
  },
  code_info: { command: "true" },
});

export type NodeSketch = Partial<
  Pick<NodeObservation, "state" | "exitCode" | "reason" | "message" | "finishedAt">
>;

/** An observation of all nodes of the task's spec, each as sketched; nodes left out are Pending. */
export function observed(
  task: Task,
  sketches: Readonly<Record<string, NodeSketch>>,
  waiting: Extract<Observation, { kind: "present" }>["waiting"] = null,
): Observation {
  const ref = { taskId: task.facts.id, attempt: attemptOf(task) };
  const nodes = initialNodes(task.facts.spec).map((each) => ({ ...each, ...sketches[each.name] }));
  return { kind: "present", ref, nodes, waiting };
}

export const nodeStates = (task: { readonly nodes: readonly TaskNodeRecord[] }): Record<string, string> =>
  Object.fromEntries(task.nodes.map((each) => [each.name, each.state]));
