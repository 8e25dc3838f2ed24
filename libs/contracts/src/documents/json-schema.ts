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
  return rest;
}

/** The document form with keys in a fixed order and a final newline, so that a diff shows only what changed. */
export function renderJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
