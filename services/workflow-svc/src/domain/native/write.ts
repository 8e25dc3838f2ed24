/** A definition as YAML that people like to read and to compare: defaults left out, edges and places on one line. */
import { type WorkflowDefinition, workflowDefinition, workflowNode } from "@aiep/contracts";
import { Document, isMap, isSeq, type Node } from "yaml";
import { type Json, sameJson } from "../values/index.ts";

type JsonObject = { [key: string]: Json };

export function writeNative(definition: WorkflowDefinition, name?: string): string {
  const document = new Document({ ...(name === undefined ? {} : { name }), ...brief(definition) });
  for (const edges of [document.get("edges"), document.getIn(["finally", "edges"])])
    if (isSeq(edges)) edges.items.filter(isPlainEdge).forEach(onOneLine);
  for (const nodes of [document.get("nodes"), document.getIn(["finally", "nodes"])])
    if (isSeq(nodes)) {
      nodes.items.forEach((node, index) => {
        if (!isMap(node)) return;
        node.spaceBefore = index > 0;
        const position = node.get("position");
        if (isMap(position)) onOneLine(position);
      });
    }
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}

const isPlainEdge = (edge: unknown): edge is Node => isMap(edge) && !edge.has("foreign");

function onOneLine(node: Node): void {
  if (isMap(node)) node.flow = true;
}

/** What differs from the defaults of the schema. */
function brief(definition: WorkflowDefinition): JsonObject {
  const empty = asJson(workflowDefinition.parse({ nodes: [] }));
  const { options, nodes, finally: last, schema_version, ...rest } = asJson(definition);
  const settings = without(asObject(options), asObject(empty["options"] ?? {}));
  const { edges, outputs, foreign, ...head } = without(rest, empty);
  return {
    ...(schema_version === undefined ? {} : { schema_version }),
    ...head,
    ...(Object.keys(settings).length === 0 ? {} : { options: settings }),
    nodes: briefNodes(nodes),
    ...given({ edges }),
    ...(last === undefined ? {} : { finally: briefFinally(asObject(last)) }),
    ...given({ outputs, foreign }),
  };
}

function briefFinally({ nodes, edges, ...rest }: JsonObject): JsonObject {
  const drawn = Array.isArray(edges) && edges.length > 0 ? edges : undefined;
  return { ...rest, nodes: briefNodes(nodes), ...given({ edges: drawn }) };
}

function briefNodes(nodes: Json | undefined): Json {
  return (Array.isArray(nodes) ? nodes : []).map((node) => {
    const { id, name, kind, foreign, ...rest } = asObject(node);
    const defaults = asJson(workflowNode.parse({ id, name, kind }));
    return { ...given({ id, name, kind }), ...without(rest, defaults), ...given({ foreign }) };
  });
}

function given(values: { readonly [key: string]: Json | undefined }): JsonObject {
  return Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
}

function without(value: JsonObject, defaults: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(value).filter(([key, item]) => {
      const usual = Object.hasOwn(defaults, key) ? defaults[key] : undefined;
      return usual === undefined || !sameJson(usual, item);
    }),
  );
}

/** A parsed definition is JSON but for keys that are undefined. */
function asJson(value: object): JsonObject {
  const json: Json = JSON.parse(JSON.stringify(value));
  return asObject(json);
}

function asObject(value: Json | undefined): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}
