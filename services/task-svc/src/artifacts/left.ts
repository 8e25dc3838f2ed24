/**
 * What a task leaves for others, whatever runtime ran it: which node leaves something, how its command is told where,
 * and how the folder it wrote becomes outputs. Collecting again gives the same digests.
 */
import { constants } from "node:fs";
import { lstat, open } from "node:fs/promises";
import { join } from "node:path";
import {
  MAX_OUTPUT_BYTES,
  type NodeRole,
  readOutputValues,
  type TaskIo,
  type TaskOutputs,
} from "@aiep/contracts";
import type { ArtifactStore } from "./artifact-store.ts";
import { FolderRefused } from "./folder-archive.ts";

/** In the folder of what is left: the values; each directory is a folder beside it, by its name. */
export const VALUES_FILE = "values.json";

export type Left =
  | { readonly kind: "outputs"; readonly outputs: TaskOutputs }
  | { readonly kind: "refused"; readonly message: string };

export function leavesSomething(
  io: TaskIo | undefined,
  node: { readonly role: NodeRole; readonly index: number },
): boolean {
  return node.role === "worker" && node.index === 0 && expectsOutputs(io);
}

export function expectsOutputs(io: TaskIo | undefined): boolean {
  return io !== undefined && (io.output_values || io.output_directories.length > 0);
}

/** Variables that name the folders and the file, as the command sees them. */
export function ioEnvironment(
  io: TaskIo,
  seen: {
    readonly values: string;
    readonly input: (directory: TaskIo["input_directories"][number]) => string;
    readonly output: (directory: TaskIo["output_directories"][number]) => string;
  },
): Record<string, string> {
  const env: Record<string, string> = {};
  for (const directory of io.input_directories)
    env[`AIEP_INPUT_${directory.name.toUpperCase()}`] = seen.input(directory);
  for (const directory of io.output_directories)
    env[`AIEP_OUTPUT_${directory.name.toUpperCase()}`] = seen.output(directory);
  if (io.output_values) env["AIEP_OUTPUTS"] = seen.values;
  return env;
}

export const directoryRefused = (name: string, path: string, why: string): string =>
  `The directory ${name} at ${path} cannot be kept: ${why}.`;
export const valuesRefused = (why: string): string => `The file AIEP_OUTPUTS cannot be used: ${why}.`;
export const NO_PLAIN_FILE = "it is no plain file";

/** `folder` holds what was left. */
export async function collectLeft(
  folder: string,
  io: TaskIo,
  artifacts: Pick<ArtifactStore, "keep">,
  signal: AbortSignal,
): Promise<Left> {
  const directories: TaskOutputs["directories"] = [];
  for (const { name, path } of io.output_directories) {
    try {
      directories.push({ name, ...(await artifacts.keep(join(folder, name), signal)) });
    } catch (error) {
      if (!(error instanceof FolderRefused)) throw error;
      return { kind: "refused", message: directoryRefused(name, path, error.message) };
    }
  }
  if (!io.output_values) return { kind: "outputs", outputs: { values: {}, directories } };
  const text = await readValues(join(folder, VALUES_FILE));
  const read = text === undefined ? { ok: false as const, why: NO_PLAIN_FILE } : readOutputValues(text);
  return read.ok
    ? { kind: "outputs", outputs: { values: read.values, directories } }
    : { kind: "refused", message: valuesRefused(read.why) };
}

/** The folder is the task's own: a link or a pipe in place of the file is none of ours to follow. */
async function readValues(path: string): Promise<string | undefined> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats === undefined) return "";
  if (!stats.isFile()) return undefined;
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  // One byte more than allowed says "too large" as well as all of them.
  const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_OUTPUT_BYTES + 1), 0);
  return buffer.toString("utf8", 0, bytesRead);
}

/** For the node's log. */
export function linesOf({ values, directories }: TaskOutputs): readonly string[] {
  const lines = directories.map(
    ({ name, digest, file_count: files, size_bytes: bytes }) =>
      `directory ${name} kept: ${files} ${files === 1 ? "file" : "files"}, ${bytes} bytes, ${digest.slice(0, 19)}`,
  );
  const names = Object.keys(values);
  return names.length > 0 ? [...lines, `outputs: ${names.join(", ")}`] : lines;
}
