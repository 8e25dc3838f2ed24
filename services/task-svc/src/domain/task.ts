/**
 * The task aggregate (D11): a union by state whose members own their data. This file has the shapes and the questions
 * one can ask; `life-cycle.ts` has every way a task changes, `verdict.ts` reads node states, `quota.ts` resources.
 *
 * What a task is (`TaskFacts`) never changes; its status changes only together with an event, one version each (D6).
 * Two bookkeeping facts are no status and have no event: that the launch was recorded, and that the workload was removed.
 */
import type {
  CodePackageId,
  GroupId,
  NodeName,
  NodeRole,
  NodeState,
  TaskId,
  TaskNode,
  TaskOutputs,
  TaskReason,
  TaskSpec,
} from "@aiep/contracts";
import type { WorkloadRef } from "./runtime.ts";

export interface TaskFacts {
  readonly id: TaskId;
  readonly groupId: GroupId;
  readonly name: string;
  readonly description: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: TaskSpec;
  readonly createdBy: string;
  readonly proxyUser: string | null;
  readonly genAiLlm: boolean;
  readonly experimentId: string | null;
  readonly experimentRunId: string | null;
  readonly experimentVersionName: string | null;
  readonly copiedFrom: TaskId | null;
  readonly codePackageId: CodePackageId | null;
  /** W3C trace context of the submission. */
  readonly traceparent: string | null;
  readonly createdAt: Date;
}

export interface TaskNodeRecord {
  readonly name: NodeName;
  readonly role: NodeRole;
  readonly index: number;
  readonly state: NodeState;
  readonly exitCode: number | null;
  readonly reason: TaskReason | null;
  readonly message: string | null;
  readonly startedAt: Date | null;
  /** Set exactly when the state is Succeeded, Failed or Stopped. */
  readonly finishedAt: Date | null;
}

/** `intended` is saved before the runtime is asked, so that a stop or a restart knows there may be a workload (I3, I9). */
export type Launch =
  | { readonly kind: "none" }
  | { readonly kind: "intended"; readonly attempt: number; readonly at: Date }
  | { readonly kind: "launched"; readonly attempt: number; readonly at: Date; readonly launchedAt: Date };
export type Launched = Extract<Launch, { kind: "launched" }>;

export interface StopRequest {
  readonly at: Date;
  readonly by: string;
  readonly graceSeconds: number;
}

interface Common {
  readonly facts: TaskFacts;
  /** Version of the last event, gap-free from 1. */
  readonly version: number;
  readonly reason: TaskReason;
  readonly message: string;
  readonly nodes: readonly TaskNodeRecord[];
  /** What worker-0 left for other tasks; null until it ended well, or when nothing was asked for. */
  readonly outputs: TaskOutputs | null;
  /** Once asked for, a stop is never forgotten (I9). */
  readonly stop: StopRequest | null;
}

export interface InitializingTask extends Common {
  readonly state: "Initializing";
  readonly launch: Launch;
}

export interface RunningTask extends Common {
  readonly state: "Running";
  readonly launch: Launched;
  readonly startedAt: Date;
}

export type LiveTask = InitializingTask | RunningTask;

export interface EndedTask extends Common {
  readonly state: "Succeeded" | "Failed" | "Stopped";
  readonly launch: Launch;
  /** When the task became Running; null when it never did. */
  readonly startedAt: Date | null;
  readonly finishedAt: Date;
  /** When the runtime gave back what the workload held. */
  readonly removedAt: Date | null;
  readonly deleted: { readonly at: Date; readonly by: string } | null;
}

export type Task = LiveTask | EndedTask;

export function isEnded(task: Task): task is EndedTask {
  return task.state !== "Initializing" && task.state !== "Running";
}

/** Number of the launch, from 1; 0 before the first. */
export function attemptOf(task: Task): number {
  return task.launch.kind === "none" ? 0 : task.launch.attempt;
}

export function startedAtOf(task: Task): Date | null {
  return task.state === "Initializing" ? null : task.startedAt;
}

export function finishedAtOf(task: Task): Date | null {
  return isEnded(task) ? task.finishedAt : null;
}

/** The workload the runtime may have for this task; undefined when none was ever asked for. */
export function workloadRefOf(task: Task): WorkloadRef | undefined {
  return task.launch.kind === "none" ? undefined : { taskId: task.facts.id, attempt: task.launch.attempt };
}

/** Whether nodes of this launch have yet to begin, and may. */
export function awaitsNodes(task: Task, attempt: number): boolean {
  return task.state === "Initializing" && task.stop === null && attemptOf(task) === attempt;
}

/** It was launched and goes on: what its command leaves counts. */
export function mayLeave(task: Task, attempt: number): boolean {
  return !isEnded(task) && task.stop === null && task.launch.kind !== "none" && attemptOf(task) === attempt;
}

/** What is left to do for a task, read from its state alone (level-triggered, D14). */
export type Duty = "launch" | "watch" | "stop" | "remove" | "none";

export function dutyOf(task: Task): Duty {
  if (isEnded(task)) return task.launch.kind !== "none" && task.removedAt === null ? "remove" : "none";
  if (task.stop !== null) return "stop";
  return task.launch.kind === "launched" ? "watch" : "launch";
}

const iso = (date: Date | null): string | null => date?.toISOString() ?? null;

/** A node as the wire shows it (D33). */
export function nodeView(node: TaskNodeRecord): TaskNode {
  return {
    name: node.name,
    role: node.role,
    index: node.index,
    state: node.state,
    exit_code: node.exitCode,
    reason: node.reason,
    message: node.message,
    started_at: iso(node.startedAt),
    finished_at: iso(node.finishedAt),
  };
}
