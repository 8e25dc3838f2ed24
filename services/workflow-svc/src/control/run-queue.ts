/** How many runs of one experiment may be active (dag-semantics, section 3), and what happens to one more. */
import type { RunId, WorkflowDefinition } from "@aiep/contracts";
import { type Sql, sql } from "@aiep/service-kit";
import type { Fact } from "../domain/engine/index.ts";
import type { RunFacts, RunRecord, RunStore } from "../store/run-store.ts";

export interface Admission {
  readonly facts: readonly Fact[];
  /** Older runs that are cancelled in favour of this one. */
  readonly cancel: readonly RunId[];
}

/**
 * A run may begin when fewer than the limit were created before it and live: among all live runs those are always the same
 * few, so that no two owners have to agree.
 */
export async function admit(
  store: Pick<RunStore, "active">,
  facts: RunFacts,
  { options }: WorkflowDefinition,
): Promise<Admission> {
  const { max_active_runs: most, max_active_policy: policy } = options;
  if (most === undefined) return { facts: [{ type: "begin" }], cancel: [] };
  const live = await store.active(facts.experimentId);
  const at = live.findIndex((run) => run.facts.id === facts.id);
  const ahead = at < 0 ? live : live.slice(0, at);
  if (ahead.length < most) return { facts: [{ type: "begin" }], cancel: [] };
  const others = `${ahead.length} ${ahead.length === 1 ? "run" : "runs"} of the experiment`;
  switch (policy) {
    case "queue":
      return { facts: [waits(`Waits for the end of ${others}; at most ${most} may be active.`)], cancel: [] };
    case "skip": {
      const message = `Skipped: ${others} had not ended and at most ${most} may be active.`;
      return { facts: [{ type: "cancel", message }], cancel: [] };
    }
    case "cancel_old":
      return {
        facts: [waits(`Waits until ${others} ended, which were cancelled in its favour.`)],
        cancel: ahead.filter(isGoing).map((run) => run.facts.id),
      };
    default:
      return policy satisfies never;
  }
}

const waits = (message: string): Fact => ({ type: "queue", reason: "MaxActiveRuns", message });

function isGoing({ status }: RunRecord): boolean {
  return status.state !== "Cancelling";
}

/** In the last commit of a run: whoever waits for a place asks again. */
export function askAgain({ experimentId }: RunFacts): Sql {
  return sql(
    `INSERT INTO run_requests (run_id, shard, request, created_at)
     SELECT id, shard, '{"kind":"start"}', UTC_TIMESTAMP(3) FROM runs
     WHERE experiment_id = ? AND live = 1 AND state IN ('Created', 'Queued')`,
    [experimentId],
  );
}
