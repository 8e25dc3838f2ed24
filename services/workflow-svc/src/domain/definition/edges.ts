/**
 * The edges that a run obeys: those that were drawn, and those that follow from what a node reads. An implied edge is an
 * order only: its target waits for the source's end, but the trigger rule looks at drawn edges alone. What reads an ancestor
 * that is no direct upstream gets one, because a rule such as one_success may start the node before that ancestor has ended.
 */
import type { WorkflowDefinition, WorkflowEdge, WorkflowNode, WorkflowNodeId } from "@aiep/contracts";
import type { ComponentCatalog } from "./catalog.ts";
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
  const add = (source: number | undefined, target: number | undefined, kind: EffectiveEdge["kind"]) => {
    if (source === undefined || target === undefined || source === target) return;
    const [from, to] = [nodes[source], nodes[target]];
    const name = source * nodes.length + target;
    if (from === undefined || to === undefined || known.has(name)) return;
    known.add(name);
    all.push({ source: from.id, target: to.id, kind });
  };
  for (const { source, target } of edges) add(at.get(source), at.get(target), "drawn");
  nodes.forEach((node, target) => {
    const { reads, directories } = readNode(node, context);
    for (const { node: read } of [...reads, ...directories]) add(at.get(read), target, "implied");
  });
  return all;
}
