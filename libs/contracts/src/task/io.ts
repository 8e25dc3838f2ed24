/**
 * What a task is given from other tasks and what it leaves for them (documents: 节点间传递复杂数据): whole directories, kept
 * by digest, and small values. Asked for by the platform's workflows.
 *
 * A command finds its input directories at their paths and writes its output directories there; values go as one JSON
 * object into the file that AIEP_OUTPUTS names. The deciding node (worker-0) leaves them, when its command ended with 0.
 */
import * as z from "zod";
import { MAX_OUTPUT_BYTES } from "../workflow/definition.ts";

/** SHA-256 of the stored archive. */
export const artifactDigest = z.string().regex(/^sha256:[0-9a-f]{64}$/, "sha256: and 64 hex digits");

const directoryName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, "a name of letters, digits and '_'");
const directoryPath = z
  .string()
  .max(4096)
  .regex(/^(\/[^/\0]+)+$/, "an absolute path")
  .refine((path) => !/\/\.{1,2}(\/|$)/.test(path), "a path without . and ..");

export const taskIo = z.strictObject({
  input_directories: z
    .array(z.strictObject({ name: directoryName, digest: artifactDigest, path: directoryPath }))
    .max(64)
    .default([]),
  output_directories: z
    .array(z.strictObject({ name: directoryName, path: directoryPath }))
    .max(64)
    .default([]),
  /** Read AIEP_OUTPUTS after the end. */
  output_values: z.boolean().default(false),
});
export type TaskIo = z.infer<typeof taskIo>;

export const taskOutputs = z.object({
  values: z.record(z.string(), z.json()),
  directories: z.array(
    z.object({
      name: directoryName,
      digest: artifactDigest,
      /** Of the content, without the archive's own. */
      size_bytes: z.int().min(0),
      file_count: z.int().min(0),
    }),
  ),
});
export type TaskOutputs = z.infer<typeof taskOutputs>;

export type ReadValues =
  | { readonly ok: true; readonly values: TaskOutputs["values"] }
  | { readonly ok: false; readonly why: string };

/** The file's text; an empty file is no value. */
export function readOutputValues(text: string): ReadValues {
  if (new TextEncoder().encode(text).length > MAX_OUTPUT_BYTES)
    return { ok: false, why: `it is larger than ${MAX_OUTPUT_BYTES / 1024} KiB; leave a directory instead` };
  if (text.trim() === "") return { ok: true, values: {} };
  try {
    const parsed = taskOutputs.shape.values.safeParse(JSON.parse(text));
    if (parsed.success) return { ok: true, values: parsed.data };
  } catch {
    // said below
  }
  return { ok: false, why: "it is not one JSON object" };
}
