/** Reading and writing single fields of documents whose types drift between text and number. */
import type { Json } from "../values/index.ts";

export type JsonObject = { [key: string]: Json };

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function at(value: Json | undefined, path: readonly string[]): Json | undefined {
  let here = value;
  for (const key of path) here = isObject(here) && Object.hasOwn(here, key) ? here[key] : undefined;
  return here;
}

/** Changes `value` in place, making mappings on the way; undefined removes the field. */
export function put(value: JsonObject, path: readonly string[], item: Json | undefined): void {
  let here = value;
  for (const key of path.slice(0, -1)) {
    const inner = Object.hasOwn(here, key) ? here[key] : undefined;
    if (isObject(inner)) here = inner;
    else {
      if (item === undefined) return;
      const made: JsonObject = {};
      here[key] = made;
      here = made;
    }
  }
  const last = path.at(-1);
  if (last === undefined) return;
  if (item === undefined) Reflect.deleteProperty(here, last);
  else here[last] = item;
}

/** Not empty. */
export function textOf(value: Json | undefined): string | undefined {
  if (typeof value === "number") return String(value);
  return typeof value === "string" && value.trim() !== "" ? value : undefined;
}

/** A number, a text that is one, or a text with a variable that will be one. */
export function numberOf(value: Json | undefined): number | string | undefined {
  if (typeof value === "number") return value;
  if (typeof value !== "string") return undefined;
  const text = value.trim();
  if (text.includes("${")) return text;
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  g: 1,
  gi: 1,
  gb: 1,
  gib: 1,
  m: 1 / 1024,
  mi: 1 / 1024,
  mb: 1 / 1024,
  mib: 1 / 1024,
  t: 1024,
  ti: 1024,
  tb: 1024,
};

/** `4Gi`, `512Mi`, `16`: in GB, as the task file counts. */
export function memoryOf(value: Json | undefined): number | string | undefined {
  const plain = numberOf(value);
  if (plain !== undefined || typeof value !== "string") return plain;
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(value.trim());
  const factor = UNITS[match?.[2]?.toLowerCase() ?? "none"];
  return match?.[1] === undefined || factor === undefined ? undefined : Number(match[1]) * factor;
}

export function memoryText(value: Json): Json {
  if (typeof value !== "number") return value;
  return Number.isInteger(value) ? `${value}Gi` : `${Math.round(value * 1024)}Mi`;
}
