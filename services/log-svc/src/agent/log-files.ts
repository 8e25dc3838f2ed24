/**
 * One container's log, read as one sequence of bytes over rotations, renames, restarts and the end of its folder (D17).
 *
 * Where reading left off is known by inode and by what the file begins with, never by name alone. A file is left only
 * after its successor was seen and it was then read to its end, so that nothing written before the switch is missed. A
 * restart whose file never was there is a loss, and told (D18).
 */
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { MAX_BATCH_BYTES } from "@aiep/contracts";
import { batchLength } from "../domain/batch-cut.ts";
import type { SourceMark } from "./checkpoint.ts";
import { expand, FileQueue, type HeldFile } from "./file-queue.ts";

export type FileMark = NonNullable<SourceMark["file"]>;

export interface FileBatch {
  readonly bytes: Buffer;
  /** Where the byte after this batch comes from. */
  readonly after: FileMark;
  /** Bytes before this batch could not be found any more. */
  readonly lost: boolean;
}

interface OpenFile {
  readonly held: HeldFile;
  offset: number;
  head: Pick<FileMark, "head_bytes" | "head_sha256">;
}

const HEAD_BYTES = 256;
const NO_HEAD = { head_bytes: 0, head_sha256: "" };

export class LogFiles implements AsyncDisposable {
  readonly #queue: FileQueue;
  #resumeAt: FileMark | undefined;
  #file: OpenFile | undefined;
  #lost = false;

  constructor(folder: string, resumeAt: FileMark | undefined) {
    this.#queue = new FileQueue(folder);
    this.#resumeAt = resumeAt;
  }

  /** Anything was ever written. */
  get begun(): boolean {
    return this.#resumeAt !== undefined || this.#queue.begun;
  }

  /** Files came, went or were renamed. */
  folderChanged(): void {
    this.#queue.changed();
  }

  /** From here on what is in the folder now will be read, whatever becomes of the folder. */
  async hold(): Promise<void> {
    await this.#queue.look();
  }

  /** The next batch, or undefined when there is none just now. `complete`: nothing will be written any more. */
  async next(complete: boolean): Promise<FileBatch | undefined> {
    for (;;) {
      await this.#queue.look();
      const file = this.#file ?? (await this.#first());
      if (file === undefined) return undefined;
      const left = this.#queue.waiting.length > 0;
      const batch = await this.#read(file, complete || left);
      if (batch !== undefined) return batch;
      if (!left) return undefined;
      await this.#goOn(file);
    }
  }

  /**
   * Back to the first byte that is still there. `position` is that of the next byte to read; files that follow each other
   * were read one after the other to their ends, so the sizes of those before it say where each began.
   */
  async rewind(position: number): Promise<number> {
    this.#queue.changed();
    await this.#queue.look();
    const here = this.#file ?? (await this.#resume());
    if (here === undefined) return position; // nothing read, or nothing left of what was read
    let start = position - here.offset;
    here.offset = 0;
    this.#file = here;
    if (!(await this.#queue.restart())) return start;
    const files = this.#queue.waiting;
    let at = files.findIndex(({ inode }) => inode === here.held.inode);
    if (at < 0) return start; // removed: what is in the folder is newer
    for (; at > 0; at -= 1) {
      const before = files[at - 1];
      const size = before === undefined ? Number.POSITIVE_INFINITY : await sizeOf(before);
      if (size > start) break;
      start -= size;
    }
    const first = files[at];
    if (first !== undefined) await this.#queue.passBefore(first);
    await here.held.handle.close();
    this.#file = undefined;
    await this.#take();
    return start;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await this.#queue[Symbol.asyncDispose]();
    await file?.held.handle.close();
  }

  async #read(file: OpenFile, closed: boolean): Promise<FileBatch | undefined> {
    const { handle, inode } = file.held;
    const { size } = await handle.stat();
    const wanted = Math.min(size - file.offset, MAX_BATCH_BYTES);
    if (wanted <= 0) return undefined;
    const buffer = Buffer.allocUnsafe(wanted);
    const { bytesRead } = await handle.read(buffer, 0, wanted, file.offset);
    const full = bytesRead === MAX_BATCH_BYTES;
    const length = batchLength(buffer.subarray(0, bytesRead), { closed, full });
    if (length === 0) return undefined;
    const bytes = buffer.subarray(0, length);
    if (file.offset === 0) file.head = headOf(bytes);
    file.offset += length;
    const lost = this.#lost;
    this.#lost = false;
    return { bytes, after: { inode, offset: file.offset, ...file.head }, lost };
  }

  /** The file to begin with: where the checkpoint left off, else the oldest. */
  async #first(): Promise<OpenFile | undefined> {
    const [oldest] = this.#queue.waiting;
    if (oldest === undefined) return undefined;
    const resuming = this.#resumeAt !== undefined;
    const resumed = await this.#resume();
    if (resumed !== undefined) return resumed;
    this.#lost = resuming || oldest.name.restart > 0; // what came before is gone; what is there now is all newer
    return await this.#take();
  }

  async #goOn(file: OpenFile): Promise<void> {
    const [next] = this.#queue.waiting;
    if (next !== undefined && next.name.restart > file.held.name.restart + 1) this.#lost = true;
    await this.#queue.pass(file.held);
    this.#file = undefined;
    await this.#take();
  }

  async #take(): Promise<OpenFile | undefined> {
    const held = await this.#queue.take();
    this.#file = held === undefined ? undefined : { held, offset: 0, head: NO_HEAD };
    return this.#file;
  }

  /** Where the checkpoint left off, once. */
  async #resume(): Promise<OpenFile | undefined> {
    const mark = this.#resumeAt;
    const files = this.#queue.waiting;
    if (mark === undefined || files.length === 0) return undefined;
    this.#resumeAt = undefined;
    // Expanding a compressed file costs: only when it is none of the plain ones.
    for (const held of [...files.filter(({ packed }) => !packed), ...files.filter(({ packed }) => packed)]) {
      const packed = held.packed;
      if (!packed && held.inode !== mark.inode) continue;
      await expand(held);
      if (!(await beginsWith(held.handle, mark))) continue;
      await this.#queue.passBefore(held);
      await this.#queue.take();
      const head = { head_bytes: mark.head_bytes, head_sha256: mark.head_sha256 };
      this.#file = { held, offset: mark.offset, head };
      return this.#file;
    }
    return undefined;
  }
}

async function sizeOf(file: HeldFile): Promise<number> {
  await expand(file);
  return (await file.handle.stat()).size;
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
