/** What log-svc knows of a task from its events, and when a stream of its log is over. */
import { type GroupId, isTerminal, type NodeName, type TaskId, type TaskState } from "@aiep/contracts";

export interface TaskFacts {
  readonly taskId: TaskId;
  readonly groupId: GroupId;
  readonly state: TaskState;
  /** Number of the launch; 0 before the first. */
  readonly attempt: number;
  /** Every node, and whether its command or its container ever ran. */
  readonly nodes: ReadonlyMap<NodeName, boolean>;
  readonly deleted: boolean;
}

export interface SourceState {
  readonly node: NodeName;
  readonly attempt: number;
  readonly complete: boolean;
}

/** `open`: more lines may come. `closing`: the task ended, some node's last lines are on their way. */
export type LogPhase = "open" | "closing" | "complete";

export function logPhase(task: TaskFacts, sources: readonly SourceState[]): LogPhase {
  if (!isTerminal(task.state)) return "open";
  const missing = [...task.nodes].some(([node, started]) => {
    const latest = sources
      .filter((source) => source.node === node)
      .reduce<SourceState | undefined>(
        (a, b) => (a === undefined || b.attempt > a.attempt ? b : a),
        undefined,
      );
    if (latest === undefined) return started;
    return !latest.complete || (started && latest.attempt < task.attempt);
  });
  return missing ? "closing" : "complete";
}
