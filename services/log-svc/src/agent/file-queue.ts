/**
 * The files of one container's log folder in the order they were written, each held open from when it is first seen
 * until it has been read: the kubelet rotates, compresses and removes them as it likes (D17).
 *
 * Q1 A file is known by its inode while it is held, so renaming changes nothing. One that has been read is known by name
 *    and inode: then the inode may come again, but such a file is not renamed any more.
 * Q2 What was seen is read, also when its folder is gone.
 * Q3 The compressed form of a file that is known is not another file.
 */
import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { type FileHandle, open, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { inWritingOrder, type LogFileName, plainName } from "../domain/log-files.ts";
import { unlessMissing } from "./pod-resolver.ts";

export interface HeldFile {
  readonly inode: number;
  /** As of the last look. */
  name: LogFileName;
  handle: FileHandle;
  /** The handle is of the compressed form. */
  packed: boolean;
}

export class FileQueue implements AsyncDisposable {
  readonly #folder: string;
  /** Not read yet, oldest first. */
  #waiting: HeldFile[] = [];
  /** Being read. */
  #taken: HeldFile | undefined;
  /** Read, or left out: plain name → inode. */
  readonly #passed = new Map<string, number>();
  #stale = true;
  #looking: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get waiting(): readonly HeldFile[] {
    return this.#waiting;
  }

  /** Any file was ever seen. */
  get begun(): boolean {
    return this.#taken !== undefined || this.#waiting.length > 0 || this.#passed.size > 0;
  }

  /** Files came, went or were renamed. */
  changed(): void {
    this.#stale = true;
  }

  /** Takes hold of whatever is new; looks never overlap. */
  async look(): Promise<void> {
    const looking = this.#looking.catch(() => undefined).then(() => this.#lookIfStale());
    this.#looking = looking;
    await looking;
  }

  /** The next one, ready to be read; the caller passes it on. */
  async take(): Promise<HeldFile | undefined> {
    const file = this.#waiting[0];
    if (file === undefined) return undefined;
    await expand(file);
    this.#waiting.shift();
    this.#taken = file;
    return file;
  }

  /** It has been read. */
  async pass(file: HeldFile): Promise<void> {
    if (this.#taken === file) this.#taken = undefined;
    this.#passed.set(plainName(file.name), file.inode);
    await file.handle.close();
  }

  /** Those before this one are left out. */
  async passBefore(file: HeldFile): Promise<void> {
    const before = this.#waiting.splice(0, this.#waiting.indexOf(file));
    for (const each of before) await this.pass(each);
  }

  /**
   * Everything that is in the folder waits again, also what has been read. The file that was being read is the caller's to
   * close. Returns false, and changes nothing, when the folder is gone.
   */
  async restart(): Promise<boolean> {
    if ((await this.#names()).length === 0) return false;
    const before = this.#waiting;
    this.#waiting = [];
    this.#taken = undefined;
    this.#passed.clear();
    this.#stale = true;
    await this.look();
    for (const { handle } of before) await handle.close();
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#looking.catch(() => undefined);
    for (const { handle } of this.#waiting.splice(0)) await handle.close();
    await this.#taken?.handle.close();
    this.#taken = undefined;
  }

  async #names(): Promise<LogFileName[]> {
    return inWritingOrder((await unlessMissing(readdir(this.#folder))) ?? []);
  }

  async #lookIfStale(): Promise<void> {
    if (!this.#stale || this.#closed) return;
    this.#stale = false;
    try {
      await this.#look();
    } catch (error) {
      this.#stale = true;
      throw error;
    }
  }

  async #look(): Promise<void> {
    const names = await this.#names();
    const inodes = new Map<LogFileName, number>();
    for (const name of names) {
      const facts = await unlessMissing(stat(join(this.#folder, name.name)));
      if (facts !== undefined) inodes.set(name, facts.ino);
    }
    const there = new Set(inodes.values());
    for (const [name, inode] of inodes) {
      const known = name.compressed ? this.#packedForm(name, inode, there) : this.#held(inode);
      if (known !== undefined) known.name = name;
      else if (!this.#isPassed(name, inode)) await this.#hold(name);
    }
    const plain = new Set(names.map(plainName));
    for (const name of this.#passed.keys()) if (!plain.has(name)) this.#passed.delete(name);
  }

  #isPassed(name: LogFileName, inode: number): boolean {
    const passed = this.#passed.get(plainName(name));
    return passed !== undefined && (name.compressed || passed === inode);
  }

  #held(inode: number): HeldFile | undefined {
    return [this.#taken, ...this.#waiting].find((file) => file?.inode === inode);
  }

  /** The file held that this is the compressed form of: by name, or one that was still being written at the last look. */
  #packedForm(name: LogFileName, inode: number, there: ReadonlySet<number>): HeldFile | undefined {
    const files = [this.#taken, ...this.#waiting].filter((file) => file !== undefined);
    return (
      files.find((file) => file.inode === inode || plainName(file.name) === plainName(name)) ??
      (this.#isPassed(name, inode)
        ? undefined
        : files.find(
            (file) =>
              file.name.rotatedAt === "" && file.name.restart === name.restart && !there.has(file.inode),
          ))
    );
  }

  async #hold(name: LogFileName): Promise<void> {
    const handle = await unlessMissing(open(join(this.#folder, name.name), "r"));
    if (handle === undefined) return;
    const { ino } = await handle.stat();
    if (this.#held(ino) === undefined)
      this.#waiting.push({ inode: ino, name, handle, packed: name.compressed });
    else await handle.close(); // renamed since the listing
  }
}

/** A compressed file as a plain one without a name; gone when it is closed. */
export async function expand(file: HeldFile): Promise<void> {
  if (!file.packed) return;
  const path = join(tmpdir(), `aiep-log-${randomUUID()}`);
  try {
    await pipeline(
      file.handle.createReadStream({ start: 0, autoClose: false }),
      createGunzip(),
      createWriteStream(path, { mode: 0o600 }),
    );
    const plain = await open(path, "r");
    await file.handle.close();
    file.handle = plain;
    file.packed = false;
  } finally {
    await rm(path, { force: true });
  }
}
