/** One node from its pod: state, exit code, reason (O2–O4). */
import { type NodeName, TASK_REASONS, type TaskReason } from "@aiep/contracts";
import type { NodeObservation } from "../../../domain/runtime.ts";
import { CONTAINERS, MASTER_AWAITED, PREPARE_CONTAINER } from "../names.ts";
import type { Plan, PlannedNode, StopOrder } from "../plan.ts";
import type { SeenPod } from "./observe.ts";
import { holds, type Pod, type Terminated } from "./resources.ts";

/** `fresh`: pods are told by another watch, and what they have to say may still be on its way. */
export type JobEnd =
  | { readonly kind: "open" }
  | { readonly kind: "succeeded"; readonly at: Date | null; readonly fresh: boolean }
  | { readonly kind: "failed"; readonly reason: string; readonly message: string; readonly fresh: boolean };

interface NodeInput {
  readonly node: PlannedNode;
  readonly seen: SeenPod | undefined;
  readonly end: JobEnd;
  /** Worker-0 has succeeded: then the others may be ended by the operator, whether or not the job's end is heard (O5). */
  readonly decided: boolean;
  readonly stop: StopOrder | undefined;
  readonly plan: Plan;
}

export const DECIDING_NODE = "worker-0";

type Outcome = Omit<NodeObservation, "name" | "role" | "index">;
interface Why {
  readonly reason: TaskReason;
  readonly message: string;
}

export function observeNode(input: NodeInput): NodeObservation {
  const { name, role, index } = input.node;
  return { name, role, index, ...outcomeOf(input) };
}

const pending: Outcome = {
  state: "Pending",
  exitCode: null,
  reason: null,
  message: null,
  startedAt: null,
  finishedAt: null,
};

function outcomeOf(input: NodeInput): Outcome {
  const { seen, stop, end } = input;
  if (seen === undefined) {
    if (stop !== undefined) return { ...pending, state: "Stopped" };
    return end.kind === "succeeded" && !end.fresh ? overWithJob(input, end, pending) : pending;
  }
  const { pod } = seen;
  const ran = endOf(pod, input.plan);
  if (ran !== undefined) return ended(input, pod, ran);
  const lost = lossOf(seen);
  const started = runningSince(pod, input.plan);
  const now: Outcome = started === undefined ? pending : { ...pending, state: "Running", startedAt: started };
  if (stop !== undefined) return seen.gone ? { ...now, state: "Stopped" } : now;
  const leaving = seen.gone || (started === undefined && pod.metadata.deletionTimestamp !== null);
  if (leaving && input.decided) return leftBehind(now);
  if (leaving && end.kind === "succeeded") return overWithJob(input, end, now);
  if (seen.gone && end.kind === "failed") return now; // see withFailure
  if (lost !== undefined) return { ...now, state: "Failed", ...lost };
  return now;
}

/** The end of the node's own container, or of what prepares it. */
function endOf(pod: Pod, { mode }: Plan): (Terminated & { readonly own: boolean }) | undefined {
  const { containerStatuses, initContainerStatuses } = pod.status;
  const own = containerStatuses.find(({ name }) => name === CONTAINERS[mode])?.state.terminated;
  if (own != null) return { ...own, own: true };
  for (const { name, state } of initContainerStatuses) {
    if (state.terminated == null || state.terminated.exitCode === 0) continue;
    const message = name === PREPARE_CONTAINER ? state.terminated.message : prepareFailure(name);
    return { ...state.terminated, message, own: false };
  }
  return undefined;
}

function prepareFailure(container: string): string {
  return container === MASTER_AWAITED
    ? "refused LaunchFailed The worker waited for the master's address and it never came; see the master's log."
    : `refused LaunchFailed The init container ${container}, added by the cluster, failed.`;
}

