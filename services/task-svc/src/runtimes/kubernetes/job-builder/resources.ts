/** Resources of a node as Kubernetes quantities. Requests equal limits: what was asked for is what there is (D15). */
import { AiepError, type TaskSpec } from "@aiep/contracts";

type Role = TaskSpec["roles"][number];

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
/** Name of the resource where the directory knows no type. */
const DEFAULT_GPU_RESOURCE = "nvidia.com/gpu";

export function resourcesOf(
  role: Role,
  gpuTypes: readonly { readonly name: string; readonly resource: string }[],
): Record<string, string> {
  return {
    cpu: cpuQuantity(role.cpu),
    memory: memoryQuantity(role.memory_gb),
    ...(role.gpu > 0 ? { [gpuResource(role.gpu_type, gpuTypes)]: String(role.gpu) } : {}),
  };
}

export function cpuQuantity(cores: number): string {
  const milli = Math.max(1, Math.round(cores * 1000));
  return milli % 1000 === 0 ? String(milli / 1000) : `${milli}m`;
}

export function memoryQuantity(gb: number): string {
  const bytes = Math.max(1, Math.ceil(gb * GIB));
  if (bytes % GIB === 0) return `${bytes / GIB}Gi`;
  return bytes % MIB === 0 ? `${bytes / MIB}Mi` : String(bytes);
}

function gpuResource(
  type: string | null,
  known: readonly { readonly name: string; readonly resource: string }[],
): string {
  if (type === null) return DEFAULT_GPU_RESOURCE;
  const found = known.find(({ name }) => name === type);
  if (found !== undefined) return found.resource;
  throw new AiepError(
    "LAUNCH_REFUSED",
    `The GPU type ${type} is not in the directory any more; a platform administrator can put it back.`,
  );
}
