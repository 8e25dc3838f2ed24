/** Kinds for the tests of the checks: small, with one of everything that a catalogue entry can say. */
import { type WorkflowDefinition, type WorkflowDefinitionInput, workflowDefinition } from "@aiep/contracts";
import * as z from "zod";
import type { CatalogEntry, ComponentCatalog } from "../catalog.ts";

const noop: CatalogEntry = {
  kind: "noop",
  manifest: z.looseObject({}),
  scriptFields: [],
};
const training: CatalogEntry = {
  kind: "general-training",
  manifest: z.strictObject({
    command: z.string().min(1),
    cpus: z.number().positive().max(64).default(1),
    memory: z.union([z.number().positive(), z.string().regex(/^\d+Gi$/, "a size such as 4Gi")]).optional(),
    model: z.enum(["Standalone", "DDP"]).default("Standalone"),
    environment: z.record(z.string(), z.string()).default({}),
  }),
  scriptFields: ["command", "environment.*"],
  directories: true,
  check: ({ manifest }) =>
    manifest["model"] === "DDP" && manifest["cpus"] === 1
      ? [{ path: ["cpus"], detail: "DDP needs more than one CPU" }]
      : [],
};
const http: CatalogEntry = {
  kind: "http",
  manifest: z.strictObject({ url: z.string() }),
  scriptFields: [],
  outputs: ["status", "body"],
};
const child: CatalogEntry = {
  kind: "sub-workflow",
  manifest: z.strictObject({
    experiment: z.string(),
    parameters: z.record(z.string(), z.json()).default({}),
  }),
  scriptFields: [],
  outputs: "any",
  subWorkflow: ({ manifest: { experiment, parameters } }) => ({
    experiment: typeof experiment === "string" ? experiment : "",
    versionName: undefined,
    parameters: typeof parameters === "object" && parameters !== null ? Object.keys(parameters) : [],
  }),
};

const entries = new Map([noop, training, http, child].map((entry) => [entry.kind, entry]));

export const testCatalog: ComponentCatalog = {
  get: (kind) => entries.get(kind),
  kinds: () => [...entries.keys()],
};

type NodeInput = WorkflowDefinitionInput["nodes"][number];

export const node = (id: string, more: Partial<NodeInput> = {}): NodeInput => ({
  name: id,
  kind: "noop",
  ...more,
  // The input type carries the brand of what it becomes.
  id: id as NodeInput["id"],
});

export const edge = (source: string, target: string) => ({
  source: source as NodeInput["id"],
  target: target as NodeInput["id"],
});

/** `a>b b>c` draws a chain; nodes that are only named in edges are no-ops. */
export function workflow(
  drawing: string,
  nodes: readonly NodeInput[] = [],
  more: Partial<WorkflowDefinitionInput> = {},
): WorkflowDefinition {
  const edges = drawing
    .split(/\s+/)
    .filter((part) => part.includes(">"))
    .map((part) => part.split(">"));
  const named = new Set([...drawing.split(/[\s>]+/).filter((part) => part !== "")]);
  for (const { id } of nodes) named.delete(id);
  return workflowDefinition.parse({
    nodes: [...nodes, ...[...named].map((id) => node(id))],
    edges: edges.map(([source = "", target = ""]) => edge(source, target)),
    ...more,
  });
}
