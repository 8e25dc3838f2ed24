/**
 * HTTP bodies of workflow-svc (D20, D30, D33). Shapes only; routes are in `http/workflow-routes.ts`.
 *
 * A definition arrives as plain JSON (`definition`, `flowjson`) or text (`yaml`): the service reads it itself, so that
 * every problem of it, of shape and of graph, is named with node and field in one answer.
 */
import * as z from "zod";
import { oneOrMany } from "../http/query.ts";
import { experimentId, groupId, runId, taskId, timestamp } from "../ids.ts";
import { startRunFields } from "./commands.ts";
import { componentKind, workflowDefinition, workflowNodeId } from "./definition.ts";
import { RUN_ORIGINS, runNode, runNodeKey, runOrigin } from "./events.ts";
import { failureClass, runMode, runNodeState, runState } from "./states.ts";

export const DRAFT = "draft";
/** Name of a frozen version: v1, v2, … */
export const versionName = z.string().regex(/^v[1-9][0-9]{0,6}$/, "a version such as v3");
/** A frozen version, or the draft. */
export const versionOrDraft = z
  .string()
  .regex(/^(draft|v[1-9][0-9]{0,6})$/, "a version such as v3, or draft");

export const templateId = z
  .string()
  .regex(/^[0-9a-f]{32}$/, "a template id is 32 lower-case hex digits")
  .brand<"TemplateId">();
export type TemplateId = z.infer<typeof templateId>;

const name = z.string().trim().min(1).max(253);
const description = z.string().max(65_536);
const jsonObject = z.record(z.string(), z.unknown());
const limit = z.coerce.number().int().min(1).max(500).default(50);
const cursor = z.string().max(1024).optional();

/** At most one of them: the native form as JSON or as YAML text, or a flowjson (object, or its text). */
const definitionSource = {
  definition: jsonObject.optional(),
  flowjson: z.union([jsonObject, z.string()]).optional(),
  yaml: z.string().optional(),
};
const SOURCES = ["definition", "flowjson", "yaml", "template_id"] as const;
const given = (body: Readonly<Record<string, unknown>>) =>
  SOURCES.filter((source) => body[source] !== undefined);

/** Creating and importing are one: without a source the draft is empty. */
export const createExperimentBody = z
  .strictObject({
    group_id: groupId.optional(),
    /** Default: the file's own name, when it has one. */
    name: name.optional(),
    description: description.optional(),
    ...definitionSource,
    template_id: templateId.optional(),
  })
  .refine((body) => given(body).length <= 1, `at most one of ${SOURCES.join(", ")}`);
export type CreateExperimentBody = z.infer<typeof createExperimentBody>;

/** `POST /v1/experiments/import`: a zip that holds `flowjson/flowjson.json`. */
export const importArchiveQuery = z.strictObject({
  group_id: groupId.optional(),
  name: name.optional(),
  /** Check everything, keep nothing. */
  dry_run: z.stringbool().default(false),
});

export const updateExperimentBody = z
  .strictObject({ name: name.optional(), description: description.nullable().optional() })
  .refine((body) => body.name !== undefined || body.description !== undefined, "name or description");

export const copyExperimentBody = z.strictObject({
  name: name.optional(),
  group_id: groupId.optional(),
  /** Default: the draft. */
  version_name: versionOrDraft.default(DRAFT),
});

const exactlyOne = (body: Readonly<Record<string, unknown>>) => given(body).length === 1;
const ONE_SOURCE = "exactly one of definition, flowjson, yaml";
export const putDraftBody = z.strictObject(definitionSource).refine(exactlyOne, ONE_SOURCE);

export const validateBody = z
  .strictObject({
    ...definitionSource,
    /** Whose directory rules apply; default the caller's only group. */
    group_id: groupId.optional(),
  })
  .refine(exactlyOne, ONE_SOURCE);

/** Something wrong with a definition. `warning`: it is kept and can be saved, but look at it. */
export const definitionProblem = z.object({
  severity: z.enum(["error", "warning"]),
  code: z.string(),
  /** The node it is about; null when it is about the whole. */
  node: z.string().nullable(),
  /** Path inside the node, or inside the definition: `manifest/image`, `options/time_zone`. */
  field: z.string().nullable(),
  /** JSON Pointer into the definition. */
  pointer: z.string(),
  detail: z.string(),
});
export type DefinitionProblem = z.infer<typeof definitionProblem>;

