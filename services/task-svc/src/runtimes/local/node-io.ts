/**
 * Directories and values between tasks, on this machine (D14): inputs are placed before a node starts, what worker-0 left
 * is kept after its command ended with 0, and only then the node counts as ended. What was kept lies in the node's folder
 * as `left`, so that a restarted runtime knows it (R4); keeping again gives the same digests.
 */
import { appendFileSync } from "node:fs";
import { chown, mkdir, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { PLATFORM_LINE_PREFIX, type TaskIo, taskOutputs } from "@aiep/contracts";
import { hasCode } from "@aiep/service-kit";
import * as z from "zod";
import { ArtifactMissing, type ArtifactStore, ArtifactUnavailable } from "../../artifacts/artifact-store.ts";
import {
  collectLeft,
  ioEnvironment,
  type Left,
  leavesSomething,
  linesOf,
  VALUES_FILE,
} from "../../artifacts/left.ts";
import { NODE_FILES, type NodePlace, type NodeSlot } from "./layout.ts";
import { NodeRefused } from "./refusal.ts";

/** Below the node's folder. */
const GIVEN = "given";
const LEFT = "left";
/** Where a task finds the folder of its outputs in a namespace. */
export const NEUTRAL_LEFT = "/aiep/left";

const storedLeft = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("outputs"), outputs: taskOutputs }),
  z.object({ kind: z.literal("refused"), message: z.string() }),
]);

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

/** Throws NodeRefused, and ArtifactUnavailable when another try is worth it. */
export async function placeIo(input: PlaceIoInput, signal: AbortSignal): Promise<PlacedIo> {
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
    await artifacts.place(digest, folder, { owner, signal }).catch((cause: unknown) => {
      signal.throwIfAborted();
      if (cause instanceof ArtifactUnavailable) throw cause;
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

/** Each directory at its path, or, without namespaces, in the node's own folder. */
export function localIoEnvironment(
  io: TaskIo,
  paths: { readonly left: string; readonly seen: (path: string, own: string) => string },
): Record<string, string> {
  return ioEnvironment(io, {
    values: join(paths.left, VALUES_FILE),
    input: ({ name, path }) => paths.seen(path, join(GIVEN, name)),
    output: ({ name, path }) => paths.seen(path, join(LEFT, name)),
  });
}

export interface CollectInput {
  readonly dir: string;
  readonly io: TaskIo;
  readonly artifacts: ArtifactStore;
  /** What goes wrong then ends the node. */
  readonly isLastTry: boolean;
}

/** What worker-0 left; written down before it is told. */
export async function collectFromNode(input: CollectInput, signal: AbortSignal): Promise<Left> {
  const { dir, io, artifacts, isLastTry } = input;
  const left = await collectLeft(join(dir, LEFT), io, artifacts, signal).catch((error: unknown): Left => {
    if (signal.aborted || !isLastTry) throw error;
    const why = error instanceof Error ? error.message : String(error);
    return { kind: "refused", message: `What it left could not be kept: ${why}; submit the task again.` };
  });
  const temporary = join(dir, `${NODE_FILES.left}.new`);
  await writeFile(temporary, JSON.stringify(left), { mode: 0o600 });
  await rename(temporary, join(dir, NODE_FILES.left));
  for (const line of left.kind === "outputs" ? linesOf(left.outputs) : [left.message])
    appendFileSync(join(dir, NODE_FILES.stdout), `${PLATFORM_LINE_PREFIX}${line}\n`);
  await rm(join(dir, LEFT), { recursive: true, force: true });
  return left;
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
