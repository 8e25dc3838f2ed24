/**
 * Gang scheduling and queues, chosen per namespace in the directory (D14). We make the PodGroup ourselves, under the
 * job's name, where the operator finds it; with Kueue a label is all, `suspend` is Kueue's.
 */
import type { Directory } from "@aiep/contracts";
import type { Workload } from "../../../domain/runtime.ts";
import { labelsOf, ownersOf, workloadName } from "../names.ts";
import { resourcesOf } from "./resources.ts";

type Namespace = Directory["namespaces"][number];

const SCHEDULERS = {
  none: undefined,
  kueue: undefined,
  volcano: "volcano",
  "scheduler-plugins": "scheduler-plugins-scheduler",
} as const;

export function schedulerNameOf(namespace: Pick<Namespace, "gang">): string | undefined {
  return SCHEDULERS[namespace.gang];
}

export interface PodGroup {
  readonly apiVersion: "scheduling.volcano.sh/v1beta1" | "scheduling.x-k8s.io/v1alpha1";
  readonly kind: "PodGroup";
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Record<string, string>;
    readonly annotations: Record<string, string>;
  };
  readonly spec: {
    readonly minMember: number;
    readonly minResources: Record<string, string>;
    readonly queue?: string;
  };
}

interface GangFacts {
  readonly namespace: Pick<Namespace, "name" | "gang" | "queue">;
  readonly gpuTypes: Directory["gpu_types"];
  readonly instance: string;
}

export function podGroupOf(
  workload: Workload,
  { namespace, gpuTypes, instance }: GangFacts,
): PodGroup | undefined {
  if (namespace.gang === "none" || namespace.gang === "kueue") return undefined;
  const volcano = namespace.gang === "volcano";
  return {
    apiVersion: volcano ? "scheduling.volcano.sh/v1beta1" : "scheduling.x-k8s.io/v1alpha1",
    kind: "PodGroup",
    metadata: {
      name: workloadName(workload),
      namespace: namespace.name,
      labels: labelsOf(workload, instance),
      annotations: ownersOf(workload),
    },
    spec: {
      minMember: workload.spec.roles.reduce((sum, { count }) => sum + count, 0),
      minResources: wholeGang(workload, gpuTypes),
      ...(volcano && namespace.queue !== undefined ? { queue: namespace.queue } : {}),
    },
  };
}

/** Labels and annotations by which pods belong to their gang. */
export function gangTemplateMetadata(
  workload: Workload,
  { gang }: Pick<Namespace, "gang">,
): { labels: Record<string, string>; annotations: Record<string, string> } {
  const name = workloadName(workload);
  return {
    labels: gang === "scheduler-plugins" ? { "scheduling.x-k8s.io/pod-group": name } : {},
    annotations: gang === "volcano" ? { "scheduling.k8s.io/group-name": name } : {},
  };
}

export function queueLabels({ gang, queue }: Pick<Namespace, "gang" | "queue">): Record<string, string> {
  return gang === "kueue" && queue !== undefined ? { "kueue.x-k8s.io/queue-name": queue } : {};
}

function wholeGang({ spec }: Workload, gpuTypes: Directory["gpu_types"]): Record<string, string> {
  const sums: Record<string, string> = {};
  const total = (pick: (role: (typeof spec.roles)[number]) => number) =>
    spec.roles.reduce((sum, role) => sum + role.count * pick(role), 0);
  for (const role of spec.roles) {
    for (const resource of Object.keys(resourcesOf(role, gpuTypes))) {
      if (resource === "cpu" || resource === "memory") continue;
      const same = spec.roles.filter((each) => each.gpu > 0 && resource in resourcesOf(each, gpuTypes));
      sums[resource] = String(same.reduce((sum, each) => sum + each.count * each.gpu, 0));
    }
  }
  const one = resourcesOf(
    {
      role: "worker",
      count: 1,
      cpu: total(({ cpu }) => cpu),
      memory_gb: total((r) => r.memory_gb),
      gpu: 0,
      gpu_type: null,
    },
    gpuTypes,
  );
  return { ...one, ...sums };
}