export const validationView = z.object({
  valid: z.boolean(),
  problems: z.array(definitionProblem),
  /** What was read, in the native form; null when it could not be read. */
  definition: workflowDefinition.nullable(),
});

export const experimentView = z.object({
  id: experimentId,
  name: z.string(),
  description: z.string().nullable(),
  group_id: groupId,
  /** Grows with every change; the strong ETag of the experiment and the `ce-aggregateversion` of its last event. */
  version: z.int(),
  /** Strong ETag of the draft. */
  draft_version: z.int(),
  /** The draft differs from the newest version, or there is none. */
  draft_changed: z.boolean(),
  latest_version: versionName.nullable(),
  node_count: z.int(),
  /** Where it came from: an experiment's version, a template or a bundle. */
  copied_from: z.string().nullable(),
  created_by: z.string(),
  created_at: timestamp,
  updated_by: z.string(),
  updated_at: timestamp,
});
export type ExperimentView = z.infer<typeof experimentView>;

export const experimentDetail = z.object({
  ...experimentView.shape,
  definition: workflowDefinition,
  /** Warnings about the draft: imported kinds that cannot run, and the like. */
  problems: z.array(definitionProblem),
});
export type ExperimentDetail = z.infer<typeof experimentDetail>;

export const listExperimentsQuery = z.strictObject({
  limit,
  cursor,
  group_id: oneOrMany(groupId).optional(),
  name_prefix: z.string().max(253).optional(),
  created_by: z.string().max(253).optional(),
});
export type ListExperimentsQuery = z.infer<typeof listExperimentsQuery>;

export const draftView = z.object({
  experiment_id: experimentId,
  /** Strong ETag `"v<version>"`, to be sent as If-Match with the next PUT. */
  version: z.int(),
  changed: z.boolean(),
  definition: workflowDefinition,
  problems: z.array(definitionProblem),
  updated_by: z.string(),
  updated_at: timestamp,
});
export type DraftView = z.infer<typeof draftView>;

export const freezeBody = z.strictObject({
  description: description.optional(),
  /** Refused unless it is the next one's name. */
  version_name: versionName.optional(),
});

export const versionSummary = z.object({
  experiment_id: experimentId,
  version_name: versionName,
  description: z.string(),
  node_count: z.int(),
  /** SHA-256 of the definition's canonical JSON. */
  digest: z.string(),
  created_by: z.string(),
  created_at: timestamp,
});
export type VersionSummary = z.infer<typeof versionSummary>;

/** A version whole; `version_name` may be `draft`. */
export const versionDetail = z.object({
  ...versionSummary.shape,
  version_name: versionOrDraft,
  definition: workflowDefinition,
});
export type VersionDetail = z.infer<typeof versionDetail>;

export const EXPORT_FORMATS = ["native", "yaml", "flowjson", "flowjson_zip"] as const;
export const exportQuery = z.strictObject({
  version_name: versionOrDraft.default(DRAFT),
  format: z.enum(EXPORT_FORMATS).default("flowjson"),
});

export const diffQuery = z.strictObject({ from: versionOrDraft, to: versionOrDraft.default(DRAFT) });
export const definitionChange = z.object({
  change: z.enum(["added", "removed", "changed"]),
  what: z.enum(["node", "edge", "parameter", "option", "finally", "output", "definition"]),
  /** Id of the node, `a -> b` of an edge, name of the parameter; null for the whole definition. */
  key: z.string().nullable(),
  /** Path of the changed value inside it; null when all of it was added or removed. */
  field: z.string().nullable(),
  before: z.unknown(),
  after: z.unknown(),
});
export type DefinitionChange = z.infer<typeof definitionChange>;
export const diffView = z.object({
  experiment_id: experimentId,
  from: versionOrDraft,
  to: versionOrDraft,
  changes: z.array(definitionChange),
});

