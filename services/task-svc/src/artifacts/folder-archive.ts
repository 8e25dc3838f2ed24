/**
 * A folder as one tar archive, and back: the same content gives the same bytes whatever machine, user or time.
 *
 * F1 only plain files, folders, and links that stay inside; anything else is refused by name, so is a folder beyond its
 *    limits. F2 what is unpacked never leaves its folder: the library refuses absolute paths, `..` and writing through links.
 */
import { createHash } from "node:crypto";
import { lstat, open, readdir, readlink } from "node:fs/promises";
import { dirname, join, normalize, relative } from "node:path";
import { create, extract } from "tar";

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
  const hash = createHash("sha256");
  await using file = await open(target, "wx", 0o600);
  // `./` in front: a name that begins with @ would be read as another archive.
  const pack = create(
    { cwd: folder, portable: true, noMtime: true, noDirRecurse: true, strict: true },
    paths.length === 0 ? ["./"] : paths.map((path) => `./${path}`),
  );
  for await (const chunk of pack) {
    signal.throwIfAborted();
    hash.update(chunk);
    for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
  }
  await file.sync();
  return { sha256: hash.digest("hex"), sizeBytes, fileCount };
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
    ...(options.owner === undefined ? {} : { uid: options.owner.uid, gid: options.owner.gid }),
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
  const target = await readlink(join(folder, path));
  const inside = normalize(join(dirname(path), target));
  if (target.startsWith("/") || inside.startsWith("..") || relative(".", inside).startsWith(".."))
    throw new FolderRefused(`${path} is a link that leaves the directory`);
}

const byParts = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
