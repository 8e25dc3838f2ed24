/**
 * Environment of a node's container (D12). The operator adds its own variables (MASTER_ADDR, RANK, TF_CONFIG, …) after
 * these; what differs between the nodes of one template is exported by the start script.
 */
import type { V1EnvVar } from "@kubernetes/client-node";
import type { Workload } from "../../../domain/runtime.ts";

export const PATHS = {
  root: "/aiep",
  run: "/aiep/run",
  code: "/aiep/code",
  resource: "/aiep/resource",
  home: "/aiep/home",
} as const;

/** Kubernetes expands `$(NAME)` and halves `$$` in values and arguments; this undoes both. */
export function literal(text: string): string {
  return text.replaceAll("$", "$$$$");
}

export function environmentOf(workload: Workload): V1EnvVar[] {
  const { spec } = workload;
  const { user } = spec.identity;
  const values: Record<string, string> = {
    HOME: PATHS.home,
    USER: user,
    LOGNAME: user,
    ...spec.env,
  };
  for (const mount of spec.mounts) if (mount.env_name !== null) values[mount.env_name] = mount.target;
  if (spec.material !== null) {
    values["DEPEND_RESOURCE_PATH"] = PATHS.resource;
    values["DEPEND_RESROUCE_FILENAME"] = spec.material.filename;
  }
  if (workload.traceparent !== undefined) values["TRACEPARENT"] = workload.traceparent;
  const platform = {
    PYTHONUNBUFFERED: "1",
    UPLOAD_CODE_DIR: PATHS.code,
    AIEP_TASK_ID: workload.taskId,
  };
  return [
    ...Object.entries({ ...values, ...platform }).map(([name, value]) => ({ name, value: literal(value) })),
    { name: "AIEP_POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
    { name: "AIEP_NODE_UID", valueFrom: { fieldRef: { fieldPath: "metadata.uid" } } },
  ];
}
