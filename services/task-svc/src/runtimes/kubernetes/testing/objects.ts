/** Pods, jobs and events as an API server sends them, for the tests of the observer. */
import type { TaskMode } from "@aiep/contracts";
import { ANNOTATIONS, CONTAINERS, workloadName } from "../names.ts";
import { event, type Job, job, type KubeEvent, type Pod, pod, podGroup } from "../observe/resources.ts";
import { planOf } from "../plan.ts";
import { role, workloadOf } from "./workloads.ts";

export const NAME = workloadName(workloadOf());
const START = "2026-11-21T10:00:00Z";
export const LATER = "2026-11-21T10:05:00Z";

const WORKLOADS = {
  Standalone: workloadOf(),
  DDP: workloadOf({ mode: "DDP", roles: [role("worker", 3, { gpu: 2 })] }),
  "PS-Worker": workloadOf({ mode: "PS-Worker", roles: [role("worker", 2), role("ps", 1)] }),
};
export const workloadIn = (mode: TaskMode) => WORKLOADS[mode];
export const planIn = (mode: TaskMode) => planOf(WORKLOADS[mode].spec);

const KINDS = { Standalone: "Job", DDP: "PyTorchJob", "PS-Worker": "TFJob" } as const;

export function jobIn(mode: TaskMode, conditions: readonly object[] = [], spec: object = {}): Job {
  return job.parse({
    kind: KINDS[mode],
    metadata: {
      name: NAME,
      namespace: "ns-plain",
      uid: "job-1",
      creationTimestamp: START,
      annotations: { [ANNOTATIONS.plan]: JSON.stringify(planIn(mode)) },
    },
    spec,
    status: { conditions },
  });
}

export const condition = (type: string, reason = "", message = "", status = "True") => ({
  type,
  status,
  reason,
  message,
});

export interface PodInput {
  readonly mode?: TaskMode;
  /** `master-0`, `worker-1`, `ps-0`; Standalone has none. */
  readonly replica?: string;
  readonly uid?: string;
  readonly created?: string;
  readonly deleted?: string;
  readonly status?: object;
}

export function podOf({ mode = "Standalone", replica = "x7k2p", ...rest }: PodInput = {}): Pod {
  const [type = "", index = ""] = replica.split("-");
  return pod.parse({
    metadata: {
      name: `${NAME}-${replica}`,
      namespace: "ns-plain",
      uid: rest.uid ?? `uid-${replica}`,
      creationTimestamp: rest.created ?? START,
      deletionTimestamp: rest.deleted,
      labels:
        mode === "Standalone"
          ? {}
          : { "training.kubeflow.org/replica-type": type, "training.kubeflow.org/replica-index": index },
    },
    spec: { nodeName: "machine-1" },
    status: rest.status ?? {},
  });
}

export const own = (mode: TaskMode, state: object) => ({
  conditions: [condition("PodScheduled")],
  containerStatuses: [{ name: CONTAINERS[mode], state }],
});

export const running = (mode: TaskMode) => ({
  phase: "Running",
  ...own(mode, { running: { startedAt: START } }),
});

export const ended = (mode: TaskMode, exitCode: number, reason = "Error", message = "") => ({
  phase: exitCode === 0 ? "Succeeded" : "Failed",
  ...own(mode, { terminated: { exitCode, reason, message, startedAt: START, finishedAt: LATER } }),
});

export const waiting = (mode: TaskMode, reason: string, message = "") => ({
  phase: "Pending",
  ...own(mode, { waiting: { reason, message } }),
});

export const unscheduled = (message: string, reason = "Unschedulable") => ({
  phase: "Pending",
  conditions: [condition("PodScheduled", reason, message, "False")],
});

export const initRunning = (name: string) => ({
  phase: "Pending",
  conditions: [condition("PodScheduled")],
  initContainerStatuses: [{ name, state: { running: { startedAt: START } } }],
});

export const warning = (about: string, reason: string, message: string): KubeEvent =>
  event.parse({ metadata: { name: `${about}.1` }, involvedObject: { name: about }, reason, message });

export const gang = (phase: string, message?: string) =>
  podGroup.parse({
    metadata: { name: NAME },
    spec: { minMember: 3 },
    status: {
      phase,
      conditions: message === undefined ? [] : [condition("Unschedulable", "NotEnoughResources", message)],
    },
  });
