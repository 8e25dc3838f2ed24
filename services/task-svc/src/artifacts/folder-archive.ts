/**
 * A folder as one tar archive, and back: the same content gives the same bytes whatever machine, user or time.
 *
 * F1 only plain files, folders, and links that stay inside; anything else is refused by name, so is a folder beyond its
 *    limits. F2 what is unpacked never leaves its folder: the library refuses absolute paths, `..` and writing through links.
 */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, lstat, open, readdir, readlink } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { extract } from "tar";
import { ARCHIVE_END, headerOf, paddingOf } from "./gnu-tar.ts";

export interface ArchiveLimits {
  readonly bytes: number;
  readonly files: number;
}

export interface ArchivedFolder {
  readonly sha256: string;
  /** Of the content. */
  readonly sizeBytes: number;
  readonly fileCount: number;
}

export class FolderRefused extends Error {
  override readonly name = "FolderRefused";
}

interface Content {
  readonly paths: readonly string[];
  readonly sizeBytes: number;
  readonly fileCount: number;
}

/** Writes `target`, synced. Throws FolderRefused (F1). */
export async function archiveFolder(
  folder: string,
  target: string,
  limits: ArchiveLimits,
  signal: AbortSignal,
): Promise<ArchivedFolder> {
  // Its owner may have put a link in its place.
  if (!(await lstat(folder)).isDirectory()) throw new FolderRefused("it is no folder any more");
  const { paths, sizeBytes, fileCount } = await contentOf(folder, limits, signal);
  await using file = await open(target, "wx", 0o600);
  const archive = new ArchiveWriter(file);
  if (paths.length === 0) await archive.add(headerOf({ kind: "folder", path: ".", mode: 0o755 }));
  for (const path of paths) {
    signal.throwIfAborted();
    await addTo(archive, folder, path);
  }
  await archive.add(ARCHIVE_END);
  const sha256 = await archive.finish();
  await file.sync();
  return { sha256, sizeBytes, fileCount };
}

const BUFFER_BYTES = 1024 * 1024;

/** Hashes what it writes, in large pieces. */
class ArchiveWriter {
  readonly #file: FileHandle;
  readonly #hash = createHash("sha256");
  readonly #buffer = Buffer.alloc(BUFFER_BYTES);
  #used = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async add(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const copied = bytes.copy(this.#buffer, this.#used, at);
      at += copied;
      this.#used += copied;
      if (this.#used === BUFFER_BYTES) await this.#flush();
    }
  }

  async finish(): Promise<string> {
    await this.#flush();
    return this.#hash.digest("hex");
  }

  async #flush(): Promise<void> {
    const whole = this.#buffer.subarray(0, this.#used);
    this.#hash.update(whole);
    for (let at = 0; at < whole.length; ) at += (await this.#file.write(whole, at)).bytesWritten;
    this.#used = 0;
  }
}

async function addTo(archive: ArchiveWriter, folder: string, path: string): Promise<void> {
  const at = join(folder, path);
  const stats = await lstat(at);
  if (stats.isDirectory()) return await archive.add(headerOf({ kind: "folder", path, mode: stats.mode }));
  if (stats.isSymbolicLink())
    return await archive.add(headerOf({ kind: "link", path, target: await readlink(at) }));
  await using file = await open(at, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const { mode, size } = await file.stat();
  await archive.add(headerOf({ kind: "file", path, mode, size }));
  const buffer = Buffer.alloc(Math.min(size, BUFFER_BYTES));
  for (let left = size; left > 0; ) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(left, buffer.length));
    if (bytesRead === 0) throw new FolderRefused(`${path} became shorter while it was read`);
    await archive.add(buffer.subarray(0, bytesRead));
    left -= bytesRead;
  }
  await archive.add(paddingOf(size));
}

/** Into an empty folder that exists. With `owner` everything belongs to them. */
export async function unpackFolder(
  archive: string,
  folder: string,
  options: { readonly owner?: { readonly uid: number; readonly gid: number } },
): Promise<void> {
  await extract({
    file: archive,
    cwd: folder,
    strict: true,
    noMtime: true,
    ...(options.owner === undefined
      ? { preserveOwner: false }
      : { uid: options.owner.uid, gid: options.owner.gid }),
  });
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
