/**
 * How far each source is shipped, in one file that is replaced whole. Written after the bus has acknowledged, some time
 * after: what was shipped meanwhile is shipped again after a crash, and the store cuts it by position (I8).
 */
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { type PodFile, podFile } from "@aiep/contracts";
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
  /** Shipped to a stream that is gone: all that is still in files goes out again. */
  rewind: z.boolean().default(false),
  /** Whose log it is, where nobody else can tell any more after a restart. */
  pod: podFile.optional(),
});
export type SourceMark = z.infer<typeof sourceMark>;

/** The stream that acknowledged what is shipped. */
const streamMark = z.object({ created: z.string(), acked_seq: z.int().min(0) });
export type StreamMark = z.infer<typeof streamMark>;

const checkpointFile = z.object({
  version: z.literal(1),
  stream: streamMark.optional(),
  sources: z.record(z.string(), sourceMark),
});
type CheckpointFile = z.infer<typeof checkpointFile>;

const SAVE_AFTER_MS = 200;

/** Keys are pod folder name and container: `<ns>_<pod>_<uid>/<container>`. */
export class Checkpoint {
  readonly #path: string;
  readonly #log: Logger;
  readonly #marks: Map<string, SourceMark>;
  #stream: StreamMark | undefined;
  #timer: NodeJS.Timeout | undefined;
  #saving: Promise<void> = Promise.resolve();

  private constructor(path: string, log: Logger, content: CheckpointFile | undefined) {
    this.#path = path;
    this.#log = log;
    this.#marks = new Map(Object.entries(content?.sources ?? {}));
    this.#stream = content?.stream;
  }

  static async open(path: string, log: Logger): Promise<Checkpoint> {
    await mkdir(dirname(path), { recursive: true });
    const text = await unlessMissing(readFile(path, "utf8"));
    return new Checkpoint(path, log, text === undefined ? undefined : checkpointFile.parse(JSON.parse(text)));
  }

  get stream(): StreamMark | undefined {
    return this.#stream;
  }

  setStream(stream: StreamMark): void {
    this.#stream = stream;
    this.#saveSoon();
  }

  /** All sources have to go to this stream again; in the file both or neither. */
  rewind(stream: StreamMark): void {
    for (const [key, mark] of this.#marks) this.#marks.set(key, { ...mark, rewind: true });
    this.setStream(stream);
  }

  keys(): string[] {
    return [...this.#marks.keys()];
  }

  /** Whose a pod folder is, if anything of it was shipped. */
  podOf(name: string): PodFile | undefined {
    for (const [key, { pod }] of this.#marks) if (pod !== undefined && key.startsWith(`${name}/`)) return pod;
    return undefined;
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
      const content: CheckpointFile = {
        version: 1,
        ...(this.#stream === undefined ? {} : { stream: this.#stream }),
        sources: Object.fromEntries(this.#marks),
      };
      await file.writeFile(JSON.stringify(content));
    } finally {
      await file.close();
    }
    await rename(temporary, this.#path);
  }
}
