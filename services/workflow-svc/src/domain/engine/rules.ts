/** The trigger-rule truth table (dag-semantics, section 4): what a node does, by how its upstreams ended. */
import type { TriggerRule } from "@aiep/contracts";
import type { GraphNode, NodeState } from "./model.ts";

/**
 * How an ended node counts for its downstreams: `good` (succeeded, cached, disabled, failed but allowed to), `bad`
 * (failed, timed out, cancelled, upstream failed), `skipped` (by a condition or by propagation).
 */
export type Ending = "good" | "bad" | "skipped";

/** Reason of a node that is disabled: downstreams treat it as succeeded. */
export const DISABLED = "disabled";

/** Undefined: not ended. UpForRetry is open: decisions wait for the last attempt. */
export function endingOf(node: GraphNode, state: NodeState): Ending | undefined {
  switch (state.state) {
    case "Succeeded":
    case "Cached":
      return "good";
    case "Failed":
    case "TimedOut":
    case "Cancelled":
      return node.definition.allow_failure ? "good" : "bad";
    case "UpstreamFailed":
      return "bad";
    case "Skipped":
      return state.reason === DISABLED ? "good" : "skipped";
    case "Waiting":
    case "Ready":
    case "Queued":
    case "Running":
    case "Suspended":
    case "UpForRetry":
      return undefined;
    default:
      return state satisfies never;
  }
}

/** Distinct direct upstreams of a node by how they ended. */
export interface UpstreamCounts {
  open: number;
  good: number;
  bad: number;
  skipped: number;
}

export type Verdict = "wait" | "run" | "skip" | "upstream_failed";

/** A node without upstreams runs, whatever its rule. A verdict other than `wait` is final (I7). */
export function decide(rule: TriggerRule, { open, good, bad, skipped }: Readonly<UpstreamCounts>): Verdict {
  if (open + good + bad + skipped === 0) return "run";
  switch (rule) {
    case "all_success":
      if (bad > 0) return "upstream_failed";
      if (open > 0) return "wait";
      return skipped > 0 ? "skip" : "run";
    case "all_done":
      return open > 0 ? "wait" : "run";
    case "always":
      return "run";
    case "one_success":
      if (good > 0) return "run";
      if (open > 0) return "wait";
      return bad > 0 ? "upstream_failed" : "skip";
    case "one_failed":
      if (bad > 0) return "run";
      return open > 0 ? "wait" : "skip";
    case "all_failed":
      if (good + skipped > 0) return "skip";
      return open > 0 ? "wait" : "run";
    case "none_failed":
      if (bad > 0) return "upstream_failed";
      return open > 0 ? "wait" : "run";
    case "none_failed_min_one_success":
      if (bad > 0) return "upstream_failed";
      if (open > 0) return "wait";
      return good > 0 ? "run" : "skip";
    default:
      return rule satisfies never;
  }
}
