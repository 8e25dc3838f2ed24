/**
 * The task file (`task_config`), the documents' own format, every key of it (D13). This schema is the one source of the
 * TypeScript type, the JSON Schema, `aiepctl mltask explain`, and the reference in docs/.
 *
 * T1 unknown keys are refused, never ignored (strict objects).
 * T2 rules between fields live in `crossFieldProblems`, so that all problems of a file are found at once.
 */
import * as z from "zod";
import { groupId } from "../ids.ts";

export const TASK_MODES = ["Standalone", "DDP", "PS-Worker"] as const;
export type TaskMode = (typeof TASK_MODES)[number];

/** Seven days, the documents' samples. */
export const DEFAULT_RUN_LIMIT_SECONDS = 604_800;
export const MAX_RUN_LIMIT_SECONDS = 30 * 86_400;
export const MAX_NODES = 256;

const absolutePath = z
  .string()
  .max(1024)
  .regex(/^\/[^\0]*$/, "an absolute path, starting with '/'")
  .refine((path) => !path.split("/").includes(".."), "may not contain '..'");

const relativePath = z
  .string()
  .max(1024)
  .regex(/^(?!\/)[^\0]*$/, "a path below the root, without a leading '/'")
  .refine((path) => !path.split("/").includes(".."), "may not contain '..'");

const labelKey = z
  .string()
  .regex(/^([a-z0-9.-]{1,253}\/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/, "a Kubernetes label key");
const labelValue = z
  .string()
  .regex(
    /^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/,
    "a Kubernetes label value: up to 63 letters, digits, '-', '_' or '.'",
  );

/** Name of an environment variable. */
export const envName = z
  .string()
  .max(256)
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "letters, digits and '_', not starting with a digit");

export const metadata = z.strictObject({
  name: z.string().min(1).max(253).describe("Name of the task, in any script. Names may repeat."),
  group_id: groupId.optional().describe("Group the task belongs to. Default: the caller's only group."),
  description: z.string().max(4096).optional().describe("Free text."),
  labels: z
    .array(
      z.strictObject({ key: labelKey.describe("Label key."), value: labelValue.describe("Label value.") }),
    )
    .max(32)
    .optional()
    .describe("Labels; they become pod labels."),
  proxy_user: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe(
      "Run with the uid and gid of this proxy user, one of the creator's own, instead of the creator's.",
    ),
  proxy_user_id: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe("Id of the proxy user; when both are given they must name the same one."),
  data_info_type: z.enum(["Default", "Custom"]).optional().describe("How the data configuration was chosen."),
  gen_ai_llm: z
    .boolean()
    .optional()
    .describe("Whether this is a generative large-model task; kept and filterable."),
  experiment_id: z
    .string()
    .max(64)
    .optional()
    .describe("Set by workflow-svc for tasks of a run; refused from others."),
  experiment_run_id: z
    .string()
    .max(64)
    .optional()
    .describe("Set by workflow-svc for tasks of a run; refused from others."),
  experiment_version_name: z
    .string()
    .max(64)
    .optional()
    .describe("Set by workflow-svc for tasks of a run; refused from others."),
});

export const imageInfo = z.strictObject({
  url: z.string().min(1).max(512).optional().describe("URL of the image. One of url and name is required."),
  name: z.string().min(1).max(253).optional().describe("Name of an image registered in the directory."),
});

export const dataEntry = z.strictObject({
  mlss_platform_parent_dir: absolutePath.describe(
    "Storage root, one of the creator's own or a public one; with a proxy user one of the proxy user's.",
  ),
  mlss_platform_sub_dir: relativePath
    .optional()
    .describe("Folder below the storage root. Default: the root itself."),
  mapping_path: z
    .union([z.literal(""), absolutePath])
    .optional()
    .describe("Path inside the container. Empty or missing: the same path as outside."),
  mapping_path_name: envName
    .optional()
    .describe("The environment variable of this name gets mapping_path as its value."),
  access_mode: z.enum(["Read", "ReadWrite"]).default("Read").describe("Read or ReadWrite. Default Read."),
  file_system: z.enum(["CEPH", "NFS"]).optional().describe("Kind of file system behind the root."),
  source_type: z
    .enum(["MLSSPlatformStorage"])
    .default("MLSSPlatformStorage")
    .describe("Where the data comes from."),
  cc_storage_name: z
    .string()
    .optional()
    .describe("Deprecated since 2024.10: accepted, ignored, warned about."),
  cc_storage_type: z
    .enum(["CEPH"])
    .optional()
    .describe("Deprecated since 2024.10: accepted, ignored, warned about."),
});
export type DataEntry = z.infer<typeof dataEntry>;

