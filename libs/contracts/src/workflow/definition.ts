/**
 * A workflow as we store, compare, freeze and run it: the native form (D20, D21). flowjson is read into it and written
 * from it; its YAML spelling is the same document. What only a flowjson knew travels in `foreign` and is written back.
 *
 * Owns: the document's shape and limits of single values. Never does: what needs the whole graph (cycles, references,
 * manifests of a kind), which is workflow-svc's `domain/definition`.
 *
 * Values: `${name}` in any text of a manifest is replaced when the node starts; names are run parameters, time variables
 * (`${run_date-1}`), `${run.id}`, `${node.id}`, `${nodes.<id>.outputs.<name>}`, `${item}`, `${index}`. `condition` and
 * `for_each.items` are CEL expressions over `params`, `nodes`, `run`, `item`, `index`.
 */
import * as z from "zod";
import { failureClass } from "./states.ts";

export const MAX_WORKFLOW_NODES = 10_000;
export const MAX_WORKFLOW_EDGES = 100_000;
/** Of the definition's JSON text. */
export const MAX_WORKFLOW_BYTES = 8 * 1024 * 1024;
/** Of the output values of one node, as JSON text. */
export const MAX_OUTPUT_BYTES = 32 * 1024;
export const MAX_NAME_LENGTH = 256;

/** Key of a node inside its workflow; edges and expressions refer to it. Children of a for_each are `key[3]`. */
export const workflowNodeId = z
  .string()
  .regex(/^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$/, "1 to 128 letters, digits, '_', '-' or '.'")
  .brand<"WorkflowNodeId">();
export type WorkflowNodeId = z.infer<typeof workflowNodeId>;

/** A node of a kind that we know by name and keep, but cannot run: `job_type` says which. */
export const FOREIGN_KIND = "foreign";
export const componentKind = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,62}$/, "a node kind such as general-training");

export const TRIGGER_RULES = [
  "all_success",
  "all_done",
  "always",
  "one_success",
  "one_failed",
  "all_failed",
  "none_failed",
  "none_failed_min_one_success",
] as const;
export const triggerRule = z.enum(TRIGGER_RULES);
export type TriggerRule = z.infer<typeof triggerRule>;

const identifier = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, "a name of letters, digits and '_'");
const seconds = z
  .number()
  .positive()
  .max(30 * 86_400);
const json = z.json();

export const PARAMETER_TYPES = ["string", "number", "boolean", "json", "model", "processline"] as const;
/** A run parameter; without default it is required. The documents' global variables are these. */
export const workflowParameter = z.strictObject({
  name: identifier,
  type: z.enum(PARAMETER_TYPES).default("string"),
  description: z.string().max(4096).optional(),
  default: json.optional(),
  enum: z.array(json).min(1).optional(),
});
export type WorkflowParameter = z.infer<typeof workflowParameter>;

export const retryPolicy = z.strictObject({
  /** Attempts beside the first. */
  max: z.int().min(0).max(100).default(0),
  on: z.array(failureClass.extract(["user", "system", "timeout"])).default(["user", "system", "timeout"]),
  backoff_seconds: z.number().min(0).max(86_400).default(10),
  factor: z.number().min(1).max(10).default(2),
  max_backoff_seconds: z.number().min(0).max(86_400).default(3600),
});
export type RetryPolicy = z.infer<typeof retryPolicy>;

const forEach = z.strictObject({
  /** A list, or a CEL expression that gives one. */
  items: z.union([z.array(json), z.string().min(1).max(65_536)]),
  max_items: z.int().min(1).max(10_000).default(1000),
  /** Children at the same time. */
  parallelism: z.int().min(1).max(10_000).optional(),
});

/** A directory that a node leaves behind, stored with its digest (documents: 节点间传递复杂数据). */
const directoryOutput = z.strictObject({ name: identifier, path: z.string().min(1).max(4096) });
const directoryInput = z.strictObject({
  /** `<node id>.<directory output>` of an ancestor. */
  from: z.string().min(3).max(256),
  /** Where it is placed before the command starts. */
  path: z.string().min(1).max(4096),
});
const outputValue = z.strictObject({
  name: identifier,
  type: z.enum(["string", "number", "boolean", "json"]).default("json"),
  /** What readers get when the node failed and may (`allow_failure`), or was skipped. */
  default: json.optional(),
});

