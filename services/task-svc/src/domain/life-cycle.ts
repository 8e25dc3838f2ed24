/**
 * Every way a task changes (D11). Pure: each function takes the task and the time and answers with the next task and
 * its events, or with null when nothing changes.
 *
 * L1 Each event adds exactly 1 to the version; no event, no change of status (D6, I5).
 * L2 A terminal state is never left; the only event after it is `deleted` (I4).
 * L3 After a stop was asked for the task ends as Stopped, whatever is observed later (I9).
 * L4 An Initializing task always says why it is not Running (I11).
 */
import { AiepError, type TaskReason } from "@aiep/contracts";
import { identityData, type StatusEventName, statusData, type TaskEvent } from "./events.ts";
import type { Observation } from "./runtime.ts";
import {
  attemptOf,
  type EndedTask,
  type InitializingTask,
  isEnded,
  type Launch,
  type Launched,
  type LiveTask,
  type RunningTask,
  startedAtOf,
  type Task,
  type TaskFacts,
  type TaskNodeRecord,
} from "./task.ts";
import {
  allStarted,
  endNodes,
  failureOf,
  firstFailure,
  initialNodes,
  isDecided,
  lingerEnd,
  type Merged,
  mergeNodes,
  nodeEnded,
  runningMessage,
  type Why,
  whyNotRunning,
} from "./verdict.ts";

const DEFAULT_GRACE_SECONDS = 30;

export interface Change<T extends Task = Task> {
  readonly task: T;
  readonly events: readonly TaskEvent[];
}

export interface CreateTaskOptions {
  readonly envNames: readonly string[];
  readonly commandId?: string | undefined;
  /** The sentence it begins to wait with when there is no room for it now (I11). */
  readonly waiting?: string | undefined;
}

export function createTask(facts: TaskFacts, options: CreateTaskOptions): Change<InitializingTask> {
  const task: InitializingTask = {
    state: "Initializing",
    facts,
    version: 1,
    ...(options.waiting === undefined
      ? { reason: "Submitting", message: "Accepted; the workload is being created." }
      : { reason: "WaitingForQuota", message: options.waiting }),
    nodes: initialNodes(facts.spec),
    outputs: null,
    stop: null,
    launch: { kind: "none" },
  };
  const data = {
    ...statusData(task, task.nodes),
    ...(facts.description === null ? {} : { description: facts.description }),
    mode: facts.spec.mode,
    namespace: facts.spec.namespace,
    image: facts.spec.image.url,
    created_by: facts.createdBy,
    ...(facts.proxyUser === null ? {} : { proxy_user: facts.proxyUser }),
    labels: { ...facts.labels },
    gen_ai_llm: facts.genAiLlm,
    env_names: [...options.envNames],
    ...(facts.copiedFrom === null ? {} : { copied_from: facts.copiedFrom }),
    ...(options.commandId === undefined ? {} : { command_id: options.commandId }),
  };
  const events = [{ name: "created", version: 1, at: facts.createdAt, by: facts.createdBy, data }] as const;
  return { task, events };
}

/** Null when a stop was already asked for or the task has ended: stopping is idempotent. */
export function requestStop(
  task: Task,
  request: { readonly by: string; readonly graceSeconds?: number | undefined },
  now: Date,
): Change | null {
  if (isEnded(task) || task.stop !== null) return null;
  const graceSeconds = request.graceSeconds ?? DEFAULT_GRACE_SECONDS;
  const stopping: LiveTask = {
    ...task,
    version: task.version + 1,
    stop: { at: now, by: request.by, graceSeconds },
    reason: "Stopping",
    message: `${request.by} asked for the stop; the nodes get ${graceSeconds} s to end by themselves.`,
  };
  const requested: TaskEvent = {
    name: "stop_requested",
    version: stopping.version,
    at: now,
    by: request.by,
    data: { ...statusData(stopping, []), requested_by: request.by, grace_seconds: graceSeconds },
  };
  // Nothing was ever asked of the runtime, so there is nothing to wait for.
  const end = task.launch.kind === "none" ? stopped(stopping, nothingMoved(task), now) : undefined;
  return end === undefined
    ? { task: stopping, events: [requested] }
    : { task: end.task, events: [requested, ...end.events] };
}

/** The intent to launch, saved before the runtime is asked (I3). Null when it was saved before, or must not be launched. */
export function markLaunching(task: Task, now: Date): Change | null {
  if (task.state !== "Initializing" || task.stop !== null || task.launch.kind !== "none") return null;
  const launch: Launch = { kind: "intended", attempt: 1, at: now };
  return updated(
    { ...task, launch },
    [],
    { reason: "Submitting", message: "There is room for it; the workload is being created." },
    now,
  );
}

