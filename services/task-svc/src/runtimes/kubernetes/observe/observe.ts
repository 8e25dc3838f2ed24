/**
 * What is known of one workload → its Observation (D11, D14). Pure: the same facts give the same answer, in whatever
 * order they came (R2).
 *
 *   observe     all nodes, and why those that are Pending wait     node      one node from its pod
 *   waiting     reasons with next steps                            resources the parts of the objects we read
 *
 * O1 Nodes are read from pods, never from the operator's conditions: its Running comes when one pod runs.
 * O2 Failed is read before Succeeded: a pod that failed counts before the job's own conditions are looked at.
 * O3 A node is its first pod. One that the operator makes anew after somebody deleted the first cannot join, and is not it.
 * O4 Once a stop is ordered, what ends later is Stopped; what is not there any more too (I9).
 * O5 Job and pods come over watches of their own, in any order: a job's end counts only when its pods have nothing more
 *    to tell, or had their time; and what the operator does to the other pods after worker-0 succeeded may be heard before
 *    the job's end is.
 */
import type { NodeName, TaskReason } from "@aiep/contracts";
import type { NodeObservation, Observation, WorkloadRef } from "../../../domain/runtime.ts";
import { nodeOfPod } from "../names.ts";
import { nodesOf, type Plan, type PlannedNode, type StopOrder } from "../plan.ts";
import { DECIDING_NODE, type JobEnd, observeNode, short, withFailure } from "./node.ts";
import { endOf, holds, type Job, type KubeEvent, type Pod, type PodGroup, type Queued } from "./resources.ts";
import type { Room } from "./room.ts";
import { waitingOfJob, waitingOfPod } from "./waiting.ts";

/** A pod as it is, or as it was last seen before it vanished. */
export interface SeenPod {
  readonly pod: Pod;
  readonly gone: boolean;
}

export interface Facts {
  readonly ref: WorkloadRef;
  readonly plan: Plan;
  readonly job: Job;
  /** When we first heard that the job has ended: after an outage long after it did. */
  readonly endHeardAt: Date | undefined;
  readonly stop: StopOrder | undefined;
  readonly pods: readonly SeenPod[];
  /** Warnings about the job and its pods, oldest first. */
  readonly events: readonly KubeEvent[];
  readonly podGroup: PodGroup | undefined;
  readonly queued: Queued | undefined;
  /** The cluster's machines, if they were looked at. */
  readonly rooms: readonly Room[] | undefined;
  readonly now: Date;
}

/** So long after a job's end was heard its pods are waited for, if they have not told theirs (O5). */
const SETTLE_MS = 10_000;

export function observe(facts: Facts): Extract<Observation, { kind: "present" }> {
  const pods = podsByNode(facts);
  const end = endOfJob(facts);
  const observeOne = (node: PlannedNode, decided: boolean): NodeObservation => {
    const seen = pods.get(node.name);
    const observed = observeNode({ node, seen, end, decided, stop: facts.stop, plan: facts.plan });
    if (observed.state !== "Pending" || seen === undefined) return observed;
    const why = waitingOfPod({ node, seen, facts });
    return why === undefined ? observed : { ...observed, ...why };
  };
  const planned = nodesOf(facts.plan);
  const decided = planned.some(
    (node) => node.name === DECIDING_NODE && observeOne(node, false).state === "Succeeded",
  );
  const own = planned.map((node) => observeOne(node, decided && node.name !== DECIDING_NODE));
  const told = facts.stop === undefined ? withFailure(own, pods, end, facts.plan) : own;
  const nodes = evictedFromQueue(told, facts.queued);
  return { kind: "present", ref: facts.ref, nodes, waiting: whyWaiting(facts, nodes, pods) };
}

/** Kueue takes a place away by suspending the job: its pods vanish without a word of their own. */
function evictedFromQueue(
  nodes: readonly NodeObservation[],
  queued: Queued | undefined,
): readonly NodeObservation[] {
  const evicted = queued && holds(queued.status.conditions, "Evicted");
  if (!evicted) return nodes;
  const message = `Kueue took its place away; submit the task again. It says: ${short(evicted.message)}`;
  return nodes.map((node) =>
    node.reason === "RemovedFromOutside" ? { ...node, reason: "Evicted", message } : node,
  );
}

function podsByNode({ plan, job, pods }: Facts): ReadonlyMap<NodeName, SeenPod> {
  const first = new Map<NodeName, SeenPod>();
  for (const seen of pods) {
    const name = nodeOfPod(plan.mode, seen.pod.metadata.labels);
    if (name === undefined || seen.pod.metadata.namespace !== job.metadata.namespace) continue;
    const earlier = first.get(name);
    if (earlier === undefined || createdAt(seen) < createdAt(earlier)) first.set(name, seen);
  }
  return first;
}

const createdAt = ({ pod }: SeenPod): number => pod.metadata.creationTimestamp?.getTime() ?? 0;

function endOfJob({ job, endHeardAt, now }: Facts): JobEnd {
  const { failed, succeeded } = endOf(job);
  const fresh = endHeardAt !== undefined && now.getTime() - endHeardAt.getTime() < SETTLE_MS;
  if (failed !== undefined) return { kind: "failed", reason: failed.reason, message: failed.message, fresh };
  if (succeeded === undefined) return { kind: "open" };
  return { kind: "succeeded", at: succeeded.lastTransitionTime, fresh };
}

/** The first that is most in the way: the job's own trouble, then the worst of the pods'. */
function whyWaiting(
  facts: Facts,
  nodes: readonly NodeObservation[],
  pods: ReadonlyMap<NodeName, SeenPod>,
): { reason: TaskReason; message: string } | null {
  const pending = nodes.filter(({ state }) => state === "Pending");
  if (pending.length === 0 || facts.stop !== undefined) return null;
  const ofJob = waitingOfJob(facts, pods.size);
  if (ofJob !== undefined) return ofJob;
  const told = pending
    .filter((node) => node.reason !== null)
    .sort((a, b) => urgency(a.reason) - urgency(b.reason))[0];
  if (told?.reason == null)
    return { reason: "PreparingNodes", message: "The cluster makes the nodes' pods." };
  return { reason: told.reason, message: told.message ?? `${told.name} waits: ${told.reason}.` };
}

/** What somebody has to do something about comes before what passes by itself. */
const URGENCY: readonly TaskReason[] = [
  "ImageError",
  "ConfigError",
  "MountRefused",
  "Unschedulable",
  "Queued",
  "PullingImage",
  "PreparingNodes",
  "WaitingForMaster",
];
function urgency(reason: TaskReason | null): number {
  const at = reason === null ? -1 : URGENCY.indexOf(reason);
  return at === -1 ? URGENCY.length : at;
}
