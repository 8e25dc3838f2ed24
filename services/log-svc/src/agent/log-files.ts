/**
 * The files of one container's log, read as one sequence of bytes over rotations, renames and restarts (D17).
 *
 * Files are known by inode and by what they begin with, never by name alone: rotation renames, and inodes are reused.
 * A file that is left is read to its end after its successor was seen, so that nothing written before the switch is missed.
 */
import { createHash, randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { type FileHandle, open, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { MAX_BATCH_BYTES } from "@aiep/contracts";
import { batchLength } from "../domain/batch-cut.ts";
import { inWritingOrder, type LogFileName } from "../domain/log-files.ts";
import type { SourceMark } from "./checkpoint.ts";
import { unlessMissing } from "./pod-resolver.ts";

export type FileMark = NonNullable<SourceMark["file"]>;

export interface FileBatch {
  readonly bytes: Buffer;
  /** Where the byte after this batch comes from. */
  readonly after: FileMark;
  /** Bytes before this batch could not be found any more. */
  readonly lost: boolean;
}

interface OpenFile {
  readonly handle: FileHandle;
  readonly inode: number;
  /** As of the last look into the folder. */
  name: LogFileName;
  offset: number;
  head: Pick<FileMark, "head_bytes" | "head_sha256">;
}

const HEAD_BYTES = 256;
const NO_HEAD = { head_bytes: 0, head_sha256: "" };

export class LogFiles implements AsyncDisposable {
  readonly #folder: string;
  #resumeAt: FileMark | undefined;
  #file: OpenFile | undefined;
  #lost = false;
  /** The folder may hold files that are not known yet. */
  #listing: readonly LogFileName[] | undefined;

  constructor(folder: string, resumeAt: FileMark | undefined) {
    this.#folder = folder;
    this.#resumeAt = resumeAt;
  }

  /** Files came, went or were renamed. */
  folderChanged(): void {
    this.#listing = undefined;
  }

  /** The next batch, or undefined when there is none just now. `complete`: nothing will be written any more. */
  async next(complete: boolean): Promise<FileBatch | undefined> {
    for (;;) {
      const file = this.#file ?? (await this.#openFirst());
      if (file === undefined) return undefined;
      const successor = await this.#successorOf(file);
      const batch = await this.#read(file, complete || successor !== undefined);
      if (batch !== undefined) return batch;
      if (successor === undefined) return undefined;
      const next = await this.#open(successor, 0);
      if (next === undefined) {
        this.#listing = undefined; // renamed or removed meanwhile: look again
        continue;
      }
      await file.handle.close();
      this.#file = next;
    }
  }

  /**
   * Back to the first byte that is still there. `position` is that of the next byte to read; files that follow each other
   * were read one after the other to their ends, so the sizes of those before it say where each began.
   */
  async rewind(position: number): Promise<number> {
    this.#listing = undefined;
    const names = await this.#list();
    const here = this.#file ?? (this.#resumeAt && (await this.#find(names, this.#resumeAt)));
    if (here === undefined) return position; // nothing read, or nothing left of what was read
    this.#resumeAt = undefined;
    this.#file = here;
    let start = position - here.offset;
    here.offset = 0;
    const at = (await this.#indexOf(names, here)) ?? 0;
    for (const name of names.slice(0, at).reverse()) {
      const before = await this.#open(name, 0);
      const size = (await before?.handle.stat())?.size ?? 0;
      if (before === undefined || size > start) {
        await before?.handle.close();
        break;
      }
      await this.#file.handle.close();
      this.#file = before;
      start -= size;
    }
    return start;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.handle.close();
  }

  async #read(file: OpenFile, closed: boolean): Promise<FileBatch | undefined> {
    const { size } = await file.handle.stat();
    const wanted = Math.min(size - file.offset, MAX_BATCH_BYTES);
    if (wanted <= 0) return undefined;
    const buffer = Buffer.allocUnsafe(wanted);
    const { bytesRead } = await file.handle.read(buffer, 0, wanted, file.offset);
    const full = bytesRead === MAX_BATCH_BYTES;
    const length = batchLength(buffer.subarray(0, bytesRead), { closed, full });
    if (length === 0) return undefined;
    const bytes = buffer.subarray(0, length);
    if (file.offset === 0) file.head = headOf(bytes);
    file.offset += length;
    const lost = this.#lost;
    this.#lost = false;
    return { bytes, after: { inode: file.inode, offset: file.offset, ...file.head }, lost };
  }

  async #list(): Promise<readonly LogFileName[]> {
    this.#listing ??= inWritingOrder((await unlessMissing(readdir(this.#folder))) ?? []);
    return this.#listing;
  }

  /** The file to begin with: where the checkpoint left off, else the oldest. */
  async #openFirst(): Promise<OpenFile | undefined> {
    const names = await this.#list();
    const mark = this.#resumeAt;
    if (mark !== undefined && names.length > 0) {
      this.#resumeAt = undefined;
      this.#file = await this.#find(names, mark);
      if (this.#file !== undefined) return this.#file;
      this.#lost = true; // its rest is gone; what is there now is all newer
    }
    const [oldest] = names;
    if (oldest === undefined) return undefined;
    this.#file = await this.#open(oldest, 0);
    if (this.#file === undefined) this.#listing = undefined;
    return this.#file;
  }

  async #find(names: readonly LogFileName[], mark: FileMark): Promise<OpenFile | undefined> {
    // Expanding a compressed file costs: only when it is none of the plain ones.
    const candidates = [
      ...names.filter((name) => !name.compressed),
      ...names.filter((name) => name.compressed),
    ];
    for (const name of candidates) {
      const file = await this.#open(name, mark.offset);
      if (file === undefined) continue;
      if ((file.inode === mark.inode || name.compressed) && (await beginsWith(file.handle, mark))) {
        file.head = { head_bytes: mark.head_bytes, head_sha256: mark.head_sha256 };
        return file;
      }
      await file.handle.close();
    }
    return undefined;
  }

  async #open(name: LogFileName, offset: number): Promise<OpenFile | undefined> {
    const path = join(this.#folder, name.name);
    const handle = await unlessMissing(name.compressed ? openExpanded(path) : open(path, "r"));
    if (handle === undefined) return undefined;
    const { ino } = await handle.stat();
    return { handle, inode: ino, name, offset, head: NO_HEAD };
  }

  /** The file that was begun after this one. Its own name is found by inode: it may have been renamed. */
  async #successorOf(file: OpenFile): Promise<LogFileName | undefined> {
    const known = this.#listing;
    const names = await this.#list();
    if (known !== undefined && names.at(-1)?.name === file.name.name) return undefined;
    const at = await this.#indexOf(names, file);
    // Not there any more: it was rotated and compressed or removed, so all that has not been read is newer.
    if (at === undefined) return names.find((name) => isNewer(name, file.name));
    file.name = names[at] ?? file.name;
    return names[at + 1];
  }

  async #indexOf(names: readonly LogFileName[], file: OpenFile): Promise<number | undefined> {
    for (const [at, name] of names.entries()) {
      if (name.compressed) {
        if (name.name === file.name.name) return at; // it is expanded from this one
        continue;
      }
      const facts = await unlessMissing(stat(join(this.#folder, name.name)));
      if (facts?.ino === file.inode) return at;
    }
    return undefined;
  }
}

/** `than` is what a vanished file was last called; when that was the live name, a live file is its successor. */
function isNewer(name: LogFileName, than: LogFileName): boolean {
  if (name.restart !== than.restart) return name.restart > than.restart;
  if (name.rotatedAt === "") return true;
  return than.rotatedAt !== "" && name.rotatedAt > than.rotatedAt;
}

function headOf(bytes: Buffer): Pick<FileMark, "head_bytes" | "head_sha256"> {
  const head = bytes.subarray(0, HEAD_BYTES);
  return { head_bytes: head.length, head_sha256: createHash("sha256").update(head).digest("hex") };
}

async function beginsWith(handle: FileHandle, mark: FileMark): Promise<boolean> {
  const head = Buffer.alloc(mark.head_bytes);
  const { bytesRead } = await handle.read(head, 0, head.length, 0);
  return bytesRead === head.length && createHash("sha256").update(head).digest("hex") === mark.head_sha256;
}

/** A compressed file as a plain one without a name; gone when it is closed. */
async function openExpanded(path: string): Promise<FileHandle> {
  const expanded = join(tmpdir(), `aiep-log-${randomUUID()}`);
  try {
    await pipeline(createReadStream(path), createGunzip(), createWriteStream(expanded, { mode: 0o600 }));
    return await open(expanded, "r");
  } finally {
    await rm(expanded, { force: true });
  }
}
