/**
 * What a user sees of a run and of its nodes (D21). The words are those of dag-semantics, section 1; a terminal state
 * never leaves except that a rerun makes a new run.
 */
import * as z from "zod";

export const RUN_STATES = [
  "Created",
  "Queued",
  "Running",
  "Pausing",
  "Paused",
  "Cancelling",
  "Succeeded",
  "Failed",
  "Cancelled",
  "TimedOut",
] as const;
export const runState = z.enum(RUN_STATES);
export type RunState = z.infer<typeof runState>;

export const TERMINAL_RUN_STATES = ["Succeeded", "Failed", "Cancelled", "TimedOut"] as const;
export type TerminalRunState = (typeof TERMINAL_RUN_STATES)[number];

export function isTerminalRun(state: RunState): state is TerminalRunState {
  return state === "Succeeded" || state === "Failed" || state === "Cancelled" || state === "TimedOut";
}

/**
 * `Waiting` for upstreams, `Ready` to start (held by parallelism, a pool or a pause), `Queued` at who executes it,
 * `Suspended` until somebody approves, `UpForRetry` between two attempts, `Skipped` by its own condition, by being
 * disabled or by propagation, `UpstreamFailed` because its rule became impossible, `Cached` counts as succeeded.
 */
export const RUN_NODE_STATES = [
  "Waiting",
  "Ready",
  "Queued",
  "Running",
  "Suspended",
  "UpForRetry",
  "Succeeded",
  "Failed",
  "TimedOut",
  "Cancelled",
  "Skipped",
  "UpstreamFailed",
  "Cached",
] as const;
export const runNodeState = z.enum(RUN_NODE_STATES);
export type RunNodeState = z.infer<typeof runNodeState>;

export const TERMINAL_RUN_NODE_STATES = [
  "Succeeded",
  "Failed",
  "TimedOut",
  "Cancelled",
  "Skipped",
  "UpstreamFailed",
  "Cached",
] as const satisfies readonly RunNodeState[];
export type TerminalRunNodeState = (typeof TERMINAL_RUN_NODE_STATES)[number];

export function isTerminalRunNode(state: RunNodeState): state is TerminalRunNodeState {
  return (TERMINAL_RUN_NODE_STATES as readonly RunNodeState[]).includes(state);
}

/** Whose fault a failed attempt is; `retries.on` of a node chooses among the first three. */
export const FAILURE_CLASSES = ["user", "system", "timeout", "cancelled", "validation"] as const;
export const failureClass = z.enum(FAILURE_CLASSES);
export type FailureClass = z.infer<typeof failureClass>;

/** How much of the version a run executes (dag-semantics, section 5). */
export const RUN_MODES = ["all", "single", "until", "from_node", "from_failed"] as const;
export const runMode = z.enum(RUN_MODES);
export type RunMode = z.infer<typeof runMode>;