function ended({ stop, end, decided }: NodeInput, pod: Pod, ran: Terminated & { own: boolean }): Outcome {
  const refusal = refusalOf(ran);
  const finishedAt = ran.finishedAt;
  const base: Outcome = { ...pending, startedAt: ran.own ? ran.startedAt : null, finishedAt };
  const unknown = ran.reason === "ContainerStatusUnknown";
  const exitCode = unknown || !ran.own ? null : Math.min(255, Math.max(0, ran.exitCode));
  const stopped = stop !== undefined && !(finishedAt !== null && finishedAt.getTime() < secondOf(stop.at));
  if (stopped) return { ...base, state: "Stopped", exitCode };
  if (exitCode === 0) return { ...base, state: "Succeeded", exitCode };
  if ((decided || end.kind === "succeeded") && exitCode !== null && endedOnRequest(pod, ran))
    return { ...leftBehind(base), exitCode };
  if (refusal !== undefined) {
    // The command did run, and what it left was refused.
    const startedAt = refusal.reason === "OutputsInvalid" ? base.startedAt : null;
    return { ...base, state: "Failed", startedAt, ...refusal };
  }
  const taken = ran.own && !unknown && endedOnRequest(pod, ran) ? removedFromOutside : undefined;
  return {
    ...base,
    state: "Failed",
    exitCode,
    ...(lossOf({ pod, gone: false }) ?? taken ?? reasonOf(ran, unknown)),
  };
}

/** Times of the API are whole seconds; in the second of the stop, the stop counts (I9). */
const secondOf = (time: string): number => Math.floor(new Date(time).getTime() / 1000) * 1000;

/** The scripts' own words (job-builder/scripts.ts). */
function refusalOf({ message }: Terminated): Why | undefined {
  const match = /^refused ([A-Za-z]+) ([\s\S]+)$/.exec(message);
  const [, word = "", sentence = ""] = match ?? [];
  if (!(word in TASK_REASONS)) return undefined;
  return { reason: word as TaskReason, message: sentence.trim() }; // one of the table's keys
}

function reasonOf({ reason, message, exitCode }: Terminated, unknown: boolean): Why {
  if (unknown)
    return { reason: "NodeLost", message: "The machine lost the container; its result cannot be known." };
  if (reason === "OOMKilled")
    return {
      reason: "OutOfMemory",
      message: "It used more memory than it asked for and was ended by the kernel; ask for more memory.",
    };
  if (reason === "StartError" || reason === "ContainerCannotRun")
    return {
      reason: "ConfigError",
      message: `The container could not be started; the image needs /bin/sh. The cluster says: ${short(message)}`,
    };
  if (reason === "DeadlineExceeded")
    return {
      reason: "DeadlineExceeded",
      message: "The cluster ended it: its own deadline for the pod was over.",
    };
  if (exitCode > 128)
    return { reason: "Signaled", message: `Ended by signal ${exitCode - 128} (exit code ${exitCode}).` };
  return { reason: "NonZeroExit", message: `Ended with exit code ${exitCode}.` };
}

const LOST_CONDITIONS: Readonly<Record<string, (message: string) => Why>> = {
  PreemptionByScheduler: (message) => evicted("made room for a pod of higher priority", message),
  EvictionByEvictionAPI: (message) =>
    evicted("was evicted, e.g. because its machine is being drained", message),
  DeletionByTaintManager: (message) => lost(message),
  DeletionByPodGC: (message) => lost(message),
  TerminationByKubelet: (message) => evicted("was ended by its machine", message),
};

/** Why the node's pod does not live on, though nobody here ended it. */
function lossOf({ pod, gone }: SeenPod): Why | undefined {
  const { reason, message, conditions } = pod.status;
  const disruption = holds(conditions, "DisruptionTarget");
  const known = disruption && LOST_CONDITIONS[disruption.reason];
  if (reason === "Evicted") return evicted("was evicted by its machine", message);
  if (known) return known(disruption.message);
  if (reason === "NodeLost" || reason === "NodeShutdown" || reason === "Terminated" || reason === "Shutdown")
    return lost(message);
  if (pod.status.phase === "Failed" && pod.status.containerStatuses.length === 0) {
    return {
      reason: "LaunchFailed",
      message: `The machine ${pod.spec.nodeName ?? ""} refused the pod (${reason || "no reason given"}); submit the task again. The cluster says: ${short(message)}`,
    };
  }
  return gone ? removedFromOutside : undefined;
}

const removedFromOutside: Why = {
  reason: "RemovedFromOutside",
  message:
    "Its pod was deleted by somebody other than the platform before it had ended; submit the task again.",
};

