/**
 * The evolution rules as a check (E1–E3 in events/define.ts): what in a new schema would break a reader or writer of
 * the released one. Events are read by others, so nothing they rely on may go; commands are written by others, so
 * nothing new may be demanded of them.
 */
import type { JsonSchema } from "./json-schema.ts";

export function breakingChanges(
  released: JsonSchema,
  current: JsonSchema,
  direction: "event" | "command",
  at = "",
): string[] {
  const breaks: string[] = [];
  const place = at === "" ? "the message" : at;

  const before = variants(released);
  const after = variants(current);
  for (const variant of before) {
    if (!after.some((other) => other["type"] === variant["type"]))
      breaks.push(`${place}: type ${String(variant["type"])} is gone`);
  }
  if (
    direction === "event" &&
    after.some((variant) => variant["type"] === "null") &&
    !before.some((variant) => variant["type"] === "null")
  ) {
    breaks.push(`${place}: may now be null`);
  }

  for (const old of before) {
    const now = after.find((variant) => variant["type"] === old["type"]);
    if (now === undefined) continue;
    breaks.push(...compareEnum(old, now, direction, place), ...compareObject(old, now, direction, at));
    if (isSchema(old["items"]) && isSchema(now["items"]))
      breaks.push(...breakingChanges(old["items"], now["items"], direction, `${at}[]`));
  }
  return breaks;
}

function compareEnum(
  old: JsonSchema,
  now: JsonSchema,
  direction: "event" | "command",
  place: string,
): string[] {
  const before = old["enum"] as readonly unknown[] | undefined;
  const after = now["enum"] as readonly unknown[] | undefined;
  if (direction === "event") {
    // New values are announced, not forbidden: readers treat unknown ones as "other" (E2). Opening the list is another matter.
    return before !== undefined && after === undefined ? [`${place}: is no longer a closed list`] : [];
  }
  if (after === undefined) return [];
  if (before === undefined) return [`${place}: is now a closed list`];
  return before
    .filter((value) => !after.includes(value))
    .map((value) => `${place}: value ${String(value)} is no longer accepted`);
}

function compareObject(
  old: JsonSchema,
  now: JsonSchema,
  direction: "event" | "command",
  at: string,
): string[] {
  const before = (old["properties"] ?? {}) as Record<string, JsonSchema>;
  const after = (now["properties"] ?? {}) as Record<string, JsonSchema>;
  const required = { before: names(old), after: names(now) };
  const breaks: string[] = [];
  for (const [name, schema] of Object.entries(before)) {
    const path = at === "" ? name : `${at}.${name}`;
    const current = after[name];
    if (current === undefined) breaks.push(`${path}: is gone`);
    else breaks.push(...breakingChanges(schema, current, direction, path));
    if (direction === "event" && required.before.has(name) && !required.after.has(name))
      breaks.push(`${path}: is no longer always there`);
  }
  for (const name of required.after) {
    if (direction === "command" && !required.before.has(name))
      breaks.push(`${at === "" ? name : `${at}.${name}`}: is now required`);
    if (direction === "event" && before[name] === undefined)
      breaks.push(`${at === "" ? name : `${at}.${name}`}: a new field must be optional`);
  }
  return breaks;
}

/** A schema as the list of its alternatives, each of one type. */
function variants(schema: JsonSchema): JsonSchema[] {
  const union = (schema["anyOf"] ?? schema["oneOf"]) as JsonSchema[] | undefined;
  if (union !== undefined) return union.flatMap(variants);
  const type = schema["type"];
  return Array.isArray(type) ? type.map((each: unknown) => ({ ...schema, type: each })) : [schema];
}

function names(schema: JsonSchema): ReadonlySet<string> {
  return new Set((schema["required"] ?? []) as readonly string[]);
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
