/**
 * A definition as a flow. What came from one and was not touched leaves as it came, key for key; what was edited is written
 * in the flow's own words where it has them, and as a whole in `aiep`, which our import reads back.
 *
 * E1 import(export(definition)) is the definition, and nodes have got a place on the canvas; export(import(flow)) is the flow.
 */
import {
  type WorkflowDefinition,
  type WorkflowEdge,
  type WorkflowNode,
  workflowDefinition,
  workflowNode,
} from "@aiep/contracts";
import { type Json, sameJson } from "../values/index.ts";
import { exportSettings, type Settings } from "./export-settings.ts";
import { isObject, type JsonObject, put } from "./fields.ts";
import { contextOf, createIds, outside, plainObject } from "./import.ts";
import { importFlow } from "./import-flow.ts";
import { type FlowContext, importNode, jobTypeOfNode, keyOf, manifestKey, wordsOf } from "./import-node.ts";
import { jobTypeOf, translationOf } from "./job-types.ts";
import { writeJsonText } from "./json-text.ts";
import { writeLenses } from "./lens.ts";

export function writeFlowJson(definition: WorkflowDefinition): string {
  return `${writeJsonText(toFlow(definition))}\n`;
}

function toFlow(definition: WorkflowDefinition): JsonObject {
  const flow = exportSettings(
    settingsOf(definition),
    cloneOf(definition.foreign) ?? emptyFlow(),
    readSettings,
  );
  const context = contextOf(importFlow(flow).settings, createIds());
  const keys = keysOf(definition.nodes);
  const edges = definition.edges.map((edge) => exportEdge(edge, keys));
  if (edges.length > 0 || Object.hasOwn(flow, "edges")) flow["edges"] = edges;
  flow["nodes"] = definition.nodes.map((node, index) =>
    exportNode(node, keys.get(node.id) ?? node.id, index, context),
  );
  return flow;
}

/** What the editors write for a new flow. */
function emptyFlow(): JsonObject {
  return {
    edges: [],
    nodes: [],
    comment: "",
    type: "flow",
    props: [],
    resources: [],
    scheduleParams: {},
    contextID: "",
    labels: { route: "dev" },
    global_variables: [],
  };
}

function cloneOf(value: JsonObject | undefined): JsonObject | undefined {
  return value === undefined ? undefined : structuredClone(value);
}

/** A parsed value is JSON but for keys that are undefined. */
function asJson(value: object): JsonObject {
  const json: Json = JSON.parse(JSON.stringify(value));
  return isObject(json) ? json : {};
}

function settingsOf(definition: WorkflowDefinition): Settings {
  const { nodes: _nodes, edges: _edges, foreign: _foreign, ...settings } = definition;
  return asJson(settings);
}

/** What a flow's settings say when they are read again; undefined when they cannot be. */
function readSettings(flow: JsonObject): Settings | undefined {
  const parsed = workflowDefinition.safeParse({ ...importFlow(outside(flow)).settings, nodes: [] });
  return parsed.success ? settingsOf(parsed.data) : undefined;
}

/** The flow's keys of our nodes: those they came with, else their ids. */
function keysOf(nodes: readonly WorkflowNode[]): ReadonlyMap<string, string> {
  return new Map(
    nodes.map(({ id, foreign }) => [id, (foreign === undefined ? undefined : keyOf(foreign)) ?? id]),
  );
}

function exportEdge(
  { source, target, foreign }: WorkflowEdge,
  keys: ReadonlyMap<string, string>,
): JsonObject {
  const ends = { source: keys.get(source) ?? source, target: keys.get(target) ?? target };
  if (foreign !== undefined) return { ...structuredClone(foreign), ...ends };
  return { ...ends, sourceLocation: "bottom", targetLocation: "top", linkType: "curve" };
}

