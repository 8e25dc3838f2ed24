/**
 * Names, labels and annotations of everything the kubernetes runtime makes (R1). A workload's name follows from
 * (task, attempt) alone, begins with a letter and is at most 44 characters long, so that the operator's pods and
 * services (`<job>-worker-9999`) stay DNS labels too.
 */
import { createHash } from "node:crypto";
import { POD_GROUP_ANNOTATION, POD_LABELS, POD_MANAGER, taskId } from "@aiep/contracts";
import type { Workload, WorkloadRef } from "../../domain/runtime.ts";

export {
  NODE_CONTAINERS as CONTAINERS,
  nodeOfPod,
  POD_LABELS as LABELS,
  PREPARE_CONTAINER,
  podSelector as selectorOf,
} from "@aiep/contracts";

/** The operator's own container in workers: it ends when the master's name resolves. */
export const MASTER_AWAITED = "init-pytorch";

export const ANNOTATIONS = {
  taskName: "aiep.io/task-name",
  groupId: POD_GROUP_ANNOTATION,
  createdBy: "aiep.io/created-by",
  runsAs: "aiep.io/runs-as",
  /** What `launch` compares when it finds an object of its name. */
  specHash: "aiep.io/spec-hash",
  /** JSON of `Plan`: what observing needs to know of the spec. */
  plan: "aiep.io/plan",
  /** JSON of `StopOrder`; once there, no node is started any more (R3). */
  stop: "aiep.io/stop",
  /** RFC 3339: the workload was removed, its objects are kept until then. */
  keepUntil: "aiep.io/keep-until",
} as const;

const MAX_ATTEMPT = 999_999_999;

export function workloadName(ref: WorkloadRef): string {
  if (ref.attempt > MAX_ATTEMPT) throw new RangeError(`attempt ${ref.attempt} makes no name`);
  return `t-${ref.taskId}-${ref.attempt}`;
}

/** The workload whose job, pod, service or pod group has this name; undefined for anybody else's. */
export function refOfName(name: string): WorkloadRef | undefined {
  const match = /^t-([0-9a-f]{32})-([1-9][0-9]{0,8})(?:-|$)/.exec(name);
  const id = taskId.safeParse(match?.[1]);
  return id.success ? { taskId: id.data, attempt: Number(match?.[2]) } : undefined;
}

export function keyOf(ref: WorkloadRef): string {
  return workloadName(ref);
}

/** Any text as a label value: what may stay stays, a hash makes two texts that look alike different. */
export function labelValue(text: string): string {
  if (/^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(text)) return text;
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 8);
  const plain = text
    .replaceAll(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[^A-Za-z0-9]+/, "")
    .slice(0, 54)
    .replace(/[^A-Za-z0-9]+$/, "");
  return plain === "" ? hash : `${plain}-${hash}`;
}

/** The platform's own win: they are how it finds what it made. */
export function labelsOf(workload: Workload, instance: string): Record<string, string> {
  return {
    ...workload.labels,
    [POD_LABELS.managedBy]: POD_MANAGER,
    [POD_LABELS.instance]: instance,
    [POD_LABELS.taskId]: workload.taskId,
    [POD_LABELS.groupId]: labelValue(workload.groupId),
    [POD_LABELS.attempt]: String(workload.attempt),
  };
}

export function ownersOf(workload: Workload): Record<string, string> {
  return {
    [ANNOTATIONS.taskName]: workload.taskName,
    [ANNOTATIONS.groupId]: workload.groupId,
    [ANNOTATIONS.createdBy]: workload.createdBy,
    [ANNOTATIONS.runsAs]: workload.spec.identity.user,
  };
}
