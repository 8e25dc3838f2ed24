/**
 * Reads node states: which changed, which failed first, whether all have started, whether the task is decided.
 *
 * V1 A node's record is monotonic: Pending → Running → ended; an ended node never changes again (I4).
 * V2 Failure is read before success, so the order in which nodes are looked at never matters.
 * V3 worker-0 decides the result in every mode: the only node, the DDP master, or the first worker beside servers.
 *    Other workers then get LINGER_SECONDS to end by themselves; parameter servers are ended with the task.
 *    A cluster's operator may end them at once: Stopped after worker-0 succeeded is no failure.
 */
import type { NodeState, TaskId, TaskReason, TaskSpec } from "@aiep/contracts";
import type { NodeObservation } from "./runtime.ts";
import type { TaskNodeRecord } from "./task.ts";

const LINGER_SECONDS = 10;

export interface Why {
  readonly reason: TaskReason;
  readonly message: string;
}

const RANK = { Pending: 0, Running: 1, Succeeded: 2, Failed: 2, Stopped: 2 } as const satisfies Record<
  NodeState,
  number
>;

export function nodeEnded(node: { readonly state: NodeState }): boolean {
  return RANK[node.state] === 2;
}

export function initialNodes(spec: Pick<TaskSpec, "roles">): TaskNodeRecord[] {
  return spec.roles.flatMap((role) =>
    Array.from({ length: role.count }, (_, index) => ({
      // A role and a number make a node name by construction.
      name: `${role.role}-${index}` as TaskNodeRecord["name"],
      role: role.role,
      index,
      state: "Pending" as const,
      exitCode: null,
      reason: null,
      message: null,
      startedAt: null,
      finishedAt: null,
    })),
  );
}

export interface Merged {
  readonly nodes: readonly TaskNodeRecord[];
  readonly changed: readonly TaskNodeRecord[];
}

/** Takes over what moved forward; a node that was not observed, or is unknown here, changes nothing. */
export function mergeNodes(
  nodes: readonly TaskNodeRecord[],
  observed: readonly NodeObservation[],
  now: Date,
): Merged {
  const byName = new Map(observed.map((node) => [node.name, node]));
  const changed: TaskNodeRecord[] = [];
  const merged = nodes.map((node) => {
    const seen = byName.get(node.name);
    if (seen === undefined || !movesOn(node, seen)) return node;
    const next = nextRecord(node, seen, now);
    changed.push(next);
    return next;
  });
  return { nodes: merged, changed };
}

function movesOn(node: TaskNodeRecord, seen: NodeObservation): boolean {
  if (nodeEnded(node) || RANK[seen.state] < RANK[node.state]) return false;
  return seen.state !== node.state || seen.reason !== node.reason || seen.message !== node.message;
}

function nextRecord(node: TaskNodeRecord, seen: NodeObservation, now: Date): TaskNodeRecord {
  const past = (date: Date | null): Date | null => (date !== null && date > now ? now : date); // another clock's future
  return {
    ...node,
    state: seen.state,
    exitCode: nodeEnded(seen) ? seen.exitCode : null,
    reason: seen.reason,
    message: seen.message,
    startedAt: node.startedAt ?? past(seen.startedAt) ?? (seen.state === "Running" ? now : null),
    finishedAt: nodeEnded(seen) ? (past(seen.finishedAt) ?? now) : null,
  };
}

/** Records nodes that still ran, or never started, when the task ended. */
export function endNodes(nodes: readonly TaskNodeRecord[], message: string, now: Date): Merged {
  const changed: TaskNodeRecord[] = [];
  const ended = nodes.map((node) => {
    if (nodeEnded(node)) return node;
    const next: TaskNodeRecord = { ...node, state: "Stopped", reason: null, message, finishedAt: now };
    changed.push(next);
    return next;
  });
  return { nodes: ended, changed };
}

/** The documents' rule for Running; a quick node that already succeeded counts. */
export function allStarted(nodes: readonly TaskNodeRecord[]): boolean {
  return nodes.every((node) => node.state === "Running" || node.state === "Succeeded");
}

