/**
 * A folder as one tar archive, and back: the same content gives the same bytes whatever machine, user or time.
 *
 * F1 only plain files, folders, and links that stay inside; anything else is refused by name, so is a folder beyond its
 *    limits. F2 what is unpacked never leaves its folder: the library refuses absolute paths, `..` and writing through links.
 */
import { once } from "node:events";
import { constants } from "node:fs";
import { lstat, open, readdir, readlink } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { hasCode } from "@aiep/service-kit";
import { extract, type Unpack } from "tar";
import { ARCHIVE_END, headerOf, paddingOf } from "./gnu-tar.ts";

export interface ArchiveLimits {
  readonly bytes: number;
  readonly files: number;
}

export class FolderRefused extends Error {
  override readonly name = "FolderRefused";
}

interface Content {
  readonly paths: readonly string[];
  readonly sizeBytes: number;
  readonly fileCount: number;
}

/** What a folder holds just now, and the archive of it, which may be made more than once. */
export interface FolderArchive {
  /** Of the content. */
  readonly sizeBytes: number;
  readonly fileCount: number;
  /** In large pieces, each good until the next is asked for. Throws FolderRefused when the folder has changed since. */
  pieces(): AsyncIterable<Buffer>;
}

/** Throws FolderRefused (F1). */
export async function archiveFolder(
  folder: string,
  limits: ArchiveLimits,
  signal: AbortSignal,
): Promise<FolderArchive> {
  // Its owner may have put a link in its place.
  const found = await lstat(folder).catch(() => undefined);
  if (found?.isDirectory() !== true) throw new FolderRefused("it is no folder any more");
  const { paths, sizeBytes, fileCount } = await contentOf(folder, limits, signal);
  return { sizeBytes, fileCount, pieces: () => gathered(entriesOf(folder, paths, signal)) };
}

const PIECE_BYTES = 1024 * 1024;

/** Small ones together in one piece. What it gives out is good until the next is asked for. */
async function* gathered(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const together = Buffer.allocUnsafe(PIECE_BYTES);
  let used = 0;
  for await (const piece of pieces) {
    if (used + piece.length > together.length) {
      yield together.subarray(0, used);
      used = 0;
    }
    if (piece.length > together.length / 2) {
      if (used > 0) yield together.subarray(0, used);
      used = 0;
      yield piece;
    } else used += piece.copy(together, used);
  }
  yield together.subarray(0, used);
}

async function* entriesOf(
  folder: string,
  paths: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const memory = Buffer.allocUnsafe(PIECE_BYTES); // the same for all: fresh memory for each piece busies the collector
  if (paths.length === 0) yield headerOf({ kind: "folder", path: ".", mode: 0o755 });
  for (const path of paths) {
    signal.throwIfAborted();
    yield* entryOf(folder, path, memory, signal);
  }
  yield ARCHIVE_END;
}

async function* entryOf(
  folder: string,
  path: string,
  memory: Buffer,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const at = join(folder, path);
  const stats = await lstat(at).catch((error: unknown) => changed(path, error));
  if (stats.isDirectory()) return yield headerOf({ kind: "folder", path, mode: stats.mode });
  if (stats.isSymbolicLink()) return yield headerOf({ kind: "link", path, target: await readlink(at) });
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  await using file = await open(at, flags).catch((error: unknown) => changed(path, error));
  const { mode, size } = await file.stat();
  yield headerOf({ kind: "file", path, mode, size });
  for (let left = size; left > 0; ) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(memory, 0, Math.min(left, memory.length));
    if (bytesRead === 0) throw new FolderRefused(`${path} became shorter while it was read`);
    yield memory.subarray(0, bytesRead);
    left -= bytesRead;
  }
  yield paddingOf(size);
}

function changed(path: string, error: unknown): never {
  if (hasCode(error, "ENOENT", "ENOTDIR", "ELOOP"))
    throw new FolderRefused(`${path} was changed while it was read`, { cause: error });
  throw error;
}

export interface UnpackOptions {
  /** Everything belongs to them. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Into an empty folder that exists. */
export async function unpackFolder(
  archive: AsyncIterable<Buffer>,
  folder: string,
  { owner, signal }: UnpackOptions = {},
): Promise<void> {
  const ownership = owner === undefined ? { preserveOwner: false } : { uid: owner.uid, gid: owner.gid };
  const target = extract({ cwd: folder, strict: true, noMtime: true, ...ownership });
  const broken = await feed(target, archive, { signal });
  if (broken !== undefined) throw broken;
}

/**
 * Reads the archive to its end, whatever becomes of what is unpacked: whoever sends it wants to know how it ended, and how
 * it ends says more than that it cannot be unpacked. Returns why it could not; undefined when all went well.
 */
export async function feed(
  target: Unpack,
  archive: AsyncIterable<Buffer>,
  {
    signal,
    unwanted = () => false,
  }: { readonly signal?: AbortSignal | undefined; readonly unwanted?: () => boolean },
): Promise<Error | undefined> {
  let broken: Error | undefined;
  const ended = new Promise<void>((resolve) => {
    target.once("close", resolve);
    target.once("error", (error: Error) => {
      broken = error;
      resolve();
    });
  });
  target.on("error", () => undefined);
  try {
    for await (const piece of archive) {
      signal?.throwIfAborted();
      if (broken === undefined && !unwanted() && !target.write(piece))
        await Promise.race([once(target, "drain"), ended]);
    }
  } finally {
    target.end(); // closes what is open, also when the sender went away
    await ended;
  }
  return broken;
}

/** Sorted, folders before what is in them. */
async function contentOf(folder: string, limits: ArchiveLimits, signal: AbortSignal): Promise<Content> {
  const paths: string[] = [];
  let sizeBytes = 0;
  let fileCount = 0;
  for (const open = [""]; open.length > 0; ) {
    signal.throwIfAborted();
    const at = open.pop() ?? "";
    for (const { name } of await readdir(join(folder, at), { withFileTypes: true })) {
      const path = join(at, name);
      if (path.includes("\uFFFD")) throw new FolderRefused(`the name of ${path} is not UTF-8`);
      const stats = await lstat(join(folder, path));
      if (stats.isDirectory()) open.push(path);
      else if (stats.isSymbolicLink()) await checkLink(folder, path);
      else if (!stats.isFile()) throw new FolderRefused(`${path} is neither a file nor a folder`);
      else sizeBytes += stats.size;
      if (!stats.isDirectory()) fileCount += 1;
      paths.push(path);
      if (fileCount > limits.files) throw new FolderRefused(`it holds more than ${limits.files} files`);
      if (sizeBytes > limits.bytes) throw new FolderRefused(`it is larger than ${limits.bytes} bytes`);
    }
  }
  return { paths: paths.sort(byParts), sizeBytes, fileCount };
}

async function checkLink(folder: string, path: string): Promise<void> {
  if (leaves(path, await readlink(join(folder, path))))
    throw new FolderRefused(`${path} is a link that leaves the directory`);
}

/** Whether the link at `path`, relative to its folder, leads out of it. */
export function leaves(path: string, target: string): boolean {
  const inside = normalize(join(dirname(path), target));
  return target.startsWith("/") || inside === ".." || inside.startsWith("../");
}

const byParts = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
