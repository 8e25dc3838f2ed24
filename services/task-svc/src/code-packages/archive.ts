/**
 * A zip file as a list of what is in it, and a stream of each file. Owns the reading rules of code packages; never writes.
 *
 * A1 the central directory is judged whole before any file is read: names (entry-path.ts), kinds, encryption, number
 *    and declared sizes. Of the contents only the targets of links are read for that.
 * A2 declared sizes may lie: `copyFile` counts what really comes out and stops at the declared size, so that memory and
 *    disk stay bounded, and compares the CRC.
 */
import { pipeline } from "node:stream/promises";
import { crc32, createInflateRaw } from "node:zlib";
import { AiepError } from "@aiep/contracts";
import * as yauzl from "yauzl";
import { refuseConflicts, refuseLeavingLinks, safeEntryPath, show, unsafe } from "./entry-path.ts";
import { type CodePackageLimits, sizeText } from "./limits.ts";

export type ArchiveEntry =
  | { readonly kind: "directory"; readonly path: string }
  | {
      readonly kind: "file";
      readonly path: string;
      readonly size: number;
      readonly executable: boolean;
      readonly entry: yauzl.Entry;
    }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

export type FileEntry = Extract<ArchiveEntry, { kind: "file" }>;

export interface Archive extends AsyncDisposable {
  readonly entries: readonly ArchiveEntry[];
  /** A2: the content of one file, in pieces, to `write`. */
  copyFile(
    file: FileEntry,
    write: (chunk: Buffer) => Promise<void> | void,
    signal?: AbortSignal,
  ): Promise<void>;
}

/** Longest target of a link. */
const MAX_LINK_BYTES = 1024;
/** Names, extra fields and comments are kept in memory while the zip is open. */
const MAX_INDEX_BYTES = 32 * 1024 * 1024;

/** Opens and judges a zip. Throws CODE_PACKAGE_NOT_ZIP, CODE_PACKAGE_TOO_LARGE or CODE_PACKAGE_UNSAFE. */
export async function openArchive(zipPath: string, limits: CodePackageLimits): Promise<Archive> {
  const zip = await readable(() =>
    // Names are decoded here: yauzl would turn a backslash into a slash, and we refuse it (N1).
    yauzl.openPromise(zipPath, { autoClose: false, decodeStrings: false, strictFileNames: true }),
  );
  try {
    const entries = await judge(zip, limits);
    return {
      entries,
      copyFile: async (file, write, signal) => await copyEntry(zip, file.entry, file.size, write, signal),
      [Symbol.asyncDispose]: async () => {
        zip.close();
      },
    };
  } catch (error) {
    zip.close();
    throw error;
  }
}

async function judge(zip: yauzl.ZipFile, limits: CodePackageLimits): Promise<ArchiveEntry[]> {
  if (zip.entryCount > limits.entries) throw tooMany(zip.entryCount, limits);
  const entries: ArchiveEntry[] = [];
  let total = 0;
  for (const entry of await readable(() => listEntries(zip))) {
    total += entry.uncompressedSize;
    if (total > limits.unpackedBytes) throw tooLarge(limits);
    const judged = await judgeEntry(zip, entry, limits);
    if (judged !== undefined) entries.push(judged);
  }
  refuseConflicts(entries);
  refuseLeavingLinks(
    new Map(entries.flatMap((entry) => (entry.kind === "link" ? [[entry.path, entry.target]] : []))),
  );
  return entries;
}

async function listEntries(zip: yauzl.ZipFile): Promise<yauzl.Entry[]> {
  const entries: yauzl.Entry[] = [];
  let indexBytes = 0;
  for await (const entry of zip.eachEntry()) {
    indexBytes += entry.fileNameLength + entry.extraFieldLength + entry.fileCommentLength;
    if (indexBytes > MAX_INDEX_BYTES)
      throw notZip(`its table of contents is over ${sizeText(MAX_INDEX_BYTES)}`);
    entries.push(entry);
  }
  return entries;
}

const FILE_TYPE = { mask: 0o170000, none: 0, directory: 0o040000, regular: 0o100000, link: 0o120000 };
/** Makers that write Unix modes into the upper half of the external attributes: Unix and macOS. */
const UNIX_MAKERS = [3, 19];