/** The runtime has taken responsibility. Bookkeeping, no event. */
export function markLaunched(task: Task, now: Date): Task {
  if (task.state !== "Initializing" || task.launch.kind !== "intended") return task;
  return { ...task, launch: launchedOf(task.launch, now) };
}

export function markRemoved(task: Task, now: Date): Task {
  return isEnded(task) && task.removedAt === null ? { ...task, removedAt: now } : task;
}

/** The runtime says it can never run this task. */
export function launchRefused(task: Task, why: string, now: Date): Change | null {
  if (isEnded(task)) return null;
  if (task.stop !== null) return stopped(task, nothingMoved(task), now);
  return failed(task, { reason: "LaunchFailed", message: why }, nothingMoved(task), now);
}

/** The runtime cannot be asked just now; the task says so while it waits (I11). */
export function launchDelayed(task: Task, why: string, now: Date): Change | null {
  if (task.state !== "Initializing" || task.stop !== null) return null;
  return updated(task, [], { reason: "Submitting", message: why }, now);
}

/** More than is free just now (D15). */
export function waitForQuota(task: Task, message: string, now: Date): Change | null {
  if (task.state !== "Initializing" || task.stop !== null || task.launch.kind !== "none") return null;
  return updated(task, [], { reason: "WaitingForQuota", message }, now);
}

/** What the runtime sees becomes what the task is. Observations of other attempts and of ended tasks change nothing. */
export function applyObservation(before: Task, observation: Observation, now: Date): Change | null {
  const { ref } = observation;
  const task = withOutputs(before, observation);
  if (isEnded(task) || ref.taskId !== task.facts.id || ref.attempt !== attemptOf(task)) return null;
  if (task.launch.kind === "none") return null;
  if (observation.kind === "absent") return absent(task, now);
  const merged = mergeNodes(task.nodes, observation.nodes, now);
  if (task.stop !== null) return observedWhileStopping(task, merged, now);
  const launch = launchedOf(task.launch, now);
  const failing = firstFailure(merged.nodes);
  const known: LiveTask = task.state === "Running" ? task : { ...task, launch };
  if (failing !== undefined) return failed(known, failureOf(task.facts.id, failing), merged, now);
  if (task.state === "Running") return observedRunning(task, merged, now);
  if (allStarted(merged.nodes)) return becameRunning(task, launch, merged, now);
  if (isDecided(merged.nodes, now)) return succeeded(known, merged, now);
  return updated(known, merged.changed, whyNotRunning(merged.nodes, observation.waiting), now, merged.nodes);
}

/** Kept from the first sight: the workload may be gone when the task is decided. */
function withOutputs<T extends Task>(task: T, observation: Observation): T {
  if (observation.kind === "absent" || observation.outputs == null || task.outputs !== null) return task;
  return { ...task, outputs: observation.outputs };
}

/** Time passed: the run limit, and the linger of workers after worker-0 succeeded. */
export function applyTick(task: Task, now: Date): Change | null {
  if (isEnded(task) || task.stop !== null || task.launch.kind === "none") return null;
  if (isDecided(task.nodes, now)) return succeeded(task, nothingMoved(task), now);
  const deadline = deadlineOf(task);
  if (deadline === null || deadline > now) return null;
  const seconds = task.facts.spec.run_limit_seconds;
  const message = `The task's run limit of ${seconds} s is over; raise compute_resource_info.run_limit_seconds, or let it do less.`;
  return failed(task, { reason: "DeadlineExceeded", message }, nothingMoved(task), now);
}

/** When `applyTick` has something to do; null when only the runtime or a person can change the task. */
export function wakeAt(task: Task): Date | null {
  if (isEnded(task) || task.stop !== null) return null;
  const deadline = deadlineOf(task);
  const linger = lingerEnd(task.nodes);
  if (deadline === null || linger === null) return linger ?? deadline;
  return linger < deadline ? linger : deadline;
}

/** Throws TASK_NOT_TERMINAL; null when it is deleted already. */
export function markDeleted(task: Task, by: string, now: Date): Change | null {
  if (!isEnded(task)) {
    throw new AiepError(
      "TASK_NOT_TERMINAL",
      `Task ${task.facts.id} is ${task.state}; only an ended task can be deleted.`,
    );
  }
  if (task.deleted !== null) return null;
  const deleted: EndedTask = { ...task, version: task.version + 1, deleted: { at: now, by } };
  const data = { ...identityData(task), deleted_by: by };
  return { task: deleted, events: [{ name: "deleted", version: deleted.version, at: now, by, data }] };
}