/** The node that failed first, or was stopped though nobody here asked for it and worker-0 had not succeeded (V3). */
export function firstFailure(nodes: readonly TaskNodeRecord[]): TaskNodeRecord | undefined {
  let first: TaskNodeRecord | undefined;
  const succeeded = decider(nodes)?.state === "Succeeded";
  for (const node of nodes) {
    if (node.state !== "Failed" && (node.state !== "Stopped" || succeeded)) continue;
    if (first === undefined || endOf(node) < endOf(first)) first = node;
  }
  return first;
}

const endOf = (node: TaskNodeRecord): number => node.finishedAt?.getTime() ?? 0;

function decider(nodes: readonly TaskNodeRecord[]): TaskNodeRecord | undefined {
  return nodes.find((node) => node.role === "worker" && node.index === 0);
}

/** When the task succeeds at the latest: set once the deciding node succeeded (V3). */
export function lingerEnd(nodes: readonly TaskNodeRecord[]): Date | null {
  const node = decider(nodes);
  if (node?.state !== "Succeeded" || node.finishedAt === null) return null;
  return new Date(node.finishedAt.getTime() + LINGER_SECONDS * 1000);
}

/** True when the deciding node succeeded and the other workers have ended or had their time. No node may have failed. */
export function isDecided(nodes: readonly TaskNodeRecord[], now: Date): boolean {
  const until = lingerEnd(nodes);
  if (until === null) return false;
  return until <= now || nodes.every((node) => node.role !== "worker" || nodeEnded(node));
}

/** Why a node's end is the task's failure, in a sentence that says what to do. */
export function failureOf(taskId: TaskId, node: TaskNodeRecord): Why {
  const log = `see its log: aiepctl mltask logs ${taskId} --node ${node.name}`;
  const reason = node.reason ?? impliedReason(node);
  switch (reason) {
    case "NonZeroExit":
      return { reason, message: `${node.name} ended with exit code ${node.exitCode ?? "unknown"}; ${log}` };
    case "Signaled":
      return {
        reason,
        message: `${node.name} was ended by a signal${node.exitCode === null ? "" : ` (exit code ${node.exitCode})`}; ${log}`,
      };
    case "OutOfMemory":
      return {
        reason,
        message: `${node.name} used more memory than it asked for; raise compute_resource_info.node_info.${node.role}.memory, or ${log}`,
      };
    default:
      return {
        reason,
        message: `${node.name}: ${node.message?.replace(/\.$/, "") ?? `ended with ${reason}`}; ${log}`,
      };
  }
}

function impliedReason(node: TaskNodeRecord): TaskReason {
  if (node.state === "Stopped") return "RemovedFromOutside";
  if (node.exitCode === null) return "NodeLost";
  return node.exitCode > 128 ? "Signaled" : "NonZeroExit";
}

const list = (nodes: readonly TaskNodeRecord[]): string => {
  const names = nodes.slice(0, 5).map((node) => node.name);
  return nodes.length > names.length
    ? `${names.join(", ")} and ${nodes.length - names.length} more`
    : names.join(", ");
};

/** Why a launched task is not Running yet (I11). */
export function whyNotRunning(nodes: readonly TaskNodeRecord[], waiting: Why | null): Why {
  if (waiting !== null) return waiting;
  const pending = nodes.filter((node) => node.state === "Pending");
  const told = pending.find((node) => node.reason !== null);
  if (told?.reason != null) {
    return { reason: told.reason, message: told.message ?? `${told.name} waits: ${told.reason}.` };
  }
  const started = nodes.length - pending.length;
  return {
    reason: "PreparingNodes",
    message:
      started === 0
        ? "The nodes are being prepared: mounts and rights are checked, code and material fetched."
        : `${started} of ${nodes.length} nodes run; waiting for ${list(pending)}.`,
  };
}

/** What a Running task waits for. */
export function runningMessage(nodes: readonly TaskNodeRecord[]): string {
  const open = nodes.filter((node) => !nodeEnded(node));
  if (open.length === nodes.length)
    return nodes.length === 1 ? "The node runs." : `All ${nodes.length} nodes run.`;
  if (open.length === 0) return nodes.length === 1 ? "The node has ended." : "All nodes have ended.";
  if (lingerEnd(nodes) !== null) {
    return `worker-0 has succeeded; ${list(open)} may end by themselves within ${LINGER_SECONDS} s.`;
  }
  return `${nodes.length - open.length} of ${nodes.length} nodes have ended; still running: ${list(open)}.`;
}
