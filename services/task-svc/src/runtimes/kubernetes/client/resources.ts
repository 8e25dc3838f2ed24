/** REST paths of the kinds we make and watch. */
export interface ResourceKind {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
}

export const KINDS = {
  Job: { group: "batch", version: "v1", plural: "jobs" },
  PyTorchJob: { group: "kubeflow.org", version: "v1", plural: "pytorchjobs" },
  TFJob: { group: "kubeflow.org", version: "v1", plural: "tfjobs" },
  Pod: { group: "", version: "v1", plural: "pods" },
  Event: { group: "", version: "v1", plural: "events" },
  VolcanoPodGroup: { group: "scheduling.volcano.sh", version: "v1beta1", plural: "podgroups" },
  CoschedulingPodGroup: { group: "scheduling.x-k8s.io", version: "v1alpha1", plural: "podgroups" },
} as const satisfies Record<string, ResourceKind>;

export function pathOf(kind: ResourceKind, at: { namespace?: string; name?: string } = {}): string {
  const base = kind.group === "" ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  const namespace = at.namespace === undefined ? "" : `/namespaces/${encodeURIComponent(at.namespace)}`;
  const name = at.name === undefined ? "" : `/${encodeURIComponent(at.name)}`;
  return `${base}${namespace}/${kind.plural}${name}`;
}
