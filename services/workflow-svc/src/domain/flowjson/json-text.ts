/**
 * JSON text to a value and back without losing what JavaScript would: numbers as they were written (2^53 and more digits,
 * `1.0`), and the key `__proto__`. A number that JavaScript would write otherwise becomes `{"$exact_number": "1.0"}`; keys
 * that look like our own marks get one more `$`.
 */
import { deeperThan } from "../definition/pointer.ts";
import type { Json } from "../values/index.ts";

export const MAX_FLOWJSON_BYTES = 8 * 1024 * 1024;
/** Some levels less than a definition may have: the flow's parts live inside one. */
export const MAX_FLOWJSON_DEPTH = 56;

const EXACT = "$exact_number";

export type JsonTextResult =
  | { readonly ok: true; readonly value: Json }
  | { readonly ok: false; readonly detail: string };

export function readJsonText(text: string): JsonTextResult {
  const bytes = new TextEncoder().encode(text).byteLength;
  if (bytes > MAX_FLOWJSON_BYTES)
    return { ok: false, detail: `The file has ${bytes} bytes, at most 8 MiB are taken.` };
  try {
    const value: unknown = JSON.parse(text);
    // Before anything recurses: the reviver does.
    if (deeperThan(value, MAX_FLOWJSON_DEPTH)) return tooDeep;
    return { ok: true, value: marked(JSON.parse(text, exactly)) };
  } catch (error) {
    return {
      ok: false,
      detail: `The file is not JSON: ${error instanceof Error ? error.message : "it cannot be read"}.`,
    };
  }
}

/** A value that was parsed by somebody else: its numbers are what they are now. */
export function readJsonValue(value: unknown): JsonTextResult {
  return deeperThan(value, MAX_FLOWJSON_DEPTH) ? tooDeep : { ok: true, value: marked(value) };
}

const tooDeep: JsonTextResult = {
  ok: false,
  detail: `The file is nested deeper than ${MAX_FLOWJSON_DEPTH} levels.`,
};

class ExactNumber {
  readonly source: string;
  constructor(source: string) {
    this.source = source;
  }
}

function exactly(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source;
  if (typeof value !== "number" || source === undefined || source === JSON.stringify(value)) return value;
  return new ExactNumber(source);
}

function marked(value: unknown): Json {
  if (value instanceof ExactNumber) return { [EXACT]: value.source };
  if (Array.isArray(value)) return value.map(marked);
  if (typeof value !== "object" || value === null) return asScalar(value);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [escapeKey(key), marked(item)]));
}

function asScalar(value: unknown): Json {
  if (typeof value === "string" || typeof value === "boolean") return value;
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

const escapeKey = (key: string) => (/^\$*__proto__$|^\$+exact_number$/.test(key) ? `$${key}` : key);
const plainKey = (key: string) => (/^\$+__proto__$|^\$\$+exact_number$/.test(key) ? key.slice(1) : key);

function exactSource(value: { readonly [key: string]: Json }): string | undefined {
  const source = value[EXACT];
  return typeof source === "string" && Object.keys(value).length === 1 ? source : undefined;
}

/** The value as any JSON parser gives it: what is read from, while the marked one is kept. */
export function plainOf(value: Json): Json {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(plainOf);
  const source = exactSource(value);
  if (source !== undefined) return Number(source);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [plainKey(key), plainOf(item)]));
}

export function writeJsonText(value: Json, indent = "  ", margin = ""): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const inner = margin + indent;
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    return `[\n${value.map((item) => inner + writeJsonText(item, indent, inner)).join(",\n")}\n${margin}]`;
  }
  const source = exactSource(value);
  if (source !== undefined) return source;
  const entries = Object.entries(value);
  if (entries.length === 0) return "{}";
  const lines = entries.map(
    ([key, item]) => `${inner}${JSON.stringify(plainKey(key))}: ${writeJsonText(item, indent, inner)}`,
  );
  return `{\n${lines.join(",\n")}\n${margin}}`;
}
