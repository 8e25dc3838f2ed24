/** Zod → JSON Schema 2020-12, the form every generated document uses. */
import * as z from "zod";

export type JsonSchema = Record<string, unknown>;

/** `input`: what a caller sends (defaults optional). `output`: what a reader gets. */
export function jsonSchema(schema: z.ZodType, io: "input" | "output"): JsonSchema {
  const {
    $schema: _,
    "~standard": __,
    ...rest
  } = z.toJSONSchema(schema, {
    io,
    unrepresentable: "any",
    target: "draft-2020-12",
  }) as JsonSchema;
  const { $defs, ...own } = rest;
  return $defs === undefined ? own : (withoutJsonValues(own) as JsonSchema); // an object stays one
}

/**
 * `z.json()` is the one schema of the contracts that refers to itself; a reference would point nowhere once the schema is
 * part of a larger document, and in JSON "any JSON value" is the empty schema.
 */
function withoutJsonValues(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutJsonValues);
  if (typeof value !== "object" || value === null) return value;
  if ("$ref" in value) return {};
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, withoutJsonValues(member)]));
}

/** The document form with keys in a fixed order and a final newline, so that a diff shows only what changed. */
export function renderJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
