/**
 * What differs between two definitions, field by field: nodes by id, edges by their ends, parameters and outputs by name.
 * The order of nodes and edges is no difference; where a node stands on the canvas is one.
 */
import type { DefinitionChange, WorkflowDefinition, WorkflowEdge } from "@aiep/contracts";
import { type Json, sameJson } from "../values/index.ts";

type What = DefinitionChange["what"];

export function diffDefinitions(
  before: WorkflowDefinition,
  after: WorkflowDefinition,
): readonly DefinitionChange[] {
  const [left, right] = [asJson(before), asJson(after)];
  return [
    ...settings(left, right),
    ...keyed("parameter", left["parameters"], right["parameters"], nameOf),
    ...keyed("node", left["nodes"], right["nodes"], idOf),
    ...edges("edge", before.edges, after.edges),
    ...finale(before, after),
    ...keyed("output", left["outputs"], right["outputs"], nameOf),
  ];
}

type JsonObject = { readonly [key: string]: Json };

/** A parsed definition is JSON but for keys that are undefined. */
function asJson(definition: WorkflowDefinition): JsonObject {
  const value: Json = JSON.parse(JSON.stringify(definition));
  return isObject(value) ? value : {};
}

const isObject = (value: Json | undefined): value is { [key: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const text = (value: Json | undefined) => (typeof value === "string" ? value : JSON.stringify(value));
const idOf = (item: JsonObject) => text(item["id"]);
const nameOf = (item: JsonObject) => text(item["name"]);
const endsOf = (item: JsonObject) => `${text(item["source"])} -> ${text(item["target"])}`;

const SECTIONS = new Set(["parameters", "nodes", "edges", "finally", "outputs"]);

function settings(before: JsonObject, after: JsonObject): DefinitionChange[] {
  const changes: DefinitionChange[] = [];
  for (const key of keysOf(before, after)) {
    if (SECTIONS.has(key)) continue;
    if (key === "options") {
      const [left, right] = [before[key] ?? {}, after[key] ?? {}];
      for (const { field, ...change } of fields("option", null, left, right, []))
        changes.push({ ...change, key: field, field: null });
    } else changes.push(...fields("definition", null, before[key], after[key], [key]));
  }
  return changes;
}

function keyed(
  what: What,
  before: Json | undefined,
  after: Json | undefined,
  keyOf: (item: JsonObject) => string,
): DefinitionChange[] {
  const [left, right] = [byKey(before, keyOf), byKey(after, keyOf)];
  const changes: DefinitionChange[] = [];
  for (const [key, item] of left) {
    const other = right.get(key);
    if (other === undefined)
      changes.push({ change: "removed", what, key, field: null, before: item, after: null });
    else changes.push(...fields(what, key, item, other, []));
  }
  for (const [key, item] of right)
    if (!left.has(key)) changes.push({ change: "added", what, key, field: null, before: null, after: item });
  return changes;
}

function byKey(list: Json | undefined, keyOf: (item: JsonObject) => string): Map<string, JsonObject> {
  return new Map((Array.isArray(list) ? list : []).filter(isObject).map((item) => [keyOf(item), item]));
}

function edges(
  what: What,
  before: readonly WorkflowEdge[],
  after: readonly WorkflowEdge[],
): DefinitionChange[] {
  const list = (all: readonly WorkflowEdge[]): Json => JSON.parse(JSON.stringify(all));
  return keyed(what, list(before), list(after), endsOf);
}

function finale(
  { finally: before }: WorkflowDefinition,
  { finally: after }: WorkflowDefinition,
): DefinitionChange[] {
  const [left, right] = [before, after].map((graph): JsonObject => JSON.parse(JSON.stringify(graph ?? {})));
  if (left === undefined || right === undefined) return [];
  const settingsOf = ({ nodes: _nodes, edges: _edges, ...rest }: JsonObject): Json => rest;
  return [
    ...fields("finally", null, settingsOf(left), settingsOf(right), []),
    ...keyed("finally", left["nodes"], right["nodes"], idOf),
    ...edges("finally", before?.edges ?? [], after?.edges ?? []),
  ];
}

/** Depth is bounded by the definition's own limit. Lists are one value: their items have no names to compare by. */
function fields(
  what: What,
  key: string | null,
  before: Json | undefined,
  after: Json | undefined,
  path: readonly string[],
): DefinitionChange[] {
  if (isObject(before) && isObject(after))
    return keysOf(before, after).flatMap((name) =>
      fields(what, key, before[name], after[name], [...path, name]),
    );
  if (before === undefined && after === undefined) return [];
  if (before !== undefined && after !== undefined && sameJson(before, after)) return [];
  const change = before === undefined ? "added" : after === undefined ? "removed" : "changed";
  return [{ change, what, key, field: path.join("/"), before: before ?? null, after: after ?? null }];
}

function keysOf(before: JsonObject, after: JsonObject): string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])];
}
