/**
 * Directories and values between tasks, on this machine (D14): inputs are placed before a node starts, what worker-0 left
 * is kept after its command ended with 0, and only then the node counts as ended. What was kept lies in the node's folder
 * as `left`, so that a restarted runtime knows it (R4); keeping again gives the same digests.
 */
import { appendFileSync, constants } from "node:fs";
import { chown, lstat, mkdir, open, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import {
  MAX_OUTPUT_BYTES,
  PLATFORM_LINE_PREFIX,
  readOutputValues,
  type TaskIo,
  type TaskOutputs,
  taskOutputs,
} from "@aiep/contracts";
import { hasCode } from "@aiep/service-kit";
import * as z from "zod";
import { ArtifactMissing, type ArtifactStore } from "../../artifacts/artifact-store.ts";
import { FolderRefused } from "../../artifacts/folder-archive.ts";
import { NODE_FILES, type NodePlace, type NodeSlot } from "./layout.ts";
import { NodeRefused } from "./refusal.ts";

/** Below the node's folder. */
const GIVEN = "given";
const LEFT = "left";
const VALUES = "values.json";
/** Where a task finds the folder of its outputs in a namespace. */
export const NEUTRAL_LEFT = "/aiep/left";

export type Left =
  | { readonly kind: "outputs"; readonly outputs: TaskOutputs }
  | { readonly kind: "refused"; readonly message: string };

const storedLeft = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("outputs"), outputs: taskOutputs }),
  z.object({ kind: z.literal("refused"), message: z.string() }),
]);

export function leavesSomething(io: TaskIo | undefined, node: Pick<NodeSlot, "role" | "index">): boolean {
  if (io === undefined || node.role !== "worker" || node.index !== 0) return false;
  return io.output_values || io.output_directories.length > 0;
}

/** A folder of the node that is bound to where the command looks for it. */
export interface OwnFolder {
  readonly hostPath: string;
  readonly target: string;
  readonly readOnly: boolean;
  readonly what: string;
}

export interface PlacedIo {
  readonly folders: readonly OwnFolder[];
  readonly lines: readonly string[];
}

export interface PlaceIoInput {
  readonly io: TaskIo;
  readonly node: NodeSlot;
  /** Not yet under its final name. */
  readonly staging: string;
  readonly place: NodePlace;
  readonly artifacts: ArtifactStore;
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
}

export async function placeIo(input: PlaceIoInput): Promise<PlacedIo> {
  const { io, node, staging, place, artifacts, owner } = input;
  const final = join(await realpath(dirname(place.dir)), basename(place.dir));
  const folders: OwnFolder[] = [];
  const lines: string[] = [];
  const make = async (...names: string[]) => {
    const path = join(staging, ...names);
    await mkdir(path, { recursive: true, mode: 0o755 });
    if (owner !== undefined) await chown(path, owner.uid, owner.gid);
    return path;
  };
  await mkdir(join(staging, GIVEN), { mode: 0o755 });
  for (const { name, digest, path } of io.input_directories) {
    const folder = await make(GIVEN, name);
    const options = owner === undefined ? {} : { owner };
    await artifacts.place(digest, folder, options).catch((cause: unknown) => {
      const why =
        cause instanceof ArtifactMissing ? cause.message : `it cannot be unpacked: ${String(cause)}`;
      throw new NodeRefused(
        "InputsInvalid",
        `The directory ${name} cannot be placed: ${why}; run the task that left it again.`,
        {
          cause,
        },
      );
    });
    folders.push({
      hostPath: join(final, GIVEN, name),
      target: path,
      readOnly: true,
      what: `directory ${name}`,
    });
    lines.push(`directory ${name}: ${digest.slice(0, 19)} placed at ${path}`);
  }
  await make(LEFT);
  if (!leavesSomething(io, node)) return { folders, lines };
  for (const { name, path } of io.output_directories) {
    await make(LEFT, name);
    folders.push({
      hostPath: join(final, LEFT, name),
      target: path,
      readOnly: false,
      what: `directory ${name}`,
    });
  }
  return { folders, lines };
}

/** Variables that name the folders and the file, as the command sees them. */
export function ioEnvironment(
  io: TaskIo,
  paths: { readonly left: string; readonly seen: (path: string, own: string) => string },
): Record<string, string> {
  const env: Record<string, string> = {};
  for (const { name, path } of io.input_directories)
    env[`AIEP_INPUT_${name.toUpperCase()}`] = paths.seen(path, join(GIVEN, name));
  for (const { name, path } of io.output_directories)
    env[`AIEP_OUTPUT_${name.toUpperCase()}`] = paths.seen(path, join(LEFT, name));
  if (io.output_values) env["AIEP_OUTPUTS"] = join(paths.left, VALUES);
  return env;
}

/** What worker-0 left; written down before it is told. */
export async function collectLeft(
  dir: string,
  io: TaskIo,
  artifacts: ArtifactStore,
  signal: AbortSignal,
): Promise<Left> {
  const left = await collect(dir, io, artifacts, signal);
  const temporary = join(dir, `${NODE_FILES.left}.new`);
  await writeFile(temporary, JSON.stringify(left), { mode: 0o600 });
  await rename(temporary, join(dir, NODE_FILES.left));
  if (left.kind === "outputs") say(dir, left.outputs);
  else appendFileSync(join(dir, NODE_FILES.stdout), `${PLATFORM_LINE_PREFIX}${left.message}\n`);
  await rm(join(dir, LEFT), { recursive: true, force: true });
  return left;
}

async function collect(
  dir: string,
  io: TaskIo,
  artifacts: ArtifactStore,
  signal: AbortSignal,
): Promise<Left> {
  const directories: TaskOutputs["directories"] = [];
  for (const { name, path } of io.output_directories) {
    try {
      directories.push({ name, ...(await artifacts.keep(join(dir, LEFT, name), signal)) });
    } catch (error) {
      if (!(error instanceof FolderRefused)) throw error;
      return {
        kind: "refused",
        message: `The directory ${name} at ${path} cannot be kept: ${error.message}.`,
      };
    }
  }
  if (!io.output_values) return { kind: "outputs", outputs: { values: {}, directories } };
  const text = await readValues(join(dir, LEFT, VALUES));
  const read =
    text === undefined ? { ok: false as const, why: "it is no plain file" } : readOutputValues(text);
  return read.ok
    ? { kind: "outputs", outputs: { values: read.values, directories } }
    : { kind: "refused", message: `The file AIEP_OUTPUTS cannot be used: ${read.why}.` };
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

function say(dir: string, { values, directories }: TaskOutputs): void {
  const lines = directories.map(
    ({ name, digest, file_count: files, size_bytes: bytes }) =>
      `directory ${name} kept: ${files} ${files === 1 ? "file" : "files"}, ${bytes} bytes, ${digest.slice(0, 19)}`,
  );
  const names = Object.keys(values);
  if (names.length > 0) lines.push(`outputs: ${names.join(", ")}`);
  for (const line of lines) appendFileSync(join(dir, NODE_FILES.stdout), `${PLATFORM_LINE_PREFIX}${line}\n`);
}

/** Undefined while nothing was kept. */
export async function readLeft(dir: string): Promise<Left | undefined> {
  try {
    return storedLeft.parse(JSON.parse(await readFile(join(dir, NODE_FILES.left), "utf8")));
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}
