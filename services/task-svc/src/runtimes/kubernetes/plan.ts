/** What observing needs to know of a workload's spec, kept on the job itself so that a successor finds it (R4). */
import { type NodeName, type NodeRole, nodeName, TASK_MODES, type TaskSpec } from "@aiep/contracts";
import * as z from "zod";
import { expectsOutputs } from "../../artifacts/left.ts";

export const plan = z.object({
  mode: z.enum(TASK_MODES),
  image: z.string(),
  roles: z.array(
    z.object({
      role: z.enum(["worker", "ps"]),
      count: z.int().min(1),
      cpu: z.number(),
      memory_gb: z.number(),
      gpu: z.int(),
      gpu_type: z.string().nullable(),
    }),
  ),
  /** worker-0 leaves something for other tasks. */
  leaves: z.boolean().optional(),
});
export type Plan = z.infer<typeof plan>;

export function planOf(spec: TaskSpec): Plan {
  const leaves = expectsOutputs(spec.io) ? { leaves: true } : {};
  return { mode: spec.mode, image: spec.image.url, roles: spec.roles, ...leaves };
}

export interface PlannedNode {
  readonly name: NodeName;
  readonly role: NodeRole;
  readonly index: number;
}

export function nodesOf({ roles }: Pick<Plan, "roles">): PlannedNode[] {
  return roles.flatMap(({ role, count }) =>
    Array.from({ length: count }, (_, index) => ({ name: nodeName.parse(`${role}-${index}`), role, index })),
  );
}

export const stopOrder = z.object({ at: z.iso.datetime(), grace_seconds: z.int().min(0) });
export type StopOrder = z.infer<typeof stopOrder>;
