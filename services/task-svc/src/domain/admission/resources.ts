/** Resources of a task: its roles, GPU types, and the whole quota of the namespace (A3 of admission). Pure. */
import type { Directory, NodeResources, TaskFile, TaskSpec } from "@aiep/contracts";
import { taskResources } from "../quota.ts";
import type { Namespace, Resolved } from "./facts.ts";
import { type Refusal, refusal, whoCanChange } from "./refusal.ts";

export type Role = TaskSpec["roles"][number];

export function resolveResources(
  file: TaskFile,
  namespace: Namespace | undefined,
  directory: Directory,
): Resolved<Role[]> {
  const { worker, ps } = file.compute_resource_info.node_info;
  const refusals: Refusal[] = [];
  const roles: Role[] = [];
  for (const [role, resources] of [["worker", worker] as const, ["ps", ps] as const]) {
    if (resources === undefined) continue;
    const gpuType = resolveGpuType(role, resources, directory);
    if (gpuType.kind === "refused") refusals.push(...gpuType.refusals);
    roles.push({
      role,
      count: resources.nums,
      cpu: resources.cpu_num,
      memory_gb: resources.memory,
      gpu: resources.gpu_num ?? 0,
      gpu_type: gpuType.kind === "found" ? gpuType.value : null,
    });
  }
  if (namespace !== undefined) refusals.push(...overQuota(roles, namespace, directory));
  return refusals.length === 0 ? { kind: "found", value: roles } : { kind: "refused", refusals };
}

/** The type named; without a name the directory's only one, so that nobody's GPUs are of an accidental kind. */
function resolveGpuType(
  role: "worker" | "ps",
  asked: NodeResources,
  directory: Directory,
): Resolved<string | null> {
  const known = directory.gpu_types.map((type) => type.name);
  const wanted = asked.gpu_type;
  if (wanted === undefined && (asked.gpu_num ?? 0) === 0) return { kind: "found", value: null };
  if (wanted !== undefined && known.includes(wanted)) return { kind: "found", value: wanted };
  const [only, ...others] = known;
  if (wanted === undefined && only !== undefined && others.length === 0)
    return { kind: "found", value: only };
  const list = known.length === 0 ? "the directory knows none" : `one of ${known.join(", ")}`;
  const detail =
    wanted === undefined
      ? `The ${role} nodes ask for GPUs without gpu_type: ${list}.`
      : `${wanted} is not a known GPU type: ${list}.`;
  const pointer = `/task_config/compute_resource_info/node_info/${role}/gpu_type`;
  return {
    kind: "refused",
    refusals: [refusal("GPU_TYPE_UNKNOWN", pointer, detail, whoCanChange.platform(directory))],
  };
}

const RESOURCES = [
  { resource: "cpu", unit: "CPU cores" },
  { resource: "memory_gb", unit: "GB of memory" },
  { resource: "gpu", unit: "GPUs" },
] as const;

function overQuota(roles: readonly Role[], namespace: Namespace, directory: Directory): Refusal[] {
  const { cpu, memoryGb, gpu } = taskResources({ roles: [...roles] });
  const asked = { cpu, memory_gb: memoryGb, gpu };
  const over = RESOURCES.map(({ resource, unit }) => ({
    resource,
    unit,
    asked: asked[resource],
    limit: namespace.quota[resource],
  })).filter((each) => each.asked > each.limit);
  if (over.length === 0) return [];
  const parts = over.map((each) => `${each.asked} ${each.unit} of ${each.limit}`);
  return [
    refusal(
      "QUOTA_EXCEEDED",
      "/task_config/compute_resource_info/node_info",
      `All nodes together ask for ${parts.join(", ")} in the whole quota of the namespace ${namespace.name}.`,
      `Ask for less. ${whoCanChange.platform(directory)}`,
      {
        extensions: { resources: over.map(({ resource, asked, limit }) => ({ resource, asked, limit })) },
      },
    ),
  ];
}
