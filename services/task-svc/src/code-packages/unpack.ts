/**
 * Code packages taken apart: checked without writing anything (`verifyCodePackage`, on upload) and unpacked for a node
 * (`unpackCodePackage`, by the runtimes). Both follow the same rules (archive.ts, entry-path.ts).
 *
 * U1 files are 0644 or, when executable in the zip, 0755; folders 0755; no setuid, no foreign owner, no device.
 * U2 links are made after every file, so that no file is written through one.
 * U3 a refusal leaves the target folder as it was: empty or absent.
 */
import { chmod, chown, lchown, mkdir, open, readdir, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Archive, type ArchiveEntry, type FileEntry, openArchive } from "./archive.ts";
import type { CodePackageLimits } from "./limits.ts";

export interface UnpackedPackage {
  readonly fileCount: number;
  readonly bytes: number;
}

export interface UnpackOptions {
  /** Owner of everything unpacked, and of the target folder; needs root. Default: whoever runs this process. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  readonly signal?: AbortSignal;
}

/** Reads every byte of the package as if unpacking it. Throws what unpacking would throw. */
export async function verifyCodePackage(
  zipPath: string,
  limits: CodePackageLimits,
  signal?: AbortSignal,
): Promise<UnpackedPackage> {
  await using archive = await openArchive(zipPath, limits);
  for (const file of filesOf(archive)) await archive.copyFile(file, () => {}, signal);
  return summary(archive);
}

/** Unpacks into `targetDir`, which is made if it is missing and must otherwise be empty. */
export async function unpackCodePackage(
  zipPath: string,
  targetDir: string,
  limits: CodePackageLimits,
  options: UnpackOptions = {},
): Promise<UnpackedPackage> {
  await mkdir(targetDir, { recursive: true });
  if ((await readdir(targetDir)).length > 0)
    throw new Error(`the folder to unpack into is not empty: ${targetDir}`);
  await using archive = await openArchive(zipPath, limits);
  try {
    await writeAll(archive, targetDir, options);
  } catch (error) {
    for (const name of await readdir(targetDir))
      await rm(join(targetDir, name), { recursive: true, force: true });
    throw error;
  }
  return summary(archive);
}

async function writeAll(
  archive: Archive,
  targetDir: string,
  { owner, signal }: UnpackOptions,
): Promise<void> {
  const own = async (path: string) => {
    if (owner !== undefined) await chown(path, owner.uid, owner.gid);
  };
  for (const folder of foldersOf(archive.entries)) {
    const path = join(targetDir, folder);
    await mkdir(path, { recursive: true });
    await chmod(path, 0o755); // whatever the umask says
    await own(path);
  }
  for (const file of filesOf(archive)) {
    const path = join(targetDir, file.path);
    await writeFile(archive, file, path, signal);
    await own(path);
  }
  for (const entry of archive.entries) {
    if (entry.kind !== "link") continue;
    const path = join(targetDir, entry.path);
    await symlink(entry.target, path);
    if (owner !== undefined) await lchown(path, owner.uid, owner.gid);
  }
}

async function writeFile(
  archive: Archive,
  file: FileEntry,
  path: string,
  signal?: AbortSignal,
): Promise<void> {
  await using handle = await open(path, "wx");
  await archive.copyFile(
    file,
    async (chunk) => {
      for (let at = 0; at < chunk.length; ) at += (await handle.write(chunk, at)).bytesWritten;
    },
    signal,
  );
  await handle.chmod(file.executable ? 0o755 : 0o644);
}

/** Every folder, also those only implied by a path inside them; parents first. */
function foldersOf(entries: readonly ArchiveEntry[]): string[] {
  const folders = new Set<string>(["."]);
  const add = (path: string) => {
    if (path === "." || folders.has(path)) return;
    add(dirname(path));
    folders.add(path);
  };
  for (const entry of entries) add(entry.kind === "directory" ? entry.path : dirname(entry.path));
  return [...folders];
}

function filesOf(archive: Archive): FileEntry[] {
  return archive.entries.filter((entry) => entry.kind === "file");
}

function summary(archive: Archive): UnpackedPackage {
  const files = filesOf(archive);
  return { fileCount: files.length, bytes: files.reduce((sum, file) => sum + file.size, 0) };
}