function exportNode(node: WorkflowNode, key: string, index: number, context: FlowContext): JsonObject {
  const wanted = comparable(node);
  if (node.foreign !== undefined && sameJson(reread(node.foreign, context), wanted)) return node.foreign;
  const original = cloneOf(node.foreign) ?? newNode(node, key, index);
  put(original, ["aiep"], undefined);
  writeWords(node, original, context);
  const again = reread(original, context);
  const own = Object.entries(wanted).filter(([field, value]) => {
    const read = again[field];
    return read === undefined || !sameJson(read, value);
  });
  if (own.length > 0) original["aiep"] = { schema_version: 1, ...Object.fromEntries(own) };
  return original;
}

/** Our fields of a node as they can be compared: the id and what was kept follow from the flow itself. */
function comparable(node: WorkflowNode): JsonObject {
  const { id: _id, foreign: _foreign, job_type: _jobType, ...rest } = node;
  return asJson(rest);
}

function reread(original: JsonObject, context: FlowContext): JsonObject {
  // An id that is one of ours, whatever the key.
  const { node } = importNode(original, { ...context, idOf: () => "node" });
  const parsed = workflowNode.safeParse(node);
  return parsed.success ? comparable(parsed.data) : {};
}

/** Editors draw nothing without a place. */
const ROW = 100;

function newNode(
  { name, kind, description, position }: WorkflowNode,
  key: string,
  index: number,
): JsonObject {
  const jobType = jobTypeOf(kind);
  const mlflowJobType = translationOf(jobType)?.mlflowJobType;
  return {
    key,
    id: key,
    title: name,
    desc: description ?? "",
    jobType,
    layout: { height: 40, width: 150, x: position?.x ?? 0, y: position?.y ?? index * ROW },
    params: { configuration: { special: {}, runtime: {}, startup: {} } },
    resources: [],
    selected: false,
    ...(mlflowJobType === undefined ? {} : { jobContent: { mlflowJobType, ManiFest: {} } }),
  };
}

/** The flow's words for what was edited. */
function writeWords(node: WorkflowNode, original: JsonObject, context: FlowContext): void {
  const before = reread(original, context);
  if (before["name"] !== node.name) put(original, ["title"], node.name);
  if (before["description"] !== node.description) put(original, ["desc"], node.description ?? "");
  writePosition(node.position, before["position"], original);
  const jobType = jobTypeOfNode(plainObject(original));
  if (before["kind"] !== node.kind && translationOf(jobType)?.kind !== node.kind)
    put(original, ["jobType"], node.job_type ?? jobTypeOf(node.kind));
  const translation = translationOf(jobTypeOfNode(plainObject(original)));
  if (translation?.kind !== node.kind) return;
  const target = ["jobContent", manifestKey(original)];
  const words = wordsOf(plainObject(original), translation);
  const into = wordsOf(original, translation);
  writeLenses(translation.lenses, words, into, withoutEscapes(node.manifest));
  if (translation.words === "ManiFest" && Object.keys(into).length > 0) put(original, target, into);
  if (before["allow_failure"] !== node.allow_failure && translation.words === "ManiFest")
    put(original, [...target, "ignore_fail"], node.allow_failure ? 1 : 0);
}

function writePosition(
  position: WorkflowNode["position"],
  before: Json | undefined,
  original: JsonObject,
): void {
  if (position === undefined || (before !== undefined && sameJson(before, asJson(position)))) return;
  const place = isObject(original["position"]) && !isObject(original["layout"]) ? "position" : "layout";
  put(original, [place, "x"], position.x);
  put(original, [place, "y"], position.y);
}

/** `$${x}` is our spelling of what a flow leaves to the shell. */
function withoutEscapes(manifest: JsonObject): JsonObject {
  const plain = (value: Json): Json => {
    if (typeof value === "string") return value.replaceAll("$${", "${");
    if (Array.isArray(value)) return value.map(plain);
    return isObject(value)
      ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
      : value;
  };
  return Object.fromEntries(Object.entries(manifest).map(([key, item]) => [key, plain(item)]));
}