export const workflowNode = z.strictObject({
  id: workflowNodeId,
  name: z.string().min(1).max(MAX_NAME_LENGTH),
  kind: componentKind,
  /** The flowjson type it was imported with, kept for export. */
  job_type: z.string().max(256).optional(),
  description: z.string().max(65_536).optional(),
  enabled: z.boolean().default(true),
  trigger_rule: triggerRule.default("all_success"),
  condition: z.string().min(1).max(65_536).optional(),
  for_each: forEach.optional(),
  retries: retryPolicy.optional(),
  /** Ready → Running, of one attempt. */
  queue_timeout_seconds: seconds.optional(),
  /** Running → end, of one attempt. */
  run_timeout_seconds: seconds.optional(),
  allow_failure: z.boolean().default(false),
  pool: z.strictObject({ name: identifier, slots: z.int().min(1).max(10_000).default(1) }).optional(),
  /** Higher first. */
  priority: z.int().min(-1000).max(1000).default(0),
  cache: z
    .strictObject({ ttl_seconds: seconds.default(86_400), key: z.string().max(1024).optional() })
    .optional(),
  manifest: z.record(z.string(), json).default({}),
  outputs: z.array(outputValue).max(256).default([]),
  output_directories: z.array(directoryOutput).max(64).default([]),
  input_directories: z.array(directoryInput).max(64).default([]),
  position: z.strictObject({ x: z.number(), y: z.number() }).optional(),
  foreign: z.record(z.string(), json).optional(),
});
export type WorkflowNode = z.infer<typeof workflowNode>;

export const workflowEdge = z.strictObject({
  source: workflowNodeId,
  target: workflowNodeId,
  foreign: z.record(z.string(), json).optional(),
});
export type WorkflowEdge = z.infer<typeof workflowEdge>;

export const ACTIVE_RUN_POLICIES = ["queue", "skip", "cancel_old"] as const;
const options = z.strictObject({
  /** `continue`: independent branches finish; `fail_fast`: nothing leaves Ready any more. */
  on_failure: z.enum(["continue", "fail_fast"]).default("continue"),
  /** Nodes in Queued and Running at the same time. */
  parallelism: z.int().min(1).max(10_000).optional(),
  /** Runs of the experiment at the same time, and what happens to one more. */
  max_active_runs: z.int().min(1).max(10_000).optional(),
  max_active_policy: z.enum(ACTIVE_RUN_POLICIES).default("queue"),
  /** From the first Running moment, paused time excluded. */
  run_timeout_seconds: seconds.optional(),
  priority: z.int().min(-1000).max(1000).default(0),
  /** IANA zone in which "yesterday" is reckoned; default: the service's. */
  time_zone: z.string().max(64).optional(),
  /** Whose meaning `${run_mon}` and its like have. */
  time_dialect: z.enum(["wtss", "linkis"]).default("wtss"),
  proxy_user: z.string().max(253).optional(),
});

/** Starts when all other nodes are terminal, also after cancel and timeout; its failure does not change the run's result. */
const finallyGraph = z.strictObject({
  nodes: z.array(workflowNode).min(1).max(100),
  edges: z.array(workflowEdge).max(1000).default([]),
  run_timeout_seconds: seconds.optional(),
});

export const workflowDefinition = z.strictObject({
  schema_version: z.literal(1).default(1),
  description: z.string().max(65_536).optional(),
  parameters: z.array(workflowParameter).max(1000).default([]),
  options: options.prefault({}),
  nodes: z.array(workflowNode).max(MAX_WORKFLOW_NODES),
  edges: z.array(workflowEdge).max(MAX_WORKFLOW_EDGES).default([]),
  finally: finallyGraph.optional(),
  /** What a sub-workflow gives its parent: CEL expressions over `nodes` and `params`. */
  outputs: z
    .array(z.strictObject({ name: identifier, value: z.string().min(1).max(65_536) }))
    .max(256)
    .default([]),
  /** Top-level keys of the flowjson it came from that have no native place. */
  foreign: z.record(z.string(), json).optional(),
});
export type WorkflowDefinition = z.infer<typeof workflowDefinition>;
export type WorkflowDefinitionInput = z.input<typeof workflowDefinition>;