export const createTemplateBody = z.strictObject({
  experiment_id: z.string().regex(/^[0-9a-f]{4,32}$/, "4 to 32 lower-case hex digits"),
  /** Default: the newest frozen one. */
  version_name: versionName.optional(),
  name,
  description: description.optional(),
  /** `group`: of the experiment's group. `all`: everybody may use it. */
  scope: z.enum(["group", "all"]).default("group"),
});
export const templateView = z.object({
  id: templateId,
  name: z.string(),
  description: z.string().nullable(),
  scope: z.enum(["group", "all"]),
  group_id: groupId,
  node_count: z.int(),
  experiment_id: experimentId,
  version_name: versionName,
  created_by: z.string(),
  created_at: timestamp,
});
export type TemplateView = z.infer<typeof templateView>;
export const templateDetail = z.object({ ...templateView.shape, definition: workflowDefinition });
export const listTemplatesQuery = z.strictObject({
  limit,
  cursor,
  scope: z.enum(["group", "all"]).optional(),
  group_id: oneOrMany(groupId).optional(),
});
export type ListTemplatesQuery = z.infer<typeof listTemplatesQuery>;

/** A frozen version as one signed document, to be carried to another installation. */
export const workflowBundle = z.strictObject({
  format: z.literal("aiep.workflow-bundle/1"),
  /** Name of the installation it left. */
  environment: z.string(),
  experiment: z.strictObject({ id: experimentId, name: z.string(), description: z.string().nullable() }),
  group: z.strictObject({ id: groupId, name: z.string() }),
  version_name: versionName,
  version_description: z.string(),
  exported_by: z.string(),
  exported_at: timestamp,
  definition: jsonObject,
  signature: z.strictObject({
    algorithm: z.literal("Ed25519"),
    /** First 16 hex digits of the SHA-256 of the public key (SPKI, DER). */
    key_id: z.string(),
    /** Base64 over the canonical JSON of everything but `signature`. */
    value: z.string(),
  }),
});
export type WorkflowBundle = z.infer<typeof workflowBundle>;

/** Names that belong to one installation. */
export const BUNDLE_REFERENCES = [
  "namespace",
  "storage_root",
  "image",
  "proxy_user",
  "code_package",
  "experiment",
] as const;
const renames = z.record(z.string(), z.string()).default({});
export const importBundleBody = z.strictObject({
  bundle: jsonObject,
  group_id: groupId.optional(),
  name: name.optional(),
  /** What a name of the old installation is called in this one. */
  mapping: z
    .strictObject({
      namespaces: renames,
      storage_roots: renames,
      images: renames,
      proxy_users: renames,
      /** Code packages do not travel: upload them here first. */
      code_packages: renames,
      /** Of sub-workflow nodes. */
      experiments: renames,
    })
    .prefault({}),
});
export const bundleReference = z.object({
  kind: z.enum(BUNDLE_REFERENCES),
  from: z.string(),
  /** What it becomes; null when nothing here answers to it. */
  to: z.string().nullable(),
  nodes: z.array(z.string()),
  detail: z.string().nullable(),
});
export type BundleReference = z.infer<typeof bundleReference>;
export const bundleImportView = z.object({
  /** Null with dry_run. */
  experiment: experimentView.nullable(),
  references: z.array(bundleReference),
});

export const COMPILE_TARGETS = ["kfp", "argo"] as const;
export const compileBody = z.strictObject({
  target: z.enum(COMPILE_TARGETS),
  version_name: versionOrDraft.default(DRAFT),
  /** Hand the document out although something could not be expressed. */
  allow_loss: z.boolean().default(false),
});
export const compiledView = z.object({
  target: z.enum(COMPILE_TARGETS),
  name: z.string(),
  /** YAML, several documents separated by `---`. */
  document: z.string(),
  /** KFP: Secrets that have to be in the run's namespace before it starts, as YAML. */
  secrets: z.string(),
  inexpressible: z.array(
    z.object({
      severity: z.enum(["refusal", "note"]),
      node: z.string().nullable(),
      field: z.string(),
      detail: z.string(),
    }),
  ),
});

