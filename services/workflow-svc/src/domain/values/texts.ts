/** Every text of a manifest with its place, and whether a shell or an interpreter reads it. */
import type { Json } from "./scope.ts";

export type Path = readonly (string | number)[];

/** Dotted paths, `*` for any key or position; compiled once a kind. */
export type ScriptFields = readonly (readonly string[])[];

export function scriptFields(paths: readonly string[]): ScriptFields {
  return paths.map((path) => path.split("."));
}

export function isScriptField(path: Path, fields: ScriptFields): boolean {
  return fields.some(
    (field) =>
      field.length === path.length &&
      field.every((part, index) => part === "*" || part === String(path[index])),
  );
}

/**
 * The same value with every text replaced by what `text` gives for it; keys stay. Depth is bounded by the definition's
 * own limit (`domain/definition/limits`), so this may recurse.
 */
export function mapTexts(
  value: Json,
  fields: ScriptFields,
  text: (text: string, path: Path, script: boolean) => Json,
  path: Path = [],
): Json {
  if (typeof value === "string") return text(value, path, isScriptField(path, fields));
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item, index) => mapTexts(item, fields, text, [...path, index]));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, mapTexts(item, fields, text, [...path, key])]),
  );
}

export function visitTexts(
  value: Json,
  fields: ScriptFields,
  visit: (text: string, path: Path, script: boolean) => void,
): void {
  mapTexts(value, fields, (text, path, script) => {
    visit(text, path, script);
    return text;
  });
}