// The limit counts from the launch, so that a task whose image never arrives ends too; waiting for quota does not count.
function deadlineOf(task: LiveTask): Date | null {
  if (task.launch.kind === "none") return null;
  return new Date(task.launch.at.getTime() + task.facts.spec.run_limit_seconds * 1000);
}

function absent(task: LiveTask, now: Date): Change | null {
  if (task.stop !== null) return stopped(task, nothingMoved(task), now);
  if (task.launch.kind !== "launched") return null; // never launched: launching (again) is safe, R1
  const why: Why = {
    reason: "RemovedFromOutside",
    message:
      "The workload has vanished from the runtime, and its result cannot be known; submit the task again.",
  };
  return failed(task, why, nothingMoved(task), now);
}

function observedWhileStopping(task: LiveTask, merged: Merged, now: Date): Change | null {
  if (merged.nodes.every(nodeEnded)) return stopped(task, merged, now);
  return updated(task, merged.changed, task, now, merged.nodes);
}

function becameRunning(task: InitializingTask, launch: Launched, merged: Merged, now: Date): Change {
  const running: RunningTask = {
    ...task,
    state: "Running",
    version: task.version + 1,
    launch,
    startedAt: now,
    reason: "AllNodesRunning",
    message: runningMessage(merged.nodes),
    nodes: merged.nodes,
  };
  const change = { task: running, events: [statusEvent("running", running, merged.changed, now)] };
  if (!isDecided(merged.nodes, now)) return change;
  const end = succeeded(running, nothingMoved(running), now);
  return { task: end.task, events: [...change.events, ...end.events] };
}

function observedRunning(task: RunningTask, merged: Merged, now: Date): Change | null {
  if (isDecided(merged.nodes, now)) return succeeded(task, merged, now);
  const why: Why = { reason: "AllNodesRunning", message: runningMessage(merged.nodes) };
  return updated(task, merged.changed, why, now, merged.nodes);
}

function launchedOf(launch: Exclude<Launch, { kind: "none" }>, now: Date): Launched {
  return launch.kind === "launched" ? launch : { ...launch, kind: "launched", launchedAt: now };
}

const nothingMoved = (task: Task): Merged => ({ nodes: task.nodes, changed: [] });

function updated(
  task: LiveTask,
  changed: readonly TaskNodeRecord[],
  why: Why,
  now: Date,
  nodes: readonly TaskNodeRecord[] = task.nodes,
): Change | null {
  const same = why.reason === task.reason && why.message === task.message;
  if (same && changed.length === 0) return null;
  const next: LiveTask = {
    ...task,
    version: task.version + 1,
    reason: why.reason,
    message: why.message,
    nodes,
  };
  return { task: next, events: [statusEvent("updated", next, changed, now)] };
}

function succeeded(task: LiveTask, merged: Merged, now: Date): Change<EndedTask> {
  const count = merged.nodes.filter((node) => node.state === "Succeeded").length;
  const message = count === 1 ? "worker-0 ended with exit code 0." : `${count} nodes ended with exit code 0.`;
  return end(task, "Succeeded", { reason: "Completed", message }, merged, now);
}

function failed(task: LiveTask, why: Why, merged: Merged, now: Date): Change<EndedTask> {
  return end(task, "Failed", why, merged, now);
}

function stopped(task: LiveTask, merged: Merged, now: Date): Change<EndedTask> {
  const by = task.stop?.by ?? "the platform";
  const when = task.launch.kind === "none" ? " before it was launched" : "";
  return end(task, "Stopped", { reason: "StoppedByUser", message: `Stopped by ${by}${when}.` }, merged, now);
}

const END_EVENT = { Succeeded: "succeeded", Failed: "failed", Stopped: "stopped" } as const;

function end(
  task: LiveTask,
  state: EndedTask["state"],
  why: { readonly reason: TaskReason; readonly message: string },
  merged: Merged,
  now: Date,
): Change<EndedTask> {
  const rest = endNodes(merged.nodes, "ended with the task", now);
  const { facts, launch, stop } = task;
  const ended: EndedTask = {
    state,
    facts,
    version: task.version + 1,
    reason: why.reason,
    message: why.message,
    nodes: rest.nodes,
    outputs: task.outputs,
    stop,
    launch,
    startedAt: startedAtOf(task),
    finishedAt: now,
    removedAt: null,
    deleted: null,
  };
  const changed = new Map([...merged.changed, ...rest.changed].map((node) => [node.name, node]));
  return { task: ended, events: [statusEvent(END_EVENT[state], ended, [...changed.values()], now)] };
}

function statusEvent(
  name: StatusEventName,
  task: Task,
  changed: readonly TaskNodeRecord[],
  now: Date,
): TaskEvent {
  return { name, version: task.version, at: now, by: null, data: statusData(task, changed) };
}
