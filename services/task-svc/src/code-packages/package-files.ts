/**
 * The folder of code packages: receives uploads, keeps each zip once as `<sha256>.zip`. It knows files only; which group
 * may use which package is the store's (`code_packages`).
 *
 * P1 an upload is never held in memory: it streams into a temporary file, counted and hashed on the way, and is cut off
 *    the moment it is longer than the limit.
 * P2 a file named `<sha256>.zip` is whole, checked and on disk: it gets that name by rename, after fsync.
 * P3 a refusal, an aborted upload and a crash leave nothing: the temporary file is removed, at the latest by
 *    an `open` an hour later (the folder may be shared: a younger file may be another replica's upload).
 * P4 a package is removed by taking it away first and then looking at its age: one that was uploaded again at that very
 *    moment is put back.
 */
import { createHash, randomUUID } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { AiepError } from "@aiep/contracts";
import { hasCode } from "@aiep/service-kit";
import { type CodePackageLimits, sizeText } from "./limits.ts";
import { verifyCodePackage } from "./unpack.ts";

export interface ReceivedPackage {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly fileCount: number;
}

export interface ReceiveOptions {
  /** What the sender says it sends; anything else is refused before it is opened. */
  readonly expectedSha256?: string | undefined;
  /** Content-Length, when the sender gave one. */
  readonly declaredBytes?: number | undefined;
  readonly signal?: AbortSignal;
}

export interface CodePackageFiles {
  readonly limits: CodePackageLimits;
  pathOf(sha256: string): string;
  receive(body: AsyncIterable<Buffer>, options?: ReceiveOptions): Promise<ReceivedPackage>;
  /** Digests of the packages that were last uploaded before then. */
  oldContents(before: Date): Promise<readonly string[]>;
  /** False when it was uploaded again meanwhile, or is gone (P4). */
  removeOld(sha256: string, before: Date): Promise<boolean>;
}

const INCOMING = "incoming";
const ABANDONED_MS = 3_600_000;
const PACKAGE = /^([0-9a-f]{64})\.zip$/;

export async function openCodePackageFiles(
  dir: string,
  limits: CodePackageLimits,
): Promise<CodePackageFiles> {
  const incoming = join(dir, INCOMING);
  await mkdir(incoming, { recursive: true, mode: 0o700 });
  await removeAbandoned(incoming);

  const pathOf = (sha256: string) => join(dir, `${sha256}.zip`);
  return {
    limits,
    pathOf,
    receive: async (body, options = {}) => {
      if ((options.declaredBytes ?? 0) > limits.zipBytes) throw tooLarge(limits);
      const temporary = join(incoming, `${randomUUID()}.zip`);
      try {
        const { sha256, sizeBytes } = await spool(body, temporary, limits, options.signal);
        if (options.expectedSha256 !== undefined && options.expectedSha256 !== sha256)
          throw new AiepError(
            "CODE_PACKAGE_NOT_ZIP",
            `The upload arrived changed: its sha256 is ${sha256}, announced was ${options.expectedSha256}; nothing was kept.`,
            { hint: "Upload it again." },
          );
        const { fileCount } = await verifyCodePackage(temporary, limits, options.signal);
        await rename(temporary, pathOf(sha256));
        await syncFolder(dir);
        return { sha256, sizeBytes, fileCount };
      } finally {
        await rm(temporary, { force: true });
      }
    },
    oldContents: async (before) => {
      const digests: string[] = [];
      for (const name of await readdir(dir)) {
        const sha256 = PACKAGE.exec(name)?.[1];
        if (sha256 !== undefined && !(await isYoung(join(dir, name), before))) digests.push(sha256);
      }
      return digests;
    },
    removeOld: async (sha256, before) => {
      const taken = join(incoming, `${randomUUID()}.zip`);
      try {
        await rename(pathOf(sha256), taken);
      } catch (error) {
        if (hasCode(error, "ENOENT")) return false; // another replica was faster
        throw error;
      }
      const again = await isYoung(taken, before);
      if (again) await rename(taken, pathOf(sha256));
      else await rm(taken, { force: true });
      return !again;
    },
  };
}

/** False also of a file that another replica has just removed. */
async function isYoung(path: string, before: Date): Promise<boolean> {
  const file = await stat(path).catch(() => undefined);
  return file !== undefined && file.mtime >= before;
}

/** P3: an upload that was not written to for an hour died with its process. */
async function removeAbandoned(incoming: string): Promise<void> {
  for (const name of await readdir(incoming)) {
    const path = join(incoming, name);
    const file = await stat(path).catch(() => undefined); // another replica finished or removed it
    if (file !== undefined && Date.now() - file.mtimeMs > ABANDONED_MS) await rm(path, { force: true });
  }
}

/** P1: to disk, counted and hashed; synced, so that the rename that follows names whole contents (P2). */
async function spool(
  body: AsyncIterable<Buffer>,
  path: string,
  limits: CodePackageLimits,
  signal: AbortSignal | undefined,
): Promise<{ sha256: string; sizeBytes: number }> {
  await using file = await open(path, "wx", 0o600);
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const chunk of body) {
    signal?.throwIfAborted();
    sizeBytes += chunk.length;
    if (sizeBytes > limits.zipBytes) throw tooLarge(limits);
    hash.update(chunk);
    for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
  }
  await file.sync();
  return { sha256: hash.digest("hex"), sizeBytes };
}

async function syncFolder(dir: string): Promise<void> {
  await using folder = await open(dir, "r");
  await folder.sync();
}

function tooLarge(limits: CodePackageLimits): AiepError {
  return new AiepError(
    "CODE_PACKAGE_TOO_LARGE",
    `The zip is larger than ${sizeText(limits.zipBytes)}; nothing was kept.`,
    { extensions: { limit_bytes: limits.zipBytes } },
  );
}
