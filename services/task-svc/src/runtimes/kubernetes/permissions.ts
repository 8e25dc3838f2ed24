/**
 * What the runtime asks of a cluster, and nothing else: `deploy/kubernetes/rbac.yaml` grants this, the checks look for
 * it, and tests hold both against what is really asked.
 */
import type { Directory } from "@aiep/contracts";

export interface Permission {
  readonly group: string;
  readonly resource: string;
  readonly verb: "get" | "list" | "watch" | "create" | "patch" | "delete";
  /** Of the directory's namespaces, those that need it; default all. */
  readonly gang?: Directory["namespaces"][number]["gang"];
}

const each = (
  group: string,
  resources: readonly string[],
  verbs: readonly Permission["verb"][],
  gang?: Permission["gang"],
): Permission[] =>
  resources.flatMap((resource) =>
    verbs.map((verb) => ({ group, resource, verb, ...(gang === undefined ? {} : { gang }) })),
  );

const OPERATED = ["pytorchjobs", "tfjobs"];

/** In all namespaces (aiep-task-watcher): one watch a kind, not one a namespace. */
export const EVERYWHERE: readonly Permission[] = [
  ...each("batch", ["jobs"], ["list", "watch"]),
  ...each("kubeflow.org", OPERATED, ["list", "watch"]),
  ...each("", ["pods", "events"], ["list", "watch"]),
  ...each("", ["nodes"], ["list"]),
  ...each("scheduling.volcano.sh", ["podgroups"], ["list", "watch"], "volcano"),
  ...each("scheduling.x-k8s.io", ["podgroups"], ["list", "watch"], "scheduler-plugins"),
  ...each("kueue.x-k8s.io", ["workloads"], ["list", "watch"], "kueue"),
];

/** In each namespace of the directory (aiep-task-runner). */
export const IN_NAMESPACES: readonly Permission[] = [
  ...each("batch", ["jobs"], ["get", "create", "patch", "delete"]),
  ...each("kubeflow.org", OPERATED, ["get", "create", "patch", "delete"]),
  ...each("", ["pods"], ["delete"]),
  ...each("", ["persistentvolumeclaims"], ["get"]),
  ...each("scheduling.volcano.sh", ["podgroups"], ["get", "create"], "volcano"),
  ...each("scheduling.x-k8s.io", ["podgroups"], ["get", "create"], "scheduler-plugins"),
];
