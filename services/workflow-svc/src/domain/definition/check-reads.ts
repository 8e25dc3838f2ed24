/**
 * What a node reads of others: only of nodes above it, and only what they leave. The nodes of `finally` may read every node
 * of the workflow, which has ended by then.
 */
import { FOREIGN_KIND, nearest, type TriggerRule, type WorkflowNode } from "@aiep/contracts";
import type { ComponentCatalog } from "./catalog.ts";
import { ancestorsOf, type Report, type SectionGraph } from "./check-graph.ts";
import type { Place } from "./pointer.ts";
import type { NodeReading } from "./read-node.ts";
import { problemAt } from "./shape.ts";

export interface ReadingNode {
  readonly node: WorkflowNode;
  readonly place: Place;
  readonly reading: NodeReading;
}

export interface ReadableGraph {
  readonly catalog: ComponentCatalog;
  readonly nodes: ReadonlyMap<string, WorkflowNode>;
}

interface Wish {
  readonly node: string;
  readonly what: "state" | "output" | "directory";
  readonly name: string;
  readonly place: Place;
}

function wishes({ reads, directories }: NodeReading): Wish[] {
  return [
    ...reads.map(({ node, output, place }): Wish => {
      return output === undefined
        ? { node, what: "state", name: "state", place }
        : { node, what: "output", name: output, place };
    }),
    ...directories.map(({ node, output, place }): Wish => ({ node, what: "directory", name: output, place })),
  ];
}

/** `open`: nodes of the other graph that may be read without an edge. */
export function checkReads(
  readers: readonly ReadingNode[],
  section: SectionGraph,
  open: ReadonlySet<string>,
  all: ReadableGraph,
  report: Report,
): void {
  const wanted = readers.map((reader) => ({ reader, wished: wishes(reader.reading) }));
  const isAbove = aboveOf(section, wanted);
  for (const { reader, wished } of wanted) {
    const { node, place } = reader;
    for (const wish of wished) {
      const say = (code: Parameters<typeof problemAt>[0], detail: string) => {
        report(problemAt(code, [...place, ...wish.place], node.id, detail));
      };
      const source = all.nodes.get(wish.node);
      if (source === undefined) {
        const near = all.nodes.size > 1000 ? undefined : nearest(wish.node, all.nodes.keys());
        say(
          "UNKNOWN_NODE",
          `There is no node ${wish.node}${near === undefined ? "" : `; did you mean ${near}?`}`,
        );
        continue;
      }
      if (!open.has(wish.node) && !isAbove(wish.node, node.id)) {
        say(
          "NOT_AN_ANCESTOR",
          wish.node === node.id
            ? `Node ${node.id} reads its own ${wish.name}; it has none before it ends.`
            : `Node ${node.id} reads ${wish.name} of ${wish.node}, which does not come before it; draw an edge from ${wish.node}.`,
        );
        continue;
      }
      const missing = lacking(source, wish, all.catalog);
      if (missing !== undefined) say("UNKNOWN_OUTPUT", missing);
      else if (mayBeEarly(node, source, wish))
        report(
          problemAt(
            "TRIGGER_RULE",
            [...place, ...wish.place],
            node.id,
            `The rule ${node.trigger_rule} may start ${node.id} before ${source.id} left ${wish.name}; declare a default for it.`,
            "warning",
          ),
        );
    }
  }
}

const EARLY: readonly TriggerRule[] = ["always", "one_success", "one_failed", "all_failed"];

/** Such a rule does not wait, or waits for a failure: what is read may not be there. */
function mayBeEarly(
  { trigger_rule: rule }: WorkflowNode,
  source: WorkflowNode,
  { what, name }: Wish,
): boolean {
  if (what === "state" || !EARLY.includes(rule)) return false;
  return !source.outputs.some((output) => output.name === name && output.default !== undefined);
}

/** Undefined: the node leaves it. */
export function lacking(
  source: WorkflowNode,
  { what, name }: Pick<Wish, "what" | "name">,
  catalog: ComponentCatalog,
): string | undefined {
  if (what === "state" || source.kind === FOREIGN_KIND) return undefined;
  const declared = (what === "output" ? source.outputs : source.output_directories).map((each) => each.name);
  const ofKind = what === "output" ? (catalog.get(source.kind)?.outputs ?? []) : [];
  if (ofKind === "any" || declared.includes(name) || ofKind.includes(name)) return undefined;
  const known = [...declared, ...ofKind];
  const near = nearest(name, known);
  const hint =
    near === undefined
      ? `declare it in ${what === "output" ? "outputs" : "output_directories"} of ${source.id}`
      : `did you mean ${near}?`;
  return `Node ${source.id} leaves no ${what} ${name}; ${hint}`;
}

/** Most reads are of a direct upstream; only the others are worth the ancestry of the whole graph. */
function aboveOf(
  section: SectionGraph,
  wanted: readonly { readonly reader: ReadingNode; readonly wished: readonly Wish[] }[],
): (ancestor: string, node: string) => boolean {
  const { drawn, at } = section;
  const direct = (ancestor: string, node: string) => {
    const [from, to] = [at.get(ancestor), at.get(node)];
    return from !== undefined && to !== undefined && drawn(from, to);
  };
  const far = wanted.flatMap(({ reader, wished }) =>
    wished.filter(({ node }) => !direct(node, reader.node.id)).map(({ node }) => node),
  );
  const above = ancestorsOf(section, far);
  return (ancestor, node) => direct(ancestor, node) || above(ancestor, node);
}
