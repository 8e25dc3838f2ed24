/**
 * How far each source is shipped, in one file that is replaced whole. Written after the bus has acknowledged, some time
 * after: what was shipped meanwhile is shipped again after a crash, and the store cuts it by position (I8).
 */
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import type { Logger } from "@aiep/service-kit";
import * as z from "zod";
import { unlessMissing } from "./pod-resolver.ts";

const sourceMark = z.object({
  /** Bytes of the source that are shipped. */
  position: z.int().min(0),
  /** The file the next byte comes from, by inode and by what it begins with. */
  file: z
    .object({
      inode: z.int(),
      offset: z.int().min(0),
      head_bytes: z.int().min(0),
      head_sha256: z.string(),
    })
    .nullable(),
  /** The end is shipped too. */
  done: z.boolean(),
});
export type SourceMark = z.infer<typeof sourceMark>;

const checkpointFile = z.object({ version: z.literal(1), sources: z.record(z.string(), sourceMark) });

const SAVE_AFTER_MS = 200;

/** Keys are pod folder name and container: `<ns>_<pod>_<uid>/<container>`. */
export class Checkpoint {
  readonly #path: string;
  readonly #log: Logger;
  readonly #marks: Map<string, SourceMark>;
  #timer: NodeJS.Timeout | undefined;
  #saving: Promise<void> = Promise.resolve();

  private constructor(path: string, log: Logger, marks: Map<string, SourceMark>) {
    this.#path = path;
    this.#log = log;
    this.#marks = marks;
  }

  static async open(path: string, log: Logger): Promise<Checkpoint> {
    await mkdir(dirname(path), { recursive: true });
    const text = await unlessMissing(readFile(path, "utf8"));
    if (text === undefined) return new Checkpoint(path, log, new Map());
    const { sources } = checkpointFile.parse(JSON.parse(text));
    return new Checkpoint(path, log, new Map(Object.entries(sources)));
  }

  keys(): string[] {
    return [...this.#marks.keys()];
  }

  get(key: string): SourceMark | undefined {
    return this.#marks.get(key);
  }

  set(key: string, mark: SourceMark): void {
    this.#marks.set(key, mark);
    this.#saveSoon();
  }

  forget(key: string): void {
    if (this.#marks.delete(key)) this.#saveSoon();
  }

  /** Everything set so far is in the file when this resolves. */
  async save(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#saving = this.#saving.then(() => this.#write());
    await this.#saving;
  }

  #saveSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.save().catch((error: unknown) => {
        this.#log.error({ err: error }, "the agent's checkpoint cannot be written");
        this.#saving = Promise.resolve();
        this.#saveSoon();
      });
    }, SAVE_AFTER_MS);
  }

  async #write(): Promise<void> {
    const temporary = `${this.#path}.tmp`;
    const file = await open(temporary, "w", 0o640);
    try {
      await file.writeFile(JSON.stringify({ version: 1, sources: Object.fromEntries(this.#marks) }));
    } finally {
      await file.close();
    }
    await rename(temporary, this.#path);
  }
}
