/** What joins the commits of a run for the sake of others: slots of pools, results worth keeping, the parent, the next in line. */
import { isTerminalRun, type WorkflowDefinition } from "@aiep/contracts";
import type { Sql } from "@aiep/service-kit";
import type { Json } from "../domain/values/index.ts";
import { cacheDigest, writeCache } from "../store/node-cache.ts";
import type { RunStep } from "../store/owned-runs.ts";
import { releaseSlots, wishSlots } from "../store/pool-slots.ts";
import type { RunFacts } from "../store/run-store.ts";
import type { RunEnv } from "./engine-env.ts";
import type { LiveRun, Step } from "./live-run.ts";
import { askAgain } from "./run-queue.ts";

type CacheQuestion = Step["effects"]["checkCache"][number];

export interface RunJoins {
  of(step: Step, run: LiveRun): { readonly also: readonly Sql[]; readonly requests: RunStep["requests"] };
  /** The step wrote requests to other runs. */
  concernsOthers(step: Step): boolean;
  /** Under which name a result would be kept. */
  cacheDigest(question: CacheQuestion): string;
}

export function runJoins(facts: RunFacts, definition: WorkflowDefinition, env: RunEnv): RunJoins {
  const digests = new Map<string, string>();
  const hasQueue = definition.options.max_active_runs !== undefined;
  const hasParent = facts.origin.kind === "sub_workflow";
  return {
    concernsOthers: ({ ended, commit }) =>
      (ended && (hasQueue || hasParent)) || (commit !== undefined && commit.requests.length > 0),
    of: (step, run) => ({
      also: [
        ...step.effects.releaseSlots.map(({ key }) => releaseSlots(facts.id, key)),
        ...step.effects.wantSlots.map((wish) => wishSlots(facts.id, wish)),
        ...keptResults(step),
        ...(step.ended && hasQueue ? [askAgain(facts)] : []),
      ],
      requests: step.ended ? toParent(facts, definition, env, run) : [],
    }),
    cacheDigest: ({ key, record, input }) => {
      const digest = cacheDigest(facts.groupId, record.node.definition.kind, input.reuse ?? {});
      digests.set(key, digest);
      return digest;
    },
  };

  function keptResults({ effects }: Step): Sql[] {
    if (digests.size === 0) return [];
    return effects.succeeded.flatMap(({ key, node, state }) => {
      const digest = digests.get(key);
      const ttl = node.definition.cache?.ttl_seconds;
      if (digest === undefined || ttl === undefined || state.state !== "Succeeded") return [];
      digests.delete(key);
      return [writeCache(digest, facts.id, state.outputs, ttl)];
    });
  }
}

/** A child tells its parent in its own last commit, with the outputs its workflow declares. */
function toParent(
  { id, origin }: RunFacts,
  { outputs: declared }: WorkflowDefinition,
  env: RunEnv,
  run: LiveRun,
): RunStep["requests"] {
  const { parent_run_id: runId, parent_node: node } = origin;
  const { phase } = run;
  if (origin.kind !== "sub_workflow" || runId === undefined || node === undefined) return [];
  if (!isTerminalRun(phase.state)) return [];
  const outputs: Record<string, Json> = {};
  const problems: string[] = [];
  for (const { name, value } of phase.state === "Succeeded" ? declared : []) {
    const result = env.output(value, run.scope());
    if (result.ok) outputs[name] = result.value;
    else problems.push(`its output ${name} cannot be evaluated: ${result.detail}`);
  }
  const message = "message" in phase ? phase.message : null;
  const state = problems.length === 0 ? phase.state : ("Failed" as const);
  return [
    {
      runId,
      request: {
        kind: "child_ended",
        node,
        runId: id,
        state,
        message: problems.length === 0 ? message : problems.join("; "),
        outputs,
      },
    },
  ];
}
