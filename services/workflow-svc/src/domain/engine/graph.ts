/**
 * Builds the graph of one run: places instead of names, distinct edges in both directions, depth and rank. Iterative:
 * a chain of 10 000 nodes needs no stack.
 *
 * Never does: what is checked at save (`domain/definition`). A graph that cannot be run (cycle, self edge, unknown end) is
 * refused here all the same, since it would wait for ever.
 */
import type { RunId, RunMode, WorkflowDefinition, WorkflowNode, WorkflowNodeId } from "@aiep/contracts";
import type { BaseNode, GraphNode, Ms, NodeTraits, RunGraph } from "./model.ts";
import { type Fate, select } from "./selection.ts";

/** A finally graph that names no time of its own ends all the same. */
const DEFAULT_FINALLY_TIMEOUT_MS: Ms = 3_600_000;

export interface Edge {
  readonly source: WorkflowNodeId;
  readonly target: WorkflowNodeId;
}

export interface GraphInput {
  readonly definition: WorkflowDefinition;
  /** Declared edges and those that follow from references (`effectiveEdges`). */
  readonly edges: { readonly main: readonly Edge[]; readonly finally: readonly Edge[] };
  readonly traits: (node: WorkflowNode) => NodeTraits;
  readonly mode: RunMode;
  readonly selected: readonly WorkflowNodeId[];
  /** The earlier run of the modes from_failed, from_node and single. */
  readonly base: { readonly runId: RunId; readonly nodes: ReadonlyMap<WorkflowNodeId, BaseNode> } | null;
}

export interface GraphProblem {
  readonly code: "UNKNOWN_NODE" | "SELF_EDGE" | "CYCLE" | "SELECTION";
  readonly nodes: readonly WorkflowNodeId[];
  /** A sentence that says what to do. */
  readonly detail: string;
}
export type BuiltGraph =
  | { readonly ok: true; readonly graph: RunGraph }
  | { readonly ok: false; readonly problem: GraphProblem };

export function buildRunGraph(input: GraphInput): BuiltGraph {
  const { definition, base, mode } = input;
  const main = link(definition.nodes, input.edges.main);
  if (!main.ok) return main;
  const unknown = input.selected.filter((id) => !main.places.has(id));
  if (unknown.length > 0) {
    return problem("SELECTION", unknown, `The workflow has no node ${unknown.join(", ")}.`);
  }
  const selection = select({ ...input, ...main, base: base?.nodes ?? null });
  if (!selection.ok) return problem("SELECTION", selection.nodes, selection.detail);
  const last = mode === "single" ? undefined : definition.finally;
  const final = link(last?.nodes ?? [], last === undefined ? [] : within(last.nodes, input.edges.finally));
  if (!final.ok) return final;

  const parts = [
    ...drafts(main, selection.fates, false),
    ...drafts(
      final,
      final.nodes.map(() => "run"),
      true,
    ),
  ];
  const readable = new Map<WorkflowNodeId, BaseNode>();
  if (mode === "single") {
    for (const [at, node] of main.nodes.entries()) {
      const before = base?.nodes.get(node.id);
      if (selection.fates[at] === "absent" && before !== undefined) readable.set(node.id, before);
    }
  }
  return {
    ok: true,
    graph: {
      nodes: arrange(parts, input.traits, mode === "single"),
      mainCount: parts.filter((part) => !part.final).length,
      onFailure: definition.options.on_failure,
      parallelism: definition.options.parallelism ?? Number.POSITIVE_INFINITY,
      runTimeoutMs: inMs(definition.options.run_timeout_seconds),
      finallyTimeoutMs: inMs(last?.run_timeout_seconds) ?? DEFAULT_FINALLY_TIMEOUT_MS,
      baseRunId: base?.runId ?? null,
      readable,
    },
  };
}

const inMs = (seconds: number | undefined): Ms | null =>
  seconds === undefined ? null : Math.round(seconds * 1000);

interface Linked {
  readonly ok: true;
  readonly nodes: readonly WorkflowNode[];
  readonly places: ReadonlyMap<WorkflowNodeId, number>;
  readonly upstreams: readonly (readonly number[])[];
  readonly downstreams: readonly (readonly number[])[];
  readonly depths: readonly number[];
}

