/** Keys that a place of the definition knows, read from the schema itself, so that a misspelt one is told its right name. */
import { workflowDefinition } from "@aiep/contracts";
import * as z from "zod";
import type { Place } from "./pointer.ts";

const schemaNode = z.looseObject({
  get properties() {
    return z.record(z.string(), schemaNode).optional();
  },
  get items() {
    return schemaNode.optional();
  },
  get anyOf() {
    return z.array(schemaNode).optional();
  },
});
type SchemaNode = z.infer<typeof schemaNode>;

let root: SchemaNode | undefined;

export function keysAt(place: Place): string[] {
  // Made at first use: most programs never ask.
  root ??= schemaNode.parse(z.toJSONSchema(workflowDefinition, { io: "input", unrepresentable: "any" }));
  let node: SchemaNode | undefined = root;
  for (const part of place) {
    if (typeof part === "number") node = node?.items;
    else {
      const properties: Record<string, SchemaNode> | undefined = node?.properties;
      node =
        properties !== undefined && Object.hasOwn(properties, part) ? properties[String(part)] : undefined;
    }
  }
  return Object.keys(node?.properties ?? {});
}
