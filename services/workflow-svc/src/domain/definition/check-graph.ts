/** Faults of ids, names and edges: of the main graph, or of the one that runs at the end. */
import type { WorkflowEdge, WorkflowNode } from "@aiep/contracts";
import { nearest } from "@aiep/contracts";
import { ancestry, cycles, type Graph, graphOf } from "./graph.ts";
import type { Place } from "./pointer.ts";
import type { DefinitionProblem } from "./problem.ts";
import { problemAt } from "./shape.ts";

export interface Section {
  /** Where it is in the definition. */
  readonly place: Place;
  readonly nodes: readonly WorkflowNode[];
  readonly edges: readonly WorkflowEdge[];
}

export interface SectionGraph {
  readonly section: Section;
  readonly graph: Graph;
  /** Position by id; the first of several with the same id. */
  readonly at: ReadonlyMap<string, number>;
  /** Whether there is an edge from one position to another. */
  readonly drawn: (source: number, target: number) => boolean;
}

export type Report = (problem: DefinitionProblem) => void;

/** Ids are unique in the whole workflow, so are names: people and logs tell nodes apart by them. */
export function checkIdentities(sections: readonly Section[], report: Report): void {
  const ids = new Map<string, WorkflowNode>();
  const names = new Map<string, WorkflowNode>();
  for (const { nodes, place } of sections) {
    nodes.forEach((node, index) => {
      const here = [...place, "nodes", index];
      if (ids.has(node.id))
        report(
          problemAt(
            "DUPLICATE_ID",
            [...here, "id"],
            node.id,
            `Two nodes have the id ${node.id}; give one another.`,
          ),
        );
      else ids.set(node.id, node);
      const other = names.get(node.name);
      if (other === undefined) names.set(node.name, node);
      else if (other.id !== node.id)
        report(
          problemAt(
            "DUPLICATE_NAME",
            [...here, "name"],
            node.id,
            `Nodes ${other.id} and ${node.id} are both called "${node.name}"; rename one.`,
          ),
        );
    });
  }
}

export function checkEdges(section: Section, report: Report): SectionGraph {
  const { nodes, edges, place } = section;
  const at = new Map<string, number>();
  nodes.forEach(({ id }, index) => {
    if (!at.has(id)) at.set(id, index);
  });
  const good: [number, number][] = [];
  const indexOf = new Map<string, number>();
  edges.forEach((edge, index) => {
    const here = [...place, "edges", index];
    const source = at.get(edge.source);
    const target = at.get(edge.target);
    for (const end of ["source", "target"] as const)
      if (!at.has(edge[end]))
        report(
          problemAt(
            "UNKNOWN_NODE",
            [...here, end],
            edge[end],
            `There is no node ${edge[end]}${meant(edge[end], at)}.`,
          ),
        );
    if (source === undefined || target === undefined) return;
    if (source === target) {
      report(
        problemAt("SELF_EDGE", here, edge.source, `Node ${edge.source} has an edge to itself; remove it.`),
      );
      return;
    }
    const name = `${source} ${target}`;
    const earlier = indexOf.get(name);
    if (earlier !== undefined) {
      report(
        problemAt(
          "DUPLICATE_EDGE",
          here,
          edge.target,
          `The edge from ${edge.source} to ${edge.target} is already there (edge ${earlier}); remove one.`,
        ),
      );
      return;
    }
    indexOf.set(name, index);
    good.push([source, target]);
  });
  const graph = graphOf(nodes.length, good);
  for (const cycle of cycles(graph)) report(cycleProblem(cycle, section, indexOf));
  return { section, graph, at, drawn: (source, target) => indexOf.has(`${source} ${target}`) };
}

function meant(id: string, known: ReadonlyMap<string, number>): string {
  // Comparing with 10 000 ids for each of 100 000 bad edges would take minutes.
  const near = known.size > 1000 ? undefined : nearest(id, known.keys());
  return near === undefined ? "" : `; did you mean ${near}?`;
}

function cycleProblem(
  cycle: readonly number[],
  { nodes, place }: Section,
  indexOf: ReadonlyMap<string, number>,
): DefinitionProblem {
  const ids = cycle.map((at) => nodes[at]?.id ?? "");
  const [first = ""] = ids;
  const way = ids.length > 20 ? [...ids.slice(0, 19), `… (${ids.length - 19} more)`] : ids;
  const closing = indexOf.get(`${cycle.at(-1) ?? 0} ${cycle[0] ?? 0}`);
  const here = closing === undefined ? [...place, "edges"] : [...place, "edges", closing];
  return problemAt(
    "CYCLE",
    here,
    first,
    `These nodes wait for each other: ${[...way, first].join(" → ")}. Remove one of the edges between them.`,
  );
}

/** Whether one node of a section is above another. */
export function ancestorsOf({ graph, at }: SectionGraph, asked: Iterable<string>) {
  const places = [...asked].flatMap((id) => at.get(id) ?? []);
  const above = ancestry(graph, places);
  return (ancestor: string, node: string): boolean => {
    const [from, to] = [at.get(ancestor), at.get(node)];
    return from !== undefined && to !== undefined && above(from, to);
  };
}
