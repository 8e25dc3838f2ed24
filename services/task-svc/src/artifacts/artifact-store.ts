/**
 * Directories that tasks leave for other tasks, kept by the digest of their content in one folder of this service.
 *
 * A1 a file `<sha256>.tar` is whole and on disk: it gets that name by rename, after it was synced; keeping the same content
 *    again changes nothing. A2 a crash leaves a file in `incoming/` at most, removed an hour later.
 * A3 what nobody kept or placed for the configured time is removed; placing makes it young again.
 */
import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { TaskOutputs } from "@aiep/contracts";
import { hasCode } from "@aiep/service-kit";
import { type ArchiveLimits, archiveFolder, unpackFolder } from "./folder-archive.ts";

export type KeptDirectory = Omit<TaskOutputs["directories"][number], "name">;

export interface ArtifactStore {
  /** Throws FolderRefused. */
  keep(folder: string, signal: AbortSignal): Promise<KeptDirectory>;
  /** Into an empty folder that exists. Throws ArtifactMissing. */
  place(
    digest: string,
    folder: string,
    options?: { readonly owner?: { readonly uid: number; readonly gid: number } },
  ): Promise<void>;
  /** The archive itself: GNU tar, whose SHA-256 is the digest. Throws ArtifactMissing. */
  read(digest: string): Promise<{ readonly sizeBytes: number; readonly stream: Readable }>;
  /** Returns how many. */
  removeOld(before: Date): Promise<number>;
}

export class ArtifactMissing extends Error {
  override readonly name = "ArtifactMissing";
}

export const DEFAULT_ARTIFACT_LIMITS: ArchiveLimits = { bytes: 64 * 1024 ** 3, files: 100_000 };
const INCOMING = "incoming";
const ABANDONED_MS = 3_600_000;
const ARTIFACT = /^[0-9a-f]{64}\.tar$/;

export async function openArtifactStore(
  dir: string,
  limits: ArchiveLimits = DEFAULT_ARTIFACT_LIMITS,
): Promise<ArtifactStore> {
  const incoming = join(dir, INCOMING);
  await mkdir(incoming, { recursive: true, mode: 0o700 });
  const pathOf = (digest: string) => join(dir, `${digest.replace(/^sha256:/, "")}.tar`);
  const touch = async (digest: string) => {
    const now = new Date();
    await utimes(pathOf(digest), now, now).catch((cause: unknown) => {
      if (hasCode(cause, "ENOENT"))
        throw new ArtifactMissing(`no directory ${digest} is kept here any more`, { cause });
      throw cause;
    });
  };
  return {
    keep: async (folder, signal) => {
      const temporary = join(incoming, `${randomUUID()}.tar`);
      try {
        const { sha256, sizeBytes, fileCount } = await archiveFolder(folder, temporary, limits, signal);
        await rename(temporary, pathOf(sha256));
        await using parent = await open(dir, "r");
        await parent.sync();
        return { digest: `sha256:${sha256}`, size_bytes: sizeBytes, file_count: fileCount };
      } finally {
        await rm(temporary, { force: true });
      }
    },
    place: async (digest, folder, options = {}) => {
      await touch(digest);
      await unpackFolder(pathOf(digest), folder, options);
    },
    read: async (digest) => {
      await touch(digest);
      const file = await open(pathOf(digest));
      return { sizeBytes: (await file.stat()).size, stream: file.createReadStream() };
    },
    removeOld: async (before) => {
      const abandoned = new Date(Date.now() - ABANDONED_MS);
      await removeOlder(incoming, (name) => name.endsWith(".tar"), abandoned);
      return await removeOlder(dir, (name) => ARTIFACT.test(name), before);
    },
  };
}

async function removeOlder(folder: string, which: (name: string) => boolean, before: Date): Promise<number> {
  let removed = 0;
  for (const name of (await readdir(folder)).filter(which)) {
    const path = join(folder, name);
    const file = await stat(path).catch(() => undefined); // another replica was faster
    if (file === undefined || file.mtime >= before) continue;
    await rm(path, { force: true });
    removed += 1;
  }
  return removed;
}
