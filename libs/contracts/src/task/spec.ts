/**
 * TaskSpec: what a runtime needs to run a task, after admission resolved names against the directory (D13–D15).
 * Internal to task-svc's database and runtimes; kept here because both runtimes and the tests share it.
 */
import * as z from "zod";
import { codePackageId } from "../ids.ts";
import { taskIo } from "./io.ts";
import { nodeRole } from "./states.ts";
import { TASK_MODES } from "./task-file.ts";

export const taskSpec = z.object({
  mode: z.enum(TASK_MODES),
  namespace: z.string(),
  image: z.object({ url: z.string(), name: z.string().nullable() }),
  /** Shell script run by `sh` on every node. */
  command: z.string(),
  env: z.record(z.string(), z.string()),
  /** Who the command runs as: the creator or the proxy user. */
  identity: z.object({ user: z.string(), uid: z.int().min(0), gid: z.int().min(0) }),
  roles: z.array(
    z.object({
      role: nodeRole,
      count: z.int().min(1),
      cpu: z.number(),
      memory_gb: z.number(),
      gpu: z.int().min(0),
      gpu_type: z.string().nullable(),
    }),
  ),
  mounts: z.array(
    z.object({
      /** Folder outside. */
      source: z.string(),
      /** Absolute path inside. */
      target: z.string(),
      read_only: z.boolean(),
      /** Variable that gets `target` as its value. */
      env_name: z.string().nullable(),
    }),
  ),
  code_package: z.object({ id: codePackageId, sha256: z.string(), size_bytes: z.int() }).nullable(),
  material: z
    .object({
      /** `file:///…` or `http(s)://…`. */
      url: z.string(),
      sha256: z.string(),
      /** Value of DEPEND_RESROUCE_FILENAME. */
      filename: z.string(),
    })
    .nullable(),
  /** Directories and values between tasks. */
  io: taskIo.optional(),
  run_limit_seconds: z.int().min(1),
});
export type TaskSpec = z.infer<typeof taskSpec>;
