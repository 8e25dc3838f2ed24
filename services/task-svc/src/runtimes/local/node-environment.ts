/**
 * Environment of a node's command, as the cluster would inject it (D12). Pure. What the platform sets comes last and
 * wins over the user's, but for PATH, HOME and the user's name; nothing is inherited from task-svc.
 */
import { AiepError, type TaskSpec } from "@aiep/contracts";
import type { Workload } from "../../domain/runtime.ts";
import { type NodeSlot, nodesOf } from "./layout.ts";
import { localIoEnvironment } from "./node-io.ts";

/** A shell's own default of system folders: not ours, with node_modules/.bin and version managers in it. */
export const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Entry that every process of a node carries, and by which stragglers are found. */
export const NODE_UID_VARIABLE = "AIEP_NODE_UID";

/** Where the node's own folders are seen by its command. */
export interface NodePaths {
  readonly code: string;
  readonly resource: string;
  readonly home: string;
  readonly run: string;
  readonly left: string;
}

export interface NodeEnvironmentInput {
  readonly workload: Workload;
  readonly node: NodeSlot;
  readonly uid: string;
  readonly paths: NodePaths;
  /** One port on 127.0.0.1 per node, in the order of `nodesOf`. */
  readonly ports: readonly number[];
  /** Where a directory between tasks is found: at its path, or, without namespaces, in the node's own folder. */
  readonly seen: (path: string, own: string) => string;
}

export function nodeEnvironment(input: NodeEnvironmentInput): Record<string, string> {
  const { workload, node, uid, paths } = input;
  const { spec } = workload;
  const { user } = spec.identity;
  const env: Record<string, string> = {
    PATH: SYSTEM_PATH,
    HOME: paths.home,
    USER: user,
    LOGNAME: user,
    ...spec.env,
  };
  for (const mount of spec.mounts) if (mount.env_name !== null) env[mount.env_name] = mount.target;
  if (spec.material !== null) {
    env["DEPEND_RESOURCE_PATH"] = paths.resource;
    env["DEPEND_RESROUCE_FILENAME"] = spec.material.filename;
  }
  if (workload.traceparent !== undefined) env["TRACEPARENT"] = workload.traceparent;
  return {
    ...env,
    ...modeEnvironment(input),
    ...(spec.io === undefined ? {} : localIoEnvironment(spec.io, { left: paths.left, seen: input.seen })),
    UPLOAD_CODE_DIR: paths.code,
    AIEP_TASK_ID: workload.taskId,
    AIEP_NODE: node.name,
    [NODE_UID_VARIABLE]: uid,
  };
}

function modeEnvironment({ workload: { spec }, node, ports }: NodeEnvironmentInput): Record<string, string> {
  const nodes = nodesOf(spec);
  const perNode = String(Math.max(1, spec.roles.find(({ role }) => role === node.role)?.gpu ?? 0));
  switch (spec.mode) {
    case "Standalone":
      return { PYTHONUNBUFFERED: "1", PET_NPROC_PER_NODE: perNode };
    case "DDP": {
      const port = String(portOf(ports, 0));
      const rank = String(node.index);
      const size = String(nodes.length);
      return {
        PYTHONUNBUFFERED: "1",
        MASTER_ADDR: "127.0.0.1",
        MASTER_PORT: port,
        WORLD_SIZE: size,
        RANK: rank,
        PET_MASTER_ADDR: "127.0.0.1",
        PET_MASTER_PORT: port,
        PET_NODE_RANK: rank,
        PET_NNODES: size,
        PET_NPROC_PER_NODE: perNode,
      };
    }
    case "PS-Worker":
      return { PYTHONUNBUFFERED: "1", TF_CONFIG: tfConfig(nodes, node, ports) };
    default: {
      const unknown: never = spec.mode;
      throw new TypeError(`unknown mode ${String(unknown)}`);
    }
  }
}

/** The operator's own form (training-jobs, section 5), with loopback addresses. */
function tfConfig(nodes: readonly NodeSlot[], node: NodeSlot, ports: readonly number[]): string {
  const addresses = (role: TaskSpec["roles"][number]["role"]) =>
    nodes.flatMap((each, at) => (each.role === role ? [`127.0.0.1:${portOf(ports, at)}`] : []));
  return JSON.stringify({
    cluster: { ps: addresses("ps"), worker: addresses("worker") },
    task: { type: node.role, index: node.index },
    environment: "cloud",
  });
}

function portOf(ports: readonly number[], at: number): number {
  const port = ports[at];
  if (port === undefined)
    throw new AiepError("INTERNAL", `the workload has no port for its node number ${at}`);
  return port;
}
