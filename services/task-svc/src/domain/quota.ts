/** Resources of tasks and namespaces (D15): more than is free just now waits, and says what is free (I11). */
import type { TaskSpec } from "@aiep/contracts";

export interface Resources {
  readonly cpu: number;
  readonly memoryGb: number;
  readonly gpu: number;
}

export const NO_RESOURCES: Resources = { cpu: 0, memoryGb: 0, gpu: 0 };

// Sums of fractions such as 0.1 + 0.2 must compare equal to 0.3.
const rounded = (value: number): number => Math.round(value * 1e6) / 1e6;

export function addResources(a: Resources, b: Resources): Resources {
  return {
    cpu: rounded(a.cpu + b.cpu),
    memoryGb: rounded(a.memoryGb + b.memoryGb),
    gpu: rounded(a.gpu + b.gpu),
  };
}

/** Never below zero: a quota may have been lowered under what runs. */
export function freeResources(quota: Resources, used: Resources): Resources {
  return {
    cpu: Math.max(0, rounded(quota.cpu - used.cpu)),
    memoryGb: Math.max(0, rounded(quota.memoryGb - used.memoryGb)),
    gpu: Math.max(0, rounded(quota.gpu - used.gpu)),
  };
}

/** All nodes of a task together. */
export function taskResources(spec: Pick<TaskSpec, "roles">): Resources {
  return spec.roles.reduce<Resources>(
    (sum, role) =>
      addResources(sum, {
        cpu: role.count * role.cpu,
        memoryGb: role.count * role.memory_gb,
        gpu: role.count * role.gpu,
      }),
    NO_RESOURCES,
  );
}

export function fits(asked: Resources, free: Resources): boolean {
  return asked.cpu <= free.cpu && asked.memoryGb <= free.memoryGb && asked.gpu <= free.gpu;
}

/** `2 CPU, 4 GB` or, where GPUs matter, `2 CPU, 4 GB, 1 GPU`. */
export function describeResources(resources: Resources, withGpu = resources.gpu > 0): string {
  const gpu = withGpu ? `, ${resources.gpu} GPU` : "";
  return `${resources.cpu} CPU, ${resources.memoryGb} GB${gpu}`;
}
