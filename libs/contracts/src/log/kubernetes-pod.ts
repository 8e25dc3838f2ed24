/**
 * What task-svc writes on a pod and the log agent reads there: whose log it is (D14, D17). The kubelet's own names of
 * folders and containers are part of it, because a log folder may outlive its pod.
 */
import { type NodeName, nodeName } from "../ids.ts";
import type { TaskMode } from "../task/task-file.ts";

export const POD_LABELS = {
  managedBy: "app.kubernetes.io/managed-by",
  /** Which installation: several share a cluster without touching each other's tasks. */
  instance: "app.kubernetes.io/instance",
  taskId: "aiep.io/task-id",
  /** As far as a label can hold it; the annotation has it whole. */
  groupId: "aiep.io/group-id",
  attempt: "aiep.io/attempt",
} as const;
export const POD_MANAGER = "aiep-task-svc";
/** Selects every object and pod of one installation. */
export const podSelector = (instance: string): string =>
  `${POD_LABELS.managedBy}=${POD_MANAGER},${POD_LABELS.instance}=${instance}`;
/** A task's pod is named after it: `t-<task id>-<attempt>-…`. */
export const TASK_POD_NAME = /^t-[0-9a-f]{32}-[1-9][0-9]{0,8}-/;
export const POD_GROUP_ANNOTATION = "aiep.io/group-id";

/** The container that runs the user's command; its log is the node's log. The operators insist on their names. */
export const NODE_CONTAINERS = {
  Standalone: "main",
  DDP: "pytorch",
  "PS-Worker": "tensorflow",
} as const satisfies Record<TaskMode, string>;
/** Fetches code and material before; the node's container repeats its lines, so its own log counts only where that never began. */
export const PREPARE_CONTAINER = "aiep-prepare";

const REPLICA_TYPE = "training.kubeflow.org/replica-type";
const REPLICA_INDEX = "training.kubeflow.org/replica-index";

/** Which node of the task a pod is: a DDP task's master is worker-0, its worker i is worker-(i+1). */
export function nodeOfPod(mode: TaskMode, labels: Readonly<Record<string, string>>): NodeName | undefined {
  if (mode === "Standalone") return nodeName.parse("worker-0");
  const index = Number(labels[REPLICA_INDEX]);
  const type = labels[REPLICA_TYPE];
  const name =
    mode === "PS-Worker" ? `${type}-${index}` : type === "master" ? "worker-0" : `worker-${index + 1}`;
  return nodeName.safeParse(name).data;
}
