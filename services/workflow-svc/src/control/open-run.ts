/** From a run's rows to its actor: definition, graph and environment, and what joins its commits. */
import { AiepError, type WorkflowDefinition, type WorkflowNodeId } from "@aiep/contracts";
import type { Failpoints, Logger, SqlPool, Telemetry } from "@aiep/service-kit";
import type { ComponentRegistry } from "../components/registry.ts";
import { effectiveEdges } from "../domain/definition/index.ts";
import { type BaseNode, buildRunGraph, type RunGraph } from "../domain/engine/index.ts";
import { readCache } from "../store/node-cache.ts";
import { type OwnedRuns, RunFencedError } from "../store/owned-runs.ts";
import type { LoadedRun, RunFacts, RunStore } from "../store/run-store.ts";
import { createRunEnv, traitsOf } from "./engine-env.ts";
import type { Executors } from "./executors/executors.ts";
import { LiveRun, type Step } from "./live-run.ts";
import type { Pools } from "./pools.ts";
import type { Reminders } from "./reminders.ts";
import { RunActor } from "./run-actor.ts";
import type { ActorHost, OpenedRun } from "./run-engine.ts";
import { runJoins } from "./run-joins.ts";

export interface OpenRunDeps {
  readonly pool: SqlPool;
  readonly owned: OwnedRuns;
  readonly store: RunStore;
  readonly registry: ComponentRegistry;
  readonly executors: Executors;
  readonly pools: Pools;
  readonly reminders: Reminders<RunFacts["id"]>;
  /** After each commit; must not throw. */
  readonly committed: (change: { readonly runId: RunFacts["id"]; readonly version: number }) => void;
  /** Requests were written for other runs. */
  readonly requested: () => void;
  readonly timeZone: string;
  readonly failpoints: Failpoints;
  readonly log: Logger;
  readonly telemetry?: Telemetry;
  readonly now: () => number;
}

/** Many runs of one version share what is read of it. */
const DEFINITIONS_KEPT = 50;

export function runOpener(deps: OpenRunDeps): (loaded: LoadedRun, host: ActorHost) => Promise<OpenedRun> {
  const definitions = new Map<string, WorkflowDefinition>();
  const dropped = deps.telemetry?.meter.createCounter("aiep_run_facts_dropped_total", {
    description: "Facts that came too late for their attempt",
  });
  const definitionOf = async (digest: string): Promise<WorkflowDefinition> => {
    const known = definitions.get(digest) ?? (await deps.store.definition(digest));
    if (known === undefined) throw new AiepError("INTERNAL", `The definition ${digest} is missing.`);
    definitions.delete(digest); // the latest last
    definitions.set(digest, known);
    const [oldest] = definitions.size > DEFINITIONS_KEPT ? definitions.keys() : [];
    if (oldest !== undefined) definitions.delete(oldest);
    return known;
  };

  return async ({ facts }, host) => {
    const definition = await definitionOf(facts.digest);
    const graph = await graphOf(deps, facts, definition);
    const env = createRunEnv(facts, definition, deps);
    const { registry, executors, owned, pools, reminders } = deps;
    const joins = runJoins(facts, definition, env);
    const actor = new RunActor({
      facts,
      executors,
      failpoints: deps.failpoints,
      log: deps.log,
      now: deps.now,
      load: async () => await owned.load(facts.id),
      read: (loaded) => new LiveRun({ facts, definition, graph, env, registry, executors }, loaded),
      commit: async (step) => {
        const epoch = host.epoch(facts.id);
        if (epoch === undefined) throw new RunFencedError(`the shard of run ${facts.id} is not ours`);
        await owned.commit({ ...step, epoch });
      },
      owned: () => host.epoch(facts.id) !== undefined,
      joining: (step, run) => joins.of(step, run),
      committed: (step, version) => {
        if (step.dropped > 0) dropped?.add(step.dropped);
        deps.committed({ runId: facts.id, version });
        for (const { pool } of [...step.effects.wantSlots, ...step.effects.releaseSlots]) pools.look(pool);
        for (const question of step.effects.checkCache) void answer(question);
        if (joins.concernsOthers(step)) deps.requested();
      },
      wakeAt: (at) => reminders.set(facts.id, at),
      dropRequests: async (ids) => await owned.dropRequests(ids),
      closed: () => {
        reminders.set(facts.id, null);
        host.closed(facts.id);
      },
    });
    const answer = async (question: Step["effects"]["checkCache"][number]): Promise<void> => {
      const { key, attempt } = question;
      const hit = await readCache(deps.pool, joins.cacheDigest(question)).catch(() => null); // then it is executed
      actor.post({ facts: [{ type: "cache_checked", key, attempt, hit }] });
    };
    return { actor, facts, definition };
  };
}

async function graphOf(
  { store, registry }: OpenRunDeps,
  facts: RunFacts,
  definition: WorkflowDefinition,
): Promise<RunGraph> {
  const { mode, selected, baseRunId } = facts;
  const built = buildRunGraph({
    definition,
    edges: effectiveEdges(definition, registry.catalog),
    traits: traitsOf(registry),
    mode,
    selected,
    base: baseRunId === null ? null : { runId: baseRunId, nodes: await baseNodes(store, baseRunId) },
  });
  if (built.ok) return built.graph;
  throw new AiepError("INTERNAL", `Run ${facts.id} cannot be executed: ${built.problem.detail}`);
}

async function baseNodes(
  store: RunStore,
  id: RunFacts["id"],
): Promise<ReadonlyMap<WorkflowNodeId, BaseNode>> {
  const rows = await store.nodes(id);
  return new Map(rows.flatMap(({ view }) => (view.index === null ? [[view.node_id, view]] : [])));
}
