import { setEnvs } from "@aiep/contracts";
import * as z from "zod";
import {
  dataInfo,
  imageInfo,
  namespace,
  runLimitSeconds,
  taskMetadata,
  workerResources,
} from "../container/parts.ts";

/** The documents' own. */
export const DEFAULT_PYTHON_COMMAND = "python ${UPLOAD_CODE_DIR}/main.py";

/** What a submit command carries. */
const MAX_SOURCE_BYTES = 256 * 1024;

export const pythonManifest = z.strictObject({
  metadata: taskMetadata.optional().describe("Labels, identity and facts of the task."),
  script: z
    .strictObject({
      source_code: z
        .string()
        .min(1)
        .refine(
          (text) => Buffer.byteLength(text) <= MAX_SOURCE_BYTES,
          "at most 256 KiB; put more into the image or the storage",
        )
        .describe("Python source code; it becomes ${UPLOAD_CODE_DIR}/main.py."),
      command: z
        .string()
        .min(1)
        .max(65_536)
        .default(DEFAULT_PYTHON_COMMAND)
        .describe(
          "Shell script that starts the code. In an image that has python3 alone, the word python at its beginning means python3.",
        ),
    })
    .describe("The code and how it is started."),
  image_info: imageInfo
    .optional()
    .describe("Container image. Default: the image that the directory marks as default of the python node."),
  compute_resource_info: z
    .strictObject({
      namespace,
      node_info: z
        .strictObject({ worker: workerResources.describe("The one node.") })
        .prefault({ worker: { cpu_num: 1, memory: 2 } })
        .describe("Resources. Default: 1 core, 2 GB."),
      run_limit_seconds: runLimitSeconds,
    })
    .describe("Namespace and resources."),
  data_info: dataInfo.describe("Storage mounts, as in a task file."),
  set_envs: setEnvs.optional().describe("Environment variables."),
});