export const nodeResources = z.strictObject({
  nums: z.int().min(1).max(MAX_NODES).describe("Number of nodes of this role; 1 for Standalone."),
  cpu_num: z.number().positive().max(1024).describe("CPU cores of one node; fractions allowed."),
  memory: z.number().positive().max(65_536).describe("Memory of one node in GB."),
  gpu_num: z.int().min(0).max(64).optional().describe("GPUs of one node. Default 0."),
  gpu_type: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe("Kind of GPU or NPU, a resource named in the directory."),
});
export type NodeResources = z.infer<typeof nodeResources>;

export const computeResourceInfo = z.strictObject({
  model: z.enum(TASK_MODES).describe("Training mode: Standalone, DDP (PyTorch) or PS-Worker (TensorFlow)."),
  namespace: z.string().min(1).max(63).describe("Namespace the task runs in, one of the group's."),
  node_info: z
    .strictObject({
      worker: nodeResources.describe("Worker nodes. In DDP mode number 0 of them is the master (RANK=0)."),
      ps: nodeResources.optional().describe("Parameter servers; required for PS-Worker, refused otherwise."),
    })
    .describe("Nodes of each role."),
  run_limit_seconds: z
    .int()
    .min(1)
    .max(MAX_RUN_LIMIT_SECONDS)
    .optional()
    .describe(
      "The task is ended with reason DeadlineExceeded after this many seconds. Default 604800 (seven days).",
    ),
});

export const codeInfo = z.strictObject({
  command: z
    .string()
    .min(1)
    .max(65_536)
    .describe(
      "Shell script, run by sh on every node: several lines, comments, ';', '&&' and ${VAR} allowed.",
    ),
});

export const materialInfo = z.strictObject({
  type: z.enum(["Model", "ProcessLine"]).describe("Kind of material."),
  group_id: groupId.optional().describe("Group that owns the material. Default: the task's group."),
  model_id: z.string().min(1).max(64).optional().describe("With type Model."),
  model_version_id: z.string().min(1).max(64).optional().describe("With type Model."),
  processline_id: z.string().min(1).max(64).optional().describe("With type ProcessLine."),
  processline_version_id: z.string().min(1).max(64).optional().describe("With type ProcessLine."),
});
export type MaterialInfo = z.infer<typeof materialInfo>;

export const taskFile = z.strictObject({
  metadata: metadata.describe("What the task is called and whose it is."),
  image_info: imageInfo.describe("Container image."),
  data_info: z.array(dataEntry).max(32).optional().describe("Storage mounts."),
  compute_resource_info: computeResourceInfo.describe("Mode, namespace, nodes and their resources."),
  code_info: codeInfo.describe("What runs."),
  material_info: materialInfo
    .optional()
    .describe(
      "A model or process line placed at ${DEPEND_RESOURCE_PATH}/${DEPEND_RESROUCE_FILENAME} as the zip it is.",
    ),
});
/** A task file as it comes in: defaults may be missing. */
export type TaskFileInput = z.input<typeof taskFile>;
/** A task file with its defaults filled in. */
export type TaskFile = z.infer<typeof taskFile>;

/** Variables the platform sets itself; `set_envs` and `mapping_path_name` may not name them. */
export const RESERVED_ENVIRONMENT: readonly string[] = [
  "UPLOAD_CODE_DIR",
  "DEPEND_RESOURCE_PATH",
  "DEPEND_RESROUCE_FILENAME",
  "MASTER_ADDR",
  "MASTER_PORT",
  "WORLD_SIZE",
  "RANK",
  "TF_CONFIG",
  "PYTHONUNBUFFERED",
  "PET_MASTER_ADDR",
  "PET_MASTER_PORT",
  "PET_NODE_RANK",
  "PET_NPROC_PER_NODE",
  "PET_NNODES",
  "PET_RDZV_ENDPOINT",
  "PET_RDZV_BACKEND",
  "PET_RDZV_ID",
  "PET_RDZV_CONF",
  "PET_MAX_RESTARTS",
  "PET_STANDALONE",
];

/** Label keys of these domains steer a cluster; labels of tasks become labels of pods. */
const RESERVED_LABEL_DOMAINS = [
  "aiep.io",
  "kubernetes.io",
  "k8s.io",
  "x-k8s.io",
  "kubeflow.org",
  "volcano.sh",
] as const;
const RESERVED_LABELS: readonly string[] = ["job-name", "controller-uid"];

/** Set by the platform or read by the cluster's controllers: a task may not carry it. */
function isReservedLabel(key: string): boolean {
  const [domain = "", name] = key.split("/");
  if (name === undefined) return RESERVED_LABELS.includes(key);
  return RESERVED_LABEL_DOMAINS.some((each) => domain === each || domain.endsWith(`.${each}`));
}

export interface FieldProblem {
  /** RFC 6901 JSON Pointer into the task file. */
  readonly pointer: string;
  readonly code: string;
  readonly detail: string;
}

