/** What a request of somebody else means for the run. What it is too late for changes nothing. */
import type { Fact } from "../domain/engine/index.ts";
import type { RunFacts, RunRequest } from "../store/run-store.ts";
import { childFacts } from "./executors/child-run.ts";
import type { Records } from "./run-letter.ts";

type Plain = Exclude<RunRequest, { kind: "start" } | { kind: "task" }>;

export function requestFacts(run: RunFacts, records: Records, request: Plain): readonly Fact[] {
  switch (request.kind) {
    case "cancel":
      return [{ type: "cancel", message: request.reason ?? `Cancelled by ${request.by}.` }];
    case "pause":
    case "resume":
      return [{ type: request.kind }];
    case "slots_granted":
      return [{ type: "slots_granted", key: request.node, attempt: request.attempt }];
    case "decide":
      return decision(records, request);
    case "child_ended": {
      const attempt = attemptOf(records, request.node);
      return attempt === undefined ? [] : childFacts({ run, key: request.node, attempt }, request);
    }
    default:
      return request satisfies never;
  }
}

function decision(
  records: Records,
  { node: key, attempt, approved, by, comment, values }: Extract<Plain, { kind: "decide" }>,
): readonly Fact[] {
  if (attemptOf(records, key) !== attempt) return [];
  const told = `${approved ? "Approved" : "Rejected"} by ${by}${comment === null ? "." : `: ${comment}`}`;
  return approved
    ? [{ type: "approved", key, outputs: { ...values }, message: told }]
    : [{ type: "rejected", key, message: told }];
}

function attemptOf(records: Records, key: string): number | undefined {
  const state = records.record(key)?.state;
  return state !== undefined && "attempt" in state ? state.attempt : undefined;
}