const bilingual = z.object({ zh: z.string(), en: z.string() });
/** A node kind as forms need it (D23). */
export const componentView = z.object({
  kind: componentKind,
  title: bilingual,
  summary: bilingual,
  category: z.string(),
  /** `task` runs as a container task; `polled` asks another system now and then; the others run inside workflow-svc. */
  execution: z.enum(["task", "in-process", "polled", "timer", "approval", "child-run"]),
  /** JSON Schema (2020-12) of the manifest. */
  manifest_schema: z.record(z.string(), z.unknown()),
  /** Fields in the order a form shows them, `path` dotted below the manifest (`[]` any entry of a list). */
  form: z.object({
    groups: z.array(z.object({ id: z.string(), title: bilingual })),
    fields: z.array(
      z.object({
        path: z.string(),
        label: bilingual,
        widget: z.string(),
        group: z.string(),
        placeholder: z.string().optional(),
        unit: bilingual.optional(),
      }),
    ),
  }),
  /** Texts in which `${UPPER_CASE}` belongs to the shell. */
  script_fields: z.array(z.string()),
  /** Outputs that every node of the kind leaves; null: the manifest tells. */
  outputs: z.array(z.string()).nullable(),
  example: z.record(z.string(), z.unknown()),
});
export type ComponentView = z.infer<typeof componentView>;

export const startRunBody = z.strictObject(startRunFields);
export type StartRunBody = z.infer<typeof startRunBody>;

/** Like startRun, of the run's own version and with its parameters where nothing else is said. */
export const rerunBody = z.strictObject({
  mode: runMode.default("from_failed"),
  nodes: z.array(workflowNodeId).max(1000).default([]),
  parameters: startRunFields.parameters,
  run_date: startRunFields.run_date,
});

export const runView = z.object({
  id: runId,
  experiment_id: experimentId,
  experiment_name: z.string(),
  group_id: groupId,
  version_name: versionName,
  mode: runMode,
  selected: z.array(workflowNodeId),
  state: runState,
  reason: z.string().nullable(),
  message: z.string().nullable(),
  /** Strong ETag and `ce-aggregateversion` of its last event. */
  version: z.int(),
  parameters: z.record(z.string(), z.json()),
  run_date: z.string(),
  origin: runOrigin,
  base_run_id: runId.nullable(),
  node_count: z.int(),
  /** Nodes by state; states without nodes are left out. */
  nodes_by_state: z.partialRecord(runNodeState, z.int()),
  created_by: z.string(),
  created_at: timestamp,
  started_at: timestamp.nullable(),
  finished_at: timestamp.nullable(),
});
export type RunView = z.infer<typeof runView>;

/** Execution records: the same key repeated is OR, different keys are AND. */
export const listRunsQuery = z.strictObject({
  limit,
  cursor,
  group_id: oneOrMany(groupId).optional(),
  experiment_id: experimentId.optional(),
  version_name: versionName.optional(),
  state: oneOrMany(runState).optional(),
  mode: oneOrMany(runMode).optional(),
  origin: oneOrMany(z.enum(RUN_ORIGINS)).optional(),
  publication_id: z.string().max(64).optional(),
  external_id: z.string().max(256).optional(),
  run_date: z
    .string()
    .regex(/^\d{8}$/)
    .optional(),
  created_by: z.string().max(253).optional(),
  created_after: timestamp.optional(),
  created_before: timestamp.optional(),
});
export type ListRunsQuery = z.infer<typeof listRunsQuery>;

/** A node of a run with where to look further. */
export const runNodeView = z.object({
  ...runNode.shape,
  links: z.object({ task: z.string().nullable(), logs: z.string().nullable(), run: z.string().nullable() }),
});
export const runAttemptView = z.object({
  attempt: z.int(),
  state: runNodeState,
  reason: z.string().nullable(),
  message: z.string().nullable(),
  failure: failureClass.nullable(),
  task_id: taskId.nullable(),
  child_run_id: runId.nullable(),
  started_at: timestamp.nullable(),
  finished_at: timestamp.nullable(),
});
export type RunAttemptView = z.infer<typeof runAttemptView>;
export const runNodeDetail = z.object({ ...runNodeView.shape, attempts: z.array(runAttemptView) });
export const listRunNodesQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).default(1000),
  cursor,
  state: oneOrMany(runNodeState).optional(),
});

export const cancelRunBody = z.strictObject({ reason: z.string().max(1024).optional() });
export const approvalBody = z.strictObject({
  comment: z.string().max(4096).optional(),
  /** Become the node's outputs; of approve. */
  values: z.record(z.string(), z.json()).default({}),
});
export const runNodeParams = { node_key: runNodeKey };
