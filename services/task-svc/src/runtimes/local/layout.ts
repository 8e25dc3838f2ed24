/**
 * Names and places of the local runtime (R1): everything about a workload follows from (task, attempt), everything
 * about a node from its workload and its name.
 *
 *   <state>/tasks/<task>-<attempt>/            made whole by one rename; exists ⇔ the workload was taken on
 *     workload.json  stop
 *     <node>/                                  made whole by one rename; exists ⇔ the node is prepared, or ended before it started
 *       inside.sh fstab links memory-group run/ code/ resource/ home/   what the wrapper needs
 *       given/ left/ left.json                 directories and values between tasks (node-io.ts)
 *       claim inner state result exit          what the wrapper says (node-files.ts)
 *       raw.out raw.err journal                output (logs/)
 *   <state>/trash/                             on its way out
 *   <logs>/<namespace>_<pod>_<uid>/main/0.log  stays
 */
import { join } from "node:path";
import { type NodeName, type NodeRole, nodeName, podFolder, type TaskSpec, taskId } from "@aiep/contracts";
import type { WorkloadRef } from "../../domain/runtime.ts";

export interface NodePlace {
  readonly dir: string;
  /** Unique among all nodes that ever ran here, and the same after a restart. */
  readonly uid: string;
  readonly podDir: string;
}

export interface NodeSlot {
  readonly name: NodeName;
  readonly role: NodeRole;
  readonly index: number;
}

/** All nodes of a task, workers first; worker-0 is the master of a DDP task. */
export function nodesOf(spec: TaskSpec): NodeSlot[] {
  return spec.roles.flatMap(({ role, count }) =>
    Array.from({ length: count }, (_, index) => ({ name: nodeName.parse(`${role}-${index}`), role, index })),
  );
}

export class Layout {
  readonly tasksDir: string;
  readonly trashDir: string;
  private readonly logsDir: string;

  constructor(stateDir: string, logsDir: string) {
    this.tasksDir = join(stateDir, "tasks");
    this.trashDir = join(stateDir, "trash");
    this.logsDir = logsDir;
  }

  taskDir(folder: string): string {
    return join(this.tasksDir, folder);
  }

  node(folder: string, namespace: string, name: NodeName): NodePlace {
    const uid = `${folder}-${name}`;
    const pod = `task-${folder.slice(0, 8)}${folder.slice(32)}-${name}`;
    return {
      uid,
      dir: join(this.tasksDir, folder, name),
      podDir: join(this.logsDir, podFolder({ namespace, pod, uid })),
    };
  }
}

export function folderOf(ref: WorkloadRef): string {
  return `${ref.taskId}-${ref.attempt}`;
}

/** The workload a folder belongs to; undefined for anything else that lies there. */
export function refOfFolder(folder: string): WorkloadRef | undefined {
  const match = /^([0-9a-f]{32})-([1-9][0-9]{0,8})(?:-|$)/.exec(folder);
  const id = taskId.safeParse(match?.[1]);
  return id.success ? { taskId: id.data, attempt: Number(match?.[2]) } : undefined;
}

/** Files of one node folder. */
export const NODE_FILES = {
  claim: "claim",
  inner: "inner",
  state: "state",
  exit: "exit",
  stdout: "raw.out",
  stderr: "raw.err",
  journal: "journal",
  /** JSON: what worker-0 left for other tasks. */
  left: "left.json",
  inside: "inside.sh",
  fstab: "fstab",
  /** JSON list of the links made on this machine in place of mounts. */
  links: "links",
  /** Path of the node's memory group. */
  group: "memory-group",
} as const;

export const WORKLOAD_FILE = "workload.json";
export const STOP_FILE = "stop";
