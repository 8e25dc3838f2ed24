/** The graph that a run would execute: what the engine builds, asked for before the run exists, so that a wrong choice is refused at once. */
import {
  AiepError,
  type RunId,
  type RunMode,
  type WorkflowDefinition,
  type WorkflowNodeId,
} from "@aiep/contracts";
import { traitsOf } from "../control/engine-env.ts";
import { effectiveEdges } from "../domain/definition/index.ts";
import { buildRunGraph } from "../domain/engine/graph.ts";
import type { BaseNode, RunGraph } from "../domain/engine/model.ts";
import type { RunRecord } from "../store/run-store.ts";
import type { OperationDeps } from "./deps.ts";

export interface RunChoice {
  readonly mode: RunMode;
  readonly selected: readonly WorkflowNodeId[];
  readonly base: RunRecord | undefined;
}

const NEEDS_BASE: readonly RunMode[] = ["from_failed", "from_node"];

/** Throws RUN_REFUSED with what to do. */
export async function runGraph(
  deps: Pick<OperationDeps, "runs" | "registry">,
  definition: WorkflowDefinition,
  { mode, selected, base }: RunChoice,
): Promise<RunGraph> {
  if (base === undefined && NEEDS_BASE.includes(mode))
    throw refused(`Mode ${mode} runs an earlier run again: say which with base_run_id.`);
  if (base !== undefined && NEEDS_BASE.includes(mode) && base.status.finishedAt === null)
    throw refused(`Run ${base.facts.id} has not ended: wait for its end, or cancel it.`);
  const built = buildRunGraph({
    definition,
    edges: effectiveEdges(definition, deps.registry.catalog),
    traits: traitsOf(deps.registry),
    mode,
    selected,
    base: base === undefined ? null : { runId: base.facts.id, nodes: await baseNodes(deps, base.facts.id) },
  });
  if (built.ok) return built.graph;
  throw refused(built.problem.detail, built.problem.nodes);
}

/** How the nodes of an earlier run ended; children of a for_each belong to their node. */
export async function baseNodes(
  { runs }: Pick<OperationDeps, "runs">,
  id: RunId,
): Promise<ReadonlyMap<WorkflowNodeId, BaseNode>> {
  const rows = await runs.nodes(id);
  return new Map(rows.flatMap(({ view }) => (view.index === null ? [[view.node_id, view]] : [])));
}

function refused(detail: string, nodes: readonly WorkflowNodeId[] = []): AiepError {
  return new AiepError("RUN_REFUSED", detail, nodes.length === 0 ? {} : { extensions: { nodes } });
}
