/**
 * Environment of a node's container (D12). The operator adds its own variables (MASTER_ADDR, RANK, TF_CONFIG, …) after
 * these; what differs between the nodes of one template is exported by the start script.
 */
import type { TaskIo } from "@aiep/contracts";
import type { V1EnvVar } from "@kubernetes/client-node";
import { ioEnvironment, VALUES_FILE } from "../../../artifacts/left.ts";
import type { Workload } from "../../../domain/runtime.ts";

export const PATHS = {
  root: "/aiep",
  run: "/aiep/run",
  code: "/aiep/code",
  resource: "/aiep/resource",
  home: "/aiep/home",
} as const;

/** What other tasks left, and what is left for them: by name, and bound to where the command looks for it. */
export const IO_PATHS = { given: `${PATHS.root}/given`, left: `${PATHS.root}/left` } as const;

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
    ...(spec.io === undefined ? {} : podIoEnvironment(spec.io)),
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

function podIoEnvironment(io: TaskIo): Record<string, string> {
  const path = (directory: { readonly path: string }) => directory.path;
  return ioEnvironment(io, { values: `${IO_PATHS.left}/${VALUES_FILE}`, input: path, output: path });
}
