/**
 * The task file's schema as people ask about it: what a field means, what it takes, which keys a place knows and where
 * a misplaced key belongs. Read from the JSON Schema of `taskFile`, so it cannot disagree with it (D4, D13).
 */
import * as z from "zod";
import { taskFile } from "./task-file.ts";

/** The part of JSON Schema that Zod writes for the task file. */
const schemaNode = z.looseObject({
  type: z.string().optional(),
  description: z.string().optional(),
  default: z.unknown().optional(),
  enum: z.array(z.unknown()).optional(),
  const: z.unknown().optional(),
  minimum: z.number().optional(),
  exclusiveMinimum: z.number().optional(),
  maximum: z.number().optional(),
  minLength: z.number().optional(),
  maxLength: z.number().optional(),
  maxItems: z.number().optional(),
  required: z.array(z.string()).optional(),
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
export type SchemaNode = z.infer<typeof schemaNode>;

let root: SchemaNode | undefined;

/** Made at first use: most programs that import the contracts never ask. */
export function taskFileSchema(): SchemaNode {
  root ??= schemaNode.parse(z.toJSONSchema(taskFile, { io: "input" }));
  return root;
}

/** Node of the schema at a path of keys and list positions; undefined where the schema knows no such place. */
export function schemaAt(path: readonly PropertyKey[]): SchemaNode | undefined {
  let node: SchemaNode | undefined = taskFileSchema();
  for (const part of path) {
    node = typeof part === "number" ? node?.items : ownProperty(node, String(part));
  }
  return node;
}

function ownProperty(node: SchemaNode | undefined, key: string): SchemaNode | undefined {
  const properties = node?.properties;
  return properties !== undefined && Object.hasOwn(properties, key) ? properties[key] : undefined;
}

/** Keys a mapping at this path may have, in the order of the schema. */
export function keysAt(path: readonly PropertyKey[]): string[] {
  return Object.keys(schemaAt(path)?.properties ?? {});
}

/** Every place of the schema as `a.b.c`, list items as `a[].b`. */
export function fieldPaths(): string[] {
  const paths: string[] = [];
  const walk = (node: SchemaNode, prefix: string) => {
    for (const [key, child] of Object.entries(node.properties ?? {})) {
      const path = prefix === "" ? key : `${prefix}.${key}`;
      paths.push(path);
      walk(child, path);
      if (child.items !== undefined) walk(child.items, `${path}[]`);
    }
  };
  walk(taskFileSchema(), "");
  return paths;
}

/** Places where a key of this name lives. */
export function placesOf(key: string): string[] {
  return fieldPaths().filter((path) => path === key || path.endsWith(`.${key}`));
}

const list = (values: readonly unknown[]) => {
  const words = values.map((value) => (value === "" ? "empty" : String(value)));
  return words.length <= 1 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
};

function numberRange(node: SchemaNode, noun: string): string {
  const { minimum, exclusiveMinimum, maximum } = node;
  if (exclusiveMinimum !== undefined)
    return `${noun} above ${exclusiveMinimum}${maximum === undefined ? "" : `, at most ${maximum}`}`;
  if (minimum !== undefined && maximum !== undefined) return `${noun} from ${minimum} to ${maximum}`;
  if (minimum !== undefined) return `${noun}, at least ${minimum}`;
  return maximum === undefined ? noun : `${noun}, at most ${maximum}`;
}

/** What a place takes, in words: `a whole number from 1 to 256`. */
export function expectedAt(path: readonly PropertyKey[]): string | undefined {
  const node = schemaAt(path);
  return node === undefined ? undefined : expectedOf(node);
}

function expectedOf(node: SchemaNode): string {
  if (node.enum !== undefined) return list(node.enum);
  if (node.const !== undefined) return list([node.const]);
  if (node.anyOf !== undefined) return list(node.anyOf.map(expectedOf));
  switch (node.type) {
    case "string":
      return node.minLength === undefined || node.minLength === 0 ? "text" : "text, not empty";
    case "boolean":
      return "true or false";
    case "integer":
      return numberRange(node, "a whole number");
    case "number":
      return numberRange(node, "a number");
    case "array":
      return node.maxItems === undefined ? "a list" : `a list of at most ${node.maxItems} entries`;
    case "object":
      return `a mapping with ${list(Object.keys(node.properties ?? {}))}`.replace(/ or (?=[^ ]+$)/, " and ");
    default:
      return "a value";
  }
}

export interface FieldExplanation {
  /** `compute_resource_info.node_info.worker.cpu_num`; empty for the file itself. */
  readonly path: string;
  readonly description: string;
  readonly expected: string;
  readonly required: boolean;
  readonly default: unknown;
  readonly children: readonly {
    readonly key: string;
    readonly required: boolean;
    readonly expected: string;
    readonly description: string;
  }[];
}

/** `a.b[].c`, `a.b[0].c` and `a.b.c` all name the same field; a last part that exists once in the file is enough. */
export function explainField(path: string): FieldExplanation | undefined {
  const wanted = path
    .trim()
    .replace(/\[\d*\]/g, "")
    .replace(/\.\d+(?=\.|$)/g, "");
  if (wanted === "") return explain("", taskFileSchema(), true);
  const exact = (each: string) => each.replaceAll("[]", "");
  const paths = fieldPaths();
  const byName = paths.filter((each) => exact(each).endsWith(`.${wanted}`));
  const found = paths.find((each) => exact(each) === wanted) ?? (byName.length === 1 ? byName[0] : undefined);
  if (found === undefined) return undefined;
  const parts = found.split(".").flatMap((part): PropertyKey[] => {
    return part.endsWith("[]") ? [part.slice(0, -2), 0] : [part];
  });
  const node = schemaAt(parts);
  const last = parts.at(-1);
  if (node === undefined) return undefined;
  return explain(found, node, schemaAt(parts.slice(0, -1))?.required?.includes(String(last)) ?? false);
}

function explain(path: string, node: SchemaNode, required: boolean): FieldExplanation {
  const inner = node.items ?? node;
  const requiredKeys = new Set(inner.required ?? []);
  return {
    path,
    description: node.description ?? (path === "" ? "A container task." : ""),
    expected: expectedOf(node),
    required,
    default: node.default,
    children: Object.entries(inner.properties ?? {}).map(([key, child]) => ({
      key,
      required: requiredKeys.has(key),
      expected: expectedOf(child),
      description: child.description ?? "",
    })),
  };
}