/** Two edges between the same pair are one: an upstream counts once. */
function link(
  nodes: readonly WorkflowNode[],
  edges: readonly Edge[],
): Linked | Extract<BuiltGraph, { ok: false }> {
  const places = new Map(nodes.map((node, at) => [node.id, at]));
  const up = nodes.map(() => new Set<number>());
  const down = nodes.map(() => new Set<number>());
  for (const { source, target } of edges) {
    const from = places.get(source);
    const to = places.get(target);
    if (from === undefined || to === undefined) {
      const id = from === undefined ? source : target;
      return problem("UNKNOWN_NODE", [id], `An edge names the node ${id}, which does not exist.`);
    }
    if (from === to) return problem("SELF_EDGE", [source], `The node ${source} depends on itself.`);
    up[to]?.add(from);
    down[from]?.add(to);
  }
  const upstreams = up.map((set) => [...set]);
  const downstreams = down.map((set) => [...set]);
  const depths = depthsOf(upstreams, downstreams);
  const circular = nodes.filter((_, at) => depths[at] === undefined).map((node) => node.id);
  if (circular.length > 0) {
    return problem(
      "CYCLE",
      circular,
      `Nodes of a cycle, or behind one: ${circular.slice(0, 10).join(", ")}.`,
    );
  }
  return { ok: true, nodes, places, upstreams, downstreams, depths };
}

/** Longest path from a root; nothing at the place of a node on a cycle, or behind one. */
function depthsOf(
  upstreams: readonly (readonly number[])[],
  downstreams: readonly (readonly number[])[],
): number[] {
  const depths: number[] = [];
  const open = upstreams.map((list) => list.length);
  const reached = upstreams.map(() => 0);
  const order = [...upstreams.keys()].filter((at) => open[at] === 0);
  for (const at of order) {
    const depth = reached[at] ?? 0;
    depths[at] = depth;
    for (const to of downstreams[at] ?? []) {
      reached[to] = Math.max(reached[to] ?? 0, depth + 1);
      open[to] = (open[to] ?? 0) - 1;
      if (open[to] === 0) order.push(to);
    }
  }
  return depths;
}

function within(nodes: readonly WorkflowNode[], edges: readonly Edge[]): readonly Edge[] {
  const known = new Set(nodes.map((node) => node.id));
  return edges.filter((edge) => known.has(edge.source));
}

/** A node of the run before it has its place among the others. `upstreams`: places in its own part of the definition. */
interface Draft {
  readonly definition: WorkflowNode;
  readonly carried: BaseNode | null;
  readonly final: boolean;
  readonly depth: number;
  readonly part: Linked;
  readonly placeInPart: number;
}

function drafts(part: Linked, fates: readonly Fate[], final: boolean): Draft[] {
  return part.nodes.flatMap((definition, placeInPart) => {
    const fate = fates[placeInPart];
    if (fate === undefined || fate === "absent") return [];
    const carried = fate === "run" ? null : fate;
    return [{ definition, carried, final, depth: part.depths[placeInPart] ?? 0, part, placeInPart }];
  });
}

function arrange(parts: readonly Draft[], traits: GraphInput["traits"], forced: boolean): GraphNode[] {
  const places = new Map(parts.map((draft, at) => [draft.definition.id, at]));
  const ranks = new Map(
    parts
      .map((draft, at) => ({ draft, at }))
      .sort((a, b) => byRank(a.draft, b.draft))
      .map(({ at }, rank) => [at, rank]),
  );
  const neighbours = (draft: Draft, of: "upstreams" | "downstreams"): number[] =>
    (draft.part[of][draft.placeInPart] ?? []).flatMap((place) => {
      const node = draft.part.nodes[place];
      const at = node === undefined ? undefined : places.get(node.id);
      return at === undefined ? [] : [at];
    });
  return parts.map((draft, at) => ({
    at,
    definition: draft.definition,
    traits: traits(draft.definition),
    final: draft.final,
    depth: draft.depth,
    rank: ranks.get(at) ?? at,
    upstreams: neighbours(draft, "upstreams"),
    downstreams: neighbours(draft, "downstreams"),
    forced,
    carried: draft.carried,
  }));
}

function byRank(a: Draft, b: Draft): number {
  return (
    b.definition.priority - a.definition.priority ||
    a.depth - b.depth ||
    compare(a.definition.name, b.definition.name) ||
    compare(a.definition.id, b.definition.id)
  );
}

/** By code unit: the same on every machine. */
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function problem(
  code: GraphProblem["code"],
  nodes: readonly WorkflowNodeId[],
  detail: string,
): Extract<BuiltGraph, { ok: false }> {
  return { ok: false, problem: { code, nodes, detail } };
}