const evicted = (how: string, said: string): Why => ({
  reason: "Evicted",
  message: `It ${how}; submit the task again${/memory/i.test(said) ? ", with more memory" : /ephemeral|disk/i.test(said) ? ", and write to the storage instead of the container" : ""}. The cluster says: ${short(said)}`,
});
const lost = (said: string): Why => ({
  reason: "NodeLost",
  message: `Its machine went away and its result cannot be known; submit the task again. The cluster says: ${short(said)}`,
});

const SIGNALED_ON_REQUEST = [137, 143];

/** Whether the pod ended because somebody deleted it, not before. Times of the API are whole seconds. */
function endedOnRequest({ metadata }: Pod, { finishedAt, exitCode }: Terminated): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds } = metadata;
  if (deletionTimestamp === null) return false;
  if (finishedAt === null) return true;
  const requestedAt = deletionTimestamp.getTime() - deletionGracePeriodSeconds * 1000;
  if (finishedAt.getTime() === requestedAt) return SIGNALED_ON_REQUEST.includes(exitCode);
  return finishedAt.getTime() > requestedAt;
}

/** Nobody saw the node's end, and nobody will: a job succeeds exactly when its worker-0 has. Worker-0's comes first. */
function overWithJob(
  { node, decided }: NodeInput,
  { at }: Extract<JobEnd, { kind: "succeeded" }>,
  outcome: Outcome,
): Outcome {
  if (node.name !== DECIDING_NODE) return decided ? leftBehind(outcome) : outcome;
  return { ...outcome, state: "Succeeded", exitCode: 0, finishedAt: at };
}

/** The operator removes what still runs when the deciding node has succeeded (B3): an end, and no failure. */
function leftBehind(outcome: Outcome): Outcome {
  return { ...outcome, state: "Stopped", message: "ended by the cluster after worker-0 had succeeded" };
}

/**
 * Nodes of a workload that failed (B3): who ended because the cluster took its pod away, after another one had failed
 * by itself, is not what failed. Where no node says why, the job's own words count.
 */
export function withFailure(
  nodes: readonly NodeObservation[],
  pods: ReadonlyMap<NodeName, SeenPod>,
  end: JobEnd,
  plan: Plan,
): readonly NodeObservation[] {
  const takenAway = ({ name }: NodeObservation): boolean => {
    const seen = pods.get(name);
    if (seen === undefined) return end.kind === "failed"; // nobody makes it any more
    if (holds(seen.pod.status.conditions, "DisruptionTarget")) return false;
    const ran = endOf(seen.pod, plan);
    return ran === undefined ? seen.gone : endedOnRequest(seen.pod, ran);
  };
  const culprit = nodes.find((node) => node.state === "Failed" && !takenAway(node));
  if (culprit !== undefined) {
    const message = `ended by the cluster after ${culprit.name} had failed`;
    return nodes.map((node) =>
      node.state !== "Succeeded" && takenAway(node)
        ? { ...node, state: "Stopped", reason: null, message }
        : node,
    );
  }
  if (end.kind !== "failed" || nodes.some(({ state }) => state === "Failed")) return nodes;
  const mayStillTell = ({ name }: NodeObservation): boolean => {
    const seen = pods.get(name);
    return seen === undefined || (!seen.gone && endOf(seen.pod, plan) === undefined);
  };
  if (end.fresh && nodes.some(mayStillTell)) return nodes;
  return nodes.map((node) => failWithJob(node, pods.get(node.name), end));
}

/** The job failed and no pod says why: the cluster gave it up, or its pods were taken away. */
function failWithJob(
  node: NodeObservation,
  seen: SeenPod | undefined,
  { reason, message }: Extract<JobEnd, { kind: "failed" }>,
): NodeObservation {
  if (node.state !== "Pending" && node.state !== "Running") return node;
  const why: Why = {
    reason: "LaunchFailed",
    message: `The cluster gave the job up (${reason}); submit the task again. It says: ${short(message)}`,
  };
  return { ...node, state: "Failed", ...((seen && lossOf(seen)) ?? why) };
}

function runningSince(pod: Pod, { mode }: Plan): Date | undefined {
  const own = pod.status.containerStatuses.find(({ name }) => name === CONTAINERS[mode])?.state.running;
  return own == null ? undefined : (own.startedAt ?? undefined);
}

export function short(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  if (line === "") return "nothing.";
  return line.length > 400 ? `${line.slice(0, 400)}…` : line;
}
