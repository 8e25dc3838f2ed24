/**
 * A flow (any of the three dialects) as a definition. What the file says besides is kept in `foreign`, at its node, its edge
 * or the top, so that the export gives it back.
 */
import type { WorkflowDefinition } from "@aiep/contracts";
import { type DefinitionProblem, parseDefinition } from "../definition/index.ts";
import { problemAt } from "../definition/shape.ts";
import type { Json } from "../values/index.ts";
import { isObject, type JsonObject } from "./fields.ts";
import { flowName, importFlow } from "./import-flow.ts";
import { type FlowContext, importNode, keyOf } from "./import-node.ts";
import { plainOf, readJsonText, readJsonValue } from "./json-text.ts";

export type ReadFlow =
  | {
      readonly ok: true;
      readonly definition: WorkflowDefinition;
      /** The file's own name of the workflow. */
      readonly name: string | undefined;
      /** Warnings: what is kept but takes no part. */
      readonly problems: readonly DefinitionProblem[];
    }
  | { readonly ok: false; readonly problems: readonly DefinitionProblem[] };

/** A text keeps its numbers as they are written; a value that was parsed before is taken as it is. */
export function readFlowJson(source: string | Readonly<Record<string, unknown>>): ReadFlow {
  const read = typeof source === "string" ? readJsonText(source) : readJsonValue(source);
  if (!read.ok) return refused(problemAt("LIMIT", [], undefined, read.detail));
  const flow = read.value;
  if (!isObject(flow))
    return refused(problemAt("SHAPE", [], undefined, "A flow is a mapping with nodes and edges."));
  const shape = flowShape(flow);
  if (shape.problems.length > 0) return { ok: false, problems: shape.problems };
  return toDefinition(flow, shape.nodes, shape.edges);
}

const refused = (problem: DefinitionProblem): ReadFlow => ({ ok: false, problems: [problem] });

/** Nodes and edges as far as they must be there to be read at all; places are those of the flow. */
function flowShape(flow: JsonObject) {
  const problems: DefinitionProblem[] = [];
  const list = (key: "nodes" | "edges", required: boolean): JsonObject[] => {
    const value = flow[key];
    if (!Array.isArray(value)) {
      if (value !== undefined || required)
        problems.push(problemAt("SHAPE", [key], undefined, `A flow has a list of ${key}.`));
      return [];
    }
    return value.flatMap((item, index) => {
      if (isObject(item)) return [item];
      problems.push(
        problemAt("SHAPE", [key, index], undefined, `This is no ${key === "nodes" ? "node" : "edge"}.`),
      );
      return [];
    });
  };
  const nodes = list("nodes", true);
  const edges = list("edges", false);
  nodes.forEach((node, index) => {
    if (keyOf(node) === undefined)
      problems.push(
        problemAt("SHAPE", ["nodes", index, "key"], undefined, "A node needs a key, which its edges name."),
      );
  });
  edges.forEach((edge, index) => {
    for (const end of ["source", "target"])
      if (typeof edge[end] !== "string")
        problems.push(
          problemAt("SHAPE", ["edges", index, end], undefined, `An edge needs the key of its ${end}.`),
        );
  });
  return { nodes, edges, problems };
}

export function plainObject(value: Json): JsonObject {
  const plain = plainOf(value);
  return isObject(plain) ? plain : {};
}

/** Keys that are no ids of ours get one that is; the key stays in `foreign`. */
export function createIds(): (key: string) => string {
  const ids = new Map<string, string>();
  const taken = new Set<string>();
  return (key) => {
    const known = ids.get(key);
    if (known !== undefined) return known;
    const cleaned = key
      .replace(/[^A-Za-z0-9_.-]/g, "_")
      .replace(/^\./, "_")
      .slice(0, 100);
    const wanted = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$/.test(key) ? key : cleaned === "" ? "node" : cleaned;
    let id = wanted;
    for (let number = 2; taken.has(id); number++) id = `${wanted.slice(0, 100)}_${number}`;
    taken.add(id);
    ids.set(key, id);
    return id;
  };
}

export function contextOf(settings: JsonObject, idOf: (key: string) => string): FlowContext {
  const declared = settings["parameters"];
  const names = (Array.isArray(declared) ? declared : []).flatMap((parameter) =>
    isObject(parameter) && typeof parameter["name"] === "string" ? [parameter["name"]] : [],
  );
  return { parameters: new Set(names), idOf };
}

/** Everything but nodes and edges, whose places stay so that the order of keys does. */
export function outside(flow: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(flow).map(([key, item]) => [key, key === "nodes" || key === "edges" ? [] : item]),
  );
}

function toDefinition(
  flow: JsonObject,
  nodes: readonly JsonObject[],
  edges: readonly JsonObject[],
): ReadFlow {
  const foreign = outside(flow);
  const { settings, notes } = importFlow(foreign);
  const context = contextOf(settings, createIds());
  const imported = nodes.map((node) => importNode(node, context));
  const parsed = parseDefinition({
    ...settings,
    nodes: imported.map(({ node }) => node),
    edges: edges.map((edge) => ({ ...endsOf(edge, context), foreign: edge })),
    foreign,
  });
  if (!parsed.ok) return parsed;
  const problems = [
    ...notes.map((note) => problemAt("IMPORT", [], undefined, note, "warning")),
    ...parsed.definition.nodes.flatMap(({ id }, index) =>
      (imported[index]?.notes ?? []).map((note) =>
        problemAt("IMPORT", ["nodes", index], id, note, "warning"),
      ),
    ),
  ];
  return { ok: true, definition: parsed.definition, name: flowName(nodes), problems };
}

export function endsOf(edge: JsonObject, { idOf }: FlowContext): JsonObject {
  const end = (value: Json | undefined) => idOf(typeof value === "string" ? value : "");
  return { source: end(edge["source"]), target: end(edge["target"]) };
}