type AddProblem = (pointer: string, code: string, detail: string) => void;

/**
 * T2: rules between fields, section by section, so that one section's broken shape hides nothing in the others: only
 * the sections given are checked. Pure; an empty list means they are good.
 */
export function crossFieldProblems(
  file: { readonly [Section in keyof TaskFile]?: TaskFile[Section] | undefined },
): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const add: AddProblem = (pointer, code, detail) => problems.push({ pointer, code, detail });
  if (file.image_info !== undefined) checkImage(file.image_info, add);
  if (file.compute_resource_info !== undefined) checkNodes(file.compute_resource_info, add);
  checkMounts(file.data_info ?? [], add);
  if (file.material_info !== undefined) checkMaterial(file.material_info, add);
  checkLabels(file.metadata?.labels ?? [], add);
  return problems;
}

function checkLabels(labels: NonNullable<TaskFile["metadata"]["labels"]>, add: AddProblem): void {
  labels.forEach(({ key }, index) => {
    if (isReservedLabel(key))
      add(
        `/metadata/labels/${index}/key`,
        "RESERVED",
        `labels like ${key} belong to the platform and the cluster; choose a key of your own`,
      );
  });
}

function checkImage(image: TaskFile["image_info"], add: AddProblem): void {
  if (image.url === undefined && image.name === undefined) {
    add("/image_info", "REQUIRED", "one of image_info.url and image_info.name is required");
  }
}

function checkNodes({ model, node_info }: TaskFile["compute_resource_info"], add: AddProblem): void {
  switch (model) {
    case "Standalone":
      if (node_info.worker.nums !== 1) {
        add(
          "/compute_resource_info/node_info/worker/nums",
          "INVALID",
          "a Standalone task has exactly 1 node; use model DDP or PS-Worker for more",
        );
      }
      break;
    case "DDP":
      break;
    case "PS-Worker":
      if (node_info.ps === undefined) {
        add(
          "/compute_resource_info/node_info/ps",
          "REQUIRED",
          "a PS-Worker task needs at least 1 parameter server: node_info.ps with nums, cpu_num and memory",
        );
      }
      break;
    default: {
      const unknown: never = model;
      throw new TypeError(`unknown mode ${String(unknown)}`);
    }
  }
  if (model !== "PS-Worker" && node_info.ps !== undefined) {
    add(
      "/compute_resource_info/node_info/ps",
      "INVALID",
      `parameter servers belong to model PS-Worker, not ${model}`,
    );
  }
}

function checkMounts(entries: readonly DataEntry[], add: AddProblem): void {
  const [firstEntry] = entries;
  const root = firstEntry === undefined ? "" : plain(firstEntry.mlss_platform_parent_dir);
  const seen = new Map<string, number>();
  entries.forEach((entry, index) => {
    const target = mountTarget(entry);
    const earlier = seen.get(target);
    if (earlier !== undefined) {
      add(
        `/data_info/${index}/mapping_path`,
        "DUPLICATE",
        `${target} is already mounted by data_info[${earlier}]`,
      );
    } else {
      seen.set(target, index);
    }
    if (entry.access_mode === "ReadWrite" && plain(entry.mlss_platform_parent_dir) !== root) {
      add(
        `/data_info/${index}/mlss_platform_parent_dir`,
        "INVALID",
        `entries that are written use the storage root of the first entry, ${root}`,
      );
    }
    if (entry.mapping_path_name !== undefined && RESERVED_ENVIRONMENT.includes(entry.mapping_path_name)) {
      add(
        `/data_info/${index}/mapping_path_name`,
        "RESERVED",
        `${entry.mapping_path_name} is set by the platform; choose another name`,
      );
    }
  });
}

function checkMaterial(material: MaterialInfo, add: AddProblem): void {
  const wanted =
    material.type === "Model"
      ? (["model_id", "model_version_id"] as const)
      : (["processline_id", "processline_version_id"] as const);
  for (const key of wanted) {
    if (material[key] === undefined)
      add(`/material_info/${key}`, "REQUIRED", `type ${material.type} needs ${key}`);
  }
}

/** Folder on the storage: root plus sub-folder. */
export function mountSource(entry: DataEntry): string {
  const sub = entry.mlss_platform_sub_dir?.replace(/\/+$/, "") ?? "";
  const root = plain(entry.mlss_platform_parent_dir);
  return sub === "" ? root : `${root}/${sub}`;
}

/** Path inside the container; empty mapping means the same path as outside (documents-checklist). */
export function mountTarget(entry: DataEntry): string {
  const path =
    entry.mapping_path === undefined || entry.mapping_path === "" ? mountSource(entry) : entry.mapping_path;
  return plain(path);
}

/** Without slashes at the end; the root folder stays `/`. */
function plain(path: string): string {
  return path.replace(/(?<=.)\/+$/, "");
}
