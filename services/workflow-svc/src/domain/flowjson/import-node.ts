/**
 * One node of a flow as a node of ours. Reads what it knows, keeps the whole of it in `foreign`, and takes what the flow's
 * words cannot say from `aiep`, which only our own export writes.
 *
 * N1 a node that we could run but that is not complete is kept as foreign, with what it lacks: nothing is guessed.
 * N2 `${x}` of a script that nobody knows stays for the shell, as it does where the flow comes from.
 */
import { FOREIGN_KIND } from "@aiep/contracts";
import { holdsTemplate, type Json, meaningOf, parseTemplate } from "../values/index.ts";
import { at, isObject, type JsonObject, put, textOf } from "./fields.ts";
import { type Translation, translationOf } from "./job-types.ts";
import { plainOf } from "./json-text.ts";
import { readLenses } from "./lens.ts";

/** What a node's reading depends on besides the node. */
export interface FlowContext {
  readonly parameters: ReadonlySet<string>;
  /** Our id of the node with this key. */
  readonly idOf: (key: string) => string;
}

export interface ImportedNode {
  /** For `parseDefinition`. */
  readonly node: JsonObject;
  /** What a person should know; nothing of it stops the import. */
  readonly notes: readonly string[];
}

/** Spellings of the one key (flowjson.md 4). */
const MANIFEST_KEYS = ["ManiFest", "Manifest", "manifest"] as const;
const SCRIPTS: readonly (readonly string[])[] = [
  ["code_info", "command"],
  ["script", "command"],
  ["script", "source_code"],
];

/** Of a node as it was kept: a key is a text, which is kept as it is. */
export function keyOf(node: JsonObject): string | undefined {
  return textOf(node["key"]) ?? textOf(node["id"]);
}

export function jobTypeOfNode(node: JsonObject): string {
  return (
    textOf(node["jobType"]) ??
    textOf(node["type"]) ??
    textOf(at(node, ["jobContent", "mlflowJobType"])) ??
    "unknown"
  );
}

export function manifestKey(node: JsonObject): string {
  const content = node["jobContent"];
  return MANIFEST_KEYS.find((key) => isObject(content) && Object.hasOwn(content, key)) ?? MANIFEST_KEYS[0];
}

/** The words a translation reads; a form that was never filled in has none. */
export function wordsOf(node: JsonObject, translation: Translation): JsonObject {
  if (translation.words === "node") return node;
  const words = at(node, ["jobContent", manifestKey(node)]);
  return isObject(words) ? words : {};
}

export function importNode(original: JsonObject, context: FlowContext): ImportedNode {
  const plain = plainOf(original);
  const node = isObject(plain) ? plain : {};
  const key = keyOf(original) ?? "";
  const jobType = jobTypeOfNode(node);
  const { kind, manifest, notes } = translated(node, jobType, context);
  const result: JsonObject = {
    id: context.idOf(key),
    name: nameOf(node) ?? key,
    kind,
    job_type: jobType,
    manifest,
    foreign: original,
  };
  const description = textOf(node["desc"]);
  if (description !== undefined) result["description"] = description;
  const position = positionOf(node);
  if (position !== undefined) result["position"] = position;
  if (Number(at(node, ["jobContent", manifestKey(node), "ignore_fail"])) === 1)
    result["allow_failure"] = true;
  return { node: { ...result, ...ownWords(node) }, notes };
}

function nameOf(node: JsonObject): string | undefined {
  const words = at(node, ["jobContent", manifestKey(node)]);
  return textOf(node["title"]) ?? textOf(at(words, ["name"])) ?? textOf(at(words, ["meta_data", "name"]));
}

function translated(node: JsonObject, jobType: string, context: FlowContext) {
  const translation = translationOf(jobType);
  if (translation === undefined) return { kind: FOREIGN_KIND, manifest: {}, notes: [] };
  const words = wordsOf(node, translation);
  const missing = translation.missing(words);
  if (missing.length > 0 && !Object.hasOwn(ownWords(node), "manifest"))
    return {
      kind: FOREIGN_KIND,
      manifest: {},
      notes: [`It is kept as it is and cannot be run before it is complete: ${missing.join(", ")}.`],
    };
  const manifest = readLenses(translation.lenses, words);
  const kept = keepForShell(manifest, context.parameters);
  return {
    kind: translation.kind,
    manifest,
    notes: [
      ...translation.notes(words).map((note) => `${note.charAt(0).toUpperCase()}${note.slice(1)}.`),
      ...kept.map((name) => `\${${name}} is no parameter of the workflow and is left to the shell.`),
    ],
  };
}

function keepForShell(manifest: JsonObject, parameters: ReadonlySet<string>): string[] {
  const names = new Set<string>();
  for (const path of SCRIPTS) {
    const text = at(manifest, path);
    if (typeof text !== "string" || !holdsTemplate(text)) continue;
    const kept = parseTemplate(text).map((segment) => {
      // `$${x}` is a literal one already.
      if (segment.kind === "text") return segment.text.replaceAll("${", "$${");
      const meaning = meaningOf(segment, { parameters, item: false }, true);
      if (meaning.kind !== "problem" || meaning.code !== "UNKNOWN_VARIABLE") return segment.source;
      if (segment.variable.kind === "name") names.add(segment.variable.name);
      return `$${segment.source}`;
    });
    put(manifest, path, kept.join(""));
  }
  return [...names];
}

function positionOf(node: JsonObject): Json | undefined {
  for (const key of ["layout", "position"]) {
    const [x, y] = [at(node, [key, "x"]), at(node, [key, "y"])];
    if (typeof x === "number" && typeof y === "number") return { x, y };
  }
  return undefined;
}

/** Fields that only our own export writes: they win. */
export function ownWords(owner: JsonObject): JsonObject {
  const own = owner["aiep"];
  if (!isObject(own) || own["schema_version"] !== 1) return {};
  const { schema_version: _version, id: _id, foreign: _foreign, ...rest } = own;
  return rest;
}
