/**
 * The edges that a run obeys: those that were drawn, and those that follow from what a node reads. Only ancestors may be
 * read, so an edge is implied in one case alone: when the rules on the way may start the reader before that ancestor has
 * ended. It is an upstream like any other, and counts for the reader's rule.
 */
import type {
  TriggerRule,
  WorkflowDefinition,
  WorkflowEdge,
  WorkflowNode,
  WorkflowNodeId,
} from "@aiep/contracts";
import type { ComponentCatalog } from "./catalog.ts";
import { ancestry, graphOf } from "./graph.ts";
import { type ReadContext, readContext, readNode } from "./read-node.ts";

export interface EffectiveEdge {
  readonly source: WorkflowNodeId;
  readonly target: WorkflowNodeId;
  readonly kind: "drawn" | "implied";
}

export interface EffectiveEdges {
  readonly main: readonly EffectiveEdge[];
  readonly finally: readonly EffectiveEdge[];
}

/** A node with such a rule that ran or was skipped saw all its upstreams end. */
const WAITING: readonly TriggerRule[] = [
  "all_success",
  "all_done",
  "none_failed",
  "none_failed_min_one_success",
];
/** And such a reader starts behind nodes alone that ran or were skipped: a failure is decided early. */
const BEHIND_SUCCESS: readonly TriggerRule[] = ["all_success", "none_failed", "none_failed_min_one_success"];

export function effectiveEdges(definition: WorkflowDefinition, catalog: ComponentCatalog): EffectiveEdges {
  const context = readContext(catalog, definition.parameters);
  const last = definition.finally;
  return {
    main: withImplied(definition.nodes, definition.edges, context),
    finally: last === undefined ? [] : withImplied(last.nodes, last.edges, context),
  };
}

function withImplied(
  nodes: readonly WorkflowNode[],
  edges: readonly WorkflowEdge[],
  context: ReadContext,
): EffectiveEdge[] {
  const all: EffectiveEdge[] = [];
  const at = new Map<string, number>(nodes.map(({ id }, index) => [id, index]));
  const known = new Set<number>();
  const nameOf = (source: number, target: number) => source * nodes.length + target;
  const add = (source: number | undefined, target: number | undefined, kind: EffectiveEdge["kind"]) => {
    if (source === undefined || target === undefined || source === target) return;
    const [from, to] = [nodes[source], nodes[target]];
    if (from === undefined || to === undefined || known.has(nameOf(source, target))) return;
    known.add(nameOf(source, target));
    all.push({ source: from.id, target: to.id, kind });
  };
  for (const { source, target } of edges) add(at.get(source), at.get(target), "drawn");
  const far = nodes.flatMap((node, target) => {
    const { reads, directories } = readNode(node, context);
    return [...reads, ...directories].flatMap(({ node: read }) => {
      const source = at.get(read);
      return source === undefined || known.has(nameOf(source, target)) ? [] : [{ source, target }];
    });
  });
  const ended = endedBefore(nodes, all, at, far);
  for (const { source, target } of far) if (!ended(source, target)) add(source, target, "implied");
  return all;
}

/** Whether one node has ended for sure when another starts, by the rules on the way between them. */
function endedBefore(
  nodes: readonly WorkflowNode[],
  edges: readonly EffectiveEdge[],
  at: ReadonlyMap<string, number>,
  asked: readonly { readonly source: number }[],
): (source: number, target: number) => boolean {
  if (asked.length === 0) return () => false;
  const waited = edges.flatMap(({ source, target }): [number, number][] => {
    const [from, to] = [at.get(source), at.get(target)];
    if (from === undefined || to === undefined) return [];
    return WAITING.includes(nodes[to]?.trigger_rule ?? "always") ? [[from, to]] : [];
  });
  const isAbove = ancestry(
    graphOf(nodes.length, waited),
    asked.map(({ source }) => source),
  );
  return (source, target) =>
    BEHIND_SUCCESS.includes(nodes[target]?.trigger_rule ?? "always") && isAbove(source, target);
}
