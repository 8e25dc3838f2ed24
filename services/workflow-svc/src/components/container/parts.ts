/**
 * What the kinds that run container tasks have in common: their manifests use the task file's own words and schemas (D13),
 * so that whoever can write a task file can write these nodes, and a rule of the task file holds here, too.
 */
import { taskFile } from "@aiep/contracts";
import * as z from "zod";

const file = taskFile.shape;
const resources = file.compute_resource_info.shape;
const metadata = file.metadata.shape;

export const imageInfo = file.image_info;
export const dataInfo = file.data_info;
export const materialInfo = file.material_info;
export const { namespace, model } = resources;
export const runLimitSeconds = resources.run_limit_seconds;
export const command = file.code_info.shape.command;

/** Name, description and group of the task are the node's and the run's. */
export const taskMetadata = z.strictObject({
  labels: metadata.labels,
  proxy_user: metadata.proxy_user.describe(
    "Run with the uid and gid of this proxy user of the run's creator. Default: the workflow's proxy user, else the creator.",
  ),
  proxy_user_id: metadata.proxy_user_id,
  gen_ai_llm: metadata.gen_ai_llm,
});

/** One node unless said otherwise. */
export const workerResources = resources.node_info.shape.worker.extend({
  nums: resources.node_info.shape.worker.shape.nums.default(1),
});
export const psResources = resources.node_info.shape.ps.unwrap();

const storageRoot = file.data_info.unwrap().element.shape.mlss_platform_parent_dir;
const subFolder = z
  .string()
  .max(1024)
  .regex(/^(?!\/)[^\0]*$/, "a path below the root, without a leading '/'")
  .refine((path) => !path.split("/").includes(".."), "may not contain '..'");

/** The three folders of the training form; empty sub folder: the root itself. */
export const directories = z
  .strictObject({
    storage_root: storageRoot
      .optional()
      .describe("Storage root of the data and result folders, one of the creator's own or a public one."),
    data_sub_dir: subFolder
      .optional()
      .describe("Folder below the storage root that ${DATA_DIR} names, read-only. Empty: the root itself."),
    result_sub_dir: subFolder
      .optional()
      .describe("Folder below the storage root that ${RESULT_DIR} names, writable. Empty: the root itself."),
    code_root: storageRoot
      .optional()
      .describe("Storage root of the code folder. Default: the storage root of data and results."),
    code_sub_dir: subFolder
      .optional()
      .describe("Folder below the code root that ${CODE_DIR} names, read-only. Empty: the root itself."),
  })
  .describe("Folders of the shared storage that the script finds in DATA_DIR, RESULT_DIR and CODE_DIR.");
export type Directories = z.infer<typeof directories>;
