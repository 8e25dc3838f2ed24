/** How an execution of WTSS stands, by the names of Schedulis' statuses. Pure. */
import type { ExecutionState } from "../scheduler.ts";

const ENDED = new Map<string, ExecutionState>([
  ["RETRIED_SUCCEEDED", "succeeded"],
  ["SUCCEEDED", "succeeded"],
  ["SKIPPED", "succeeded"],
  ["FAILED_SKIPPED", "succeeded"],
  ["FAILED_SUCCEEDED", "succeeded"],
  ["FAILED", "failed"],
  ["KILLED", "killed"],
  ["CANCELLED", "killed"],
]);

export interface ExecutionView {
  readonly status: string;
  readonly nodes: readonly { readonly attempt: number }[];
}

/**
 * Of one attempt of the flow's one job. The flow's status decides: a cancelled run may leave its node READY. A status that we
 * do not know counts as running, since nobody may be stopped by mistake.
 */
export function executionState({ status, nodes }: ExecutionView, attempt: number): ExecutionState {
  if (nodes.some((node) => node.attempt > attempt)) return "failed";
  return ENDED.get(status) ?? "running";
}
