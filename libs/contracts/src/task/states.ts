/**
 * What a user sees of a task (D11): five states, and beside the state a machine-readable reason, a sentence that says
 * what to do, and the state of every node. The words are the documents' own.
 */
import * as z from "zod";
import { nodeName, timestamp } from "../ids.ts";

export const TASK_STATES = ["Initializing", "Running", "Succeeded", "Failed", "Stopped"] as const;
export const taskState = z.enum(TASK_STATES);
export type TaskState = z.infer<typeof taskState>;

export const TERMINAL_TASK_STATES = ["Succeeded", "Failed", "Stopped"] as const;
export type TerminalTaskState = (typeof TERMINAL_TASK_STATES)[number];

export function isTerminal(state: TaskState): state is TerminalTaskState {
  return state === "Succeeded" || state === "Failed" || state === "Stopped";
}

export const NODE_STATES = ["Pending", "Running", "Succeeded", "Failed", "Stopped"] as const;
export const nodeState = z.enum(NODE_STATES);
export type NodeState = z.infer<typeof nodeState>;

/** Machine words for "why is it in this state"; each has one line of explanation for the documents. */
export const TASK_REASONS = {
  // Initializing
  Submitting: "Accepted; the workload is being created.",
  WaitingForQuota: "The namespace's quota is in use by other tasks; starts by itself when enough is free.",
  Queued: "Waiting in the queue of the gang scheduler or Kueue.",
  Unschedulable: "No machine has the requested resources free.",
  PullingImage: "The image is being pulled.",
  ImageError: "The image cannot be pulled.",
  ConfigError: "The runtime refuses the container's configuration.",
  PreparingNodes: "The platform checks mounts and rights, fetches the code package and material.",
  WaitingForMaster: "Workers wait for the master node to start.",
  // Running
  AllNodesRunning: "Every node runs.",
  Stopping: "A stop was requested; the nodes are being ended.",
  // Succeeded
  Completed: "Every node that decides the result ended with exit code 0.",
  // Failed
  NonZeroExit: "A node's command ended with an exit code other than 0.",
  Signaled: "A node's command was ended by a signal nobody here sent.",
  OutOfMemory: "A node used more memory than it asked for.",
  DeadlineExceeded: "The run limit is over.",
  LaunchFailed: "The runtime could not start the workload.",
  MountRefused: "A storage mount is missing or may not be used as asked.",
  CodePackageInvalid: "The code package could not be fetched or unpacked.",
  MaterialInvalid: "The material could not be fetched, or its checksum differs.",
  InputsInvalid: "A directory that another task left could not be placed.",
  OutputsInvalid: "What the command left for other tasks cannot be used.",
  IdentityRefused: "The command could not be run as the wanted user.",
  QuotaExceeded: "The cluster refused the workload because of its quota.",
  NodeLost: "A node vanished and its result cannot be known.",
  Evicted: "A node was evicted by the cluster.",
  RemovedFromOutside: "The workload was removed by somebody other than the platform.",
  // Stopped
  StoppedByUser: "Somebody asked for the stop.",
} as const;
export type TaskReason = keyof typeof TASK_REASONS;
/** Readers accept reasons they do not know (E2). */
export const taskReason = z.string().min(1).max(64);

export const NODE_ROLES = ["worker", "ps"] as const;
export const nodeRole = z.enum(NODE_ROLES);
export type NodeRole = z.infer<typeof nodeRole>;

export const taskNode = z.object({
  name: nodeName,
  role: nodeRole,
  /** Number of the node within its role, from 0. */
  index: z.int().min(0),
  state: nodeState,
  /** 0–255; null until the node's command ended, or when it cannot be known. */
  exit_code: z.int().min(0).max(255).nullable(),
  reason: taskReason.nullable(),
  message: z.string().nullable(),
  started_at: timestamp.nullable(),
  finished_at: timestamp.nullable(),
});
export type TaskNode = z.infer<typeof taskNode>;