async function judgeEntry(
  zip: yauzl.ZipFile,
  entry: yauzl.Entry,
  limits: CodePackageLimits,
): Promise<ArchiveEntry | undefined> {
  const name = yauzl.getFileNameLowLevel(
    entry.generalPurposeBitFlag,
    entry.fileNameRaw,
    entry.extraFields,
    true,
  );
  const path = safeEntryPath(name);
  if (entry.isEncrypted()) throw notZip(`its entry ${show(name)} is encrypted`);
  if (!entry.canDecodeFileData())
    throw notZip(
      `its entry ${show(name)} is packed by method ${entry.compressionMethod}; use deflate or store`,
    );
  if (
    entry.uncompressedSize >= limits.ratioFromBytes &&
    entry.uncompressedSize > entry.compressedSize * limits.ratio
  )
    throw new AiepError(
      "CODE_PACKAGE_TOO_LARGE",
      `The zip's entry ${show(name)} unpacks to more than ${limits.ratio} times its packed size; nothing was kept.`,
    );

  const mode = UNIX_MAKERS.includes(entry.versionMadeBy >> 8) ? entry.externalFileAttributes >>> 16 : 0;
  const type = mode & FILE_TYPE.mask;
  if (name.endsWith("/") || type === FILE_TYPE.directory)
    return path === "" ? undefined : { kind: "directory", path };
  if (path === "") throw unsafe(name, "has no name");
  switch (type) {
    case FILE_TYPE.none:
    case FILE_TYPE.regular:
      return { kind: "file", path, size: entry.uncompressedSize, executable: (mode & 0o111) !== 0, entry };
    case FILE_TYPE.link:
      return { kind: "link", path, target: await linkTarget(zip, entry, name) };
    default:
      throw unsafe(name, "is neither a file nor a folder nor a link");
  }
}

async function linkTarget(zip: yauzl.ZipFile, entry: yauzl.Entry, name: string): Promise<string> {
  if (entry.uncompressedSize > MAX_LINK_BYTES) throw unsafe(name, "is a link with an overlong target");
  const chunks: Buffer[] = [];
  await copyEntry(zip, entry, entry.uncompressedSize, (chunk) => void chunks.push(chunk));
  return Buffer.concat(chunks).toString("utf8");
}

async function copyEntry(
  zip: yauzl.ZipFile,
  entry: yauzl.Entry,
  size: number,
  write: (chunk: Buffer) => Promise<void> | void,
  signal?: AbortSignal,
): Promise<void> {
  let bytes = 0;
  let crc = 0;
  const drain = async (source: AsyncIterable<Buffer>) => {
    for await (const chunk of source) {
      bytes += chunk.length;
      if (bytes > size) throw notZip("a file is longer than the zip declares");
      crc = crc32(chunk, crc);
      await write(chunk);
    }
  };
  const options = signal === undefined ? {} : { signal };
  await readable(async () => {
    const packed = await zip.openReadStreamPromise(entry, { decodeFileData: false });
    if (entry.compressionMethod === 0) await pipeline(packed, drain, options);
    else await pipeline(packed, createInflateRaw(), drain, options);
    if (bytes !== size) throw notZip("a file is shorter than the zip declares");
    if (crc !== entry.crc32) throw notZip("the checksum of a file is wrong");
  });
}

/** Runs a reading step; whatever the zip's own bytes cause becomes CODE_PACKAGE_NOT_ZIP, the disk's errors stay. */
async function readable<T>(step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (error instanceof AiepError || !(error instanceof Error)) throw error;
    if ("syscall" in error || error.name === "AbortError") throw error;
    throw notZip(error.message.replace(/\.$/, ""), error);
  }
}

function notZip(why: string, cause?: unknown): AiepError {
  return new AiepError(
    "CODE_PACKAGE_NOT_ZIP",
    `The upload is not a readable zip: ${why}; nothing was kept.`,
    { cause },
  );
}

function tooLarge(limits: CodePackageLimits): AiepError {
  return new AiepError(
    "CODE_PACKAGE_TOO_LARGE",
    `The zip unpacks to more than ${sizeText(limits.unpackedBytes)}; nothing was kept.`,
    { extensions: { limit_bytes: limits.unpackedBytes } },
  );
}

function tooMany(count: number, limits: CodePackageLimits): AiepError {
  return new AiepError(
    "CODE_PACKAGE_TOO_LARGE",
    `The zip has ${count} entries, more than ${limits.entries}; nothing was kept.`,
    { extensions: { limit_entries: limits.entries } },
  );
}
