/** The kinds we make and watch. */
import type { ResourceKind } from "@aiep/kube";

export const KINDS = {
  Job: { group: "batch", version: "v1", plural: "jobs" },
  PyTorchJob: { group: "kubeflow.org", version: "v1", plural: "pytorchjobs" },
  TFJob: { group: "kubeflow.org", version: "v1", plural: "tfjobs" },
  Pod: { group: "", version: "v1", plural: "pods" },
  PersistentVolumeClaim: { group: "", version: "v1", plural: "persistentvolumeclaims" },
  Node: { group: "", version: "v1", plural: "nodes" },
  Event: { group: "", version: "v1", plural: "events" },
  VolcanoPodGroup: { group: "scheduling.volcano.sh", version: "v1beta1", plural: "podgroups" },
  CoschedulingPodGroup: { group: "scheduling.x-k8s.io", version: "v1alpha1", plural: "podgroups" },
  KueueWorkload: { group: "kueue.x-k8s.io", version: "v1beta1", plural: "workloads" },
} as const satisfies Record<string, ResourceKind>;
