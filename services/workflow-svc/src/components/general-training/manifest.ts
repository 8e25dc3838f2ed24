import { codePackageId, setEnvs } from "@aiep/contracts";
import * as z from "zod";
import {
  command,
  dataInfo,
  directories,
  imageInfo,
  materialInfo,
  model,
  namespace,
  psResources,
  runLimitSeconds,
  taskMetadata,
  workerResources,
} from "../container/parts.ts";

export const generalTrainingManifest = z.strictObject({
  metadata: taskMetadata.optional().describe("Labels, identity and facts of the task."),
  image_info: imageInfo.describe("Container image, by registered name or by URL."),
  compute_resource_info: z
    .strictObject({
      model: model.default("Standalone"),
      namespace,
      node_info: z
        .strictObject({
          worker: workerResources.describe(
            "Worker nodes. In DDP mode number 0 of them is the master (RANK=0).",
          ),
          ps: psResources
            .optional()
            .describe("Parameter servers; required for PS-Worker, refused otherwise."),
        })
        .describe("Nodes of each role."),
      run_limit_seconds: runLimitSeconds,
    })
    .describe("Mode, namespace, nodes and their resources."),
  directories: directories.optional(),
  data_info: dataInfo.describe("More mounts, as in a task file."),
  code_info: z
    .strictObject({
      command,
      code_package_id: codePackageId
        .optional()
        .describe("An uploaded zip (POST /v1/code-packages), unpacked into ${UPLOAD_CODE_DIR}."),
    })
    .describe("What runs."),
  material_info: materialInfo,
  set_envs: setEnvs.optional().describe("Environment variables of every node of the task."),
});
