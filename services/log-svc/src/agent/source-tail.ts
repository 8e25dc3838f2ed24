/**
 * Ships one container's log: read, publish, and after the acknowledgement move the checkpoint (D17).
 *
 * T1 Positions handed out are contiguous (L2), and the next batch is published only when the one before it is
 *    acknowledged. Otherwise a full stream could hold a later batch, which the store cannot use, and have no room for the
 *    earlier one. (One 256 KiB batch a round trip is more than any container writes.)
 * T2 The end is shipped after everything before it, and only if the container's end was seen before the last read.
 * T3 A rewind that was asked for stays in the checkpoint until a batch from there is acknowledged.
 */
import { MAX_BATCH_BYTES, type PodFile } from "@aiep/contracts";
import type { Logger } from "@aiep/service-kit";
import type { Checkpoint, SourceMark } from "./checkpoint.ts";
import { type FileMark, LogFiles } from "./log-files.ts";
import type { Shipper } from "./shipper.ts";

/** What may be done with a log: `wait` until it is known whose it is or whether it counts, `leave` it for good. */
export type Access =
  | { readonly kind: "ship"; readonly pod: PodFile }
  | { readonly kind: "wait" }
  | { readonly kind: "leave" };

export interface SourceTailDeps {
  readonly access: () => Access;
  readonly container: string;
  /** The container's log folder. */
  readonly folder: string;
  /** Name of this source in the checkpoint. */
  readonly key: string;
  readonly checkpoint: Checkpoint;
  /** The checkpoint has to remember whose it is. */
  readonly rememberPod: boolean;
  readonly shipper: Shipper;
  readonly isComplete: () => Promise<boolean>;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Shortest time between two reads of a writer at work: lines that trickle in travel together. */
  readonly gatherMs: number;
}

const GATHER_BELOW_BYTES = MAX_BATCH_BYTES / 2;

/** `emptied`: nothing more just now. `gather`: a writer is at work. `stopped`: done, or the agent stops. */
type PumpEnd = "emptied" | "gather" | "stopped";

export class SourceTail implements AsyncDisposable {
  readonly #deps: SourceTailDeps;
  #files: LogFiles;
  #position: number;
  #file: FileMark | null;
  #done: boolean;
  #complete = false;
  #rewind: boolean;
  #pumping: Promise<void> | undefined;
  #again = false;
  #lastRead = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: SourceTailDeps) {
    const mark = deps.checkpoint.get(deps.key);
    this.#deps = deps;
    this.#position = mark?.position ?? 0;
    this.#file = mark?.file ?? null;
    this.#rewind = mark?.rewind ?? false;
    this.#done = mark?.done === true && !this.#rewind;
    this.#files = new LogFiles(deps.folder, mark?.file ?? undefined);
  }

  /** Everything including the end is shipped, or it was left. */
  get done(): boolean {
    return this.#done;
  }

  /** The container wrote something. */
  get begun(): boolean {
    return this.#position > 0 || this.#files.begun;
  }

  /** What was shipped is lost behind the bus: ships again all that is still in files. The checkpoint knows already. */
  rewind(): void {
    this.#rewind = true;
    this.#done = false;
    this.wake(true);
  }

  /** There may be more to read. `folder`: files may have come or gone. */
  wake(folder: boolean): void {
    if (this.#done || this.#deps.signal.aborted) return;
    if (folder) this.#hold();
    if (this.#pumping !== undefined) {
      this.#again = true;
      return;
    }
    const wait = this.#lastRead + this.#deps.gatherMs - performance.now();
    if (wait <= 0) this.#startPump();
    else
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        if (this.#pumping === undefined && !this.#deps.signal.aborted) this.#startPump();
      }, wait);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    await this.#pumping;
    await this.#files[Symbol.asyncDispose]();
  }

  /** Also while the bus is away and nothing is read: what is there now must not be lost. */
  #hold(): void {
    this.#files.folderChanged();
    this.#files.hold().catch((error: unknown) => this.#warn(error));
  }

  #warn(error: unknown): void {
    this.#deps.log.error({ err: error, source: this.#deps.key }, "log cannot be read; trying again later");
  }

  #startPump(): void {
    this.#again = false;
    this.#pumping = this.#pump()
      .then((end) => {
        this.#again ||= end === "gather";
      })
      .catch((error: unknown) => this.#warn(error))
      .then(() => {
        this.#pumping = undefined;
        if (this.#again) this.wake(false);
      });
  }

  async #pump(): Promise<PumpEnd> {
    const { shipper, signal } = this.#deps;
    for (;;) {
      const complete = await this.#deps.isComplete(); // asked before the read (T2)
      if (complete && !this.#complete) this.#files.folderChanged(); // no watch may be relied on for the last file
      this.#complete = complete;
      await this.#files.hold();
      const access = this.#deps.access();
      if (access.kind === "leave") await this.#end();
      if (access.kind !== "ship") return "emptied";
      const { pod } = access;
      await shipper.reserve();
      try {
        if (signal.aborted) return "stopped";
        if (this.#rewind) await this.#goBack();
        this.#lastRead = performance.now();
        const size = await this.#shipNext(pod, complete);
        if (size === undefined) return complete && (await this.#shipEnd(pod)) ? "stopped" : "emptied";
        if (!complete && size < GATHER_BELOW_BYTES) return "gather";
      } finally {
        shipper.release();
      }
    }
  }

  async #goBack(): Promise<void> {
    const from = this.#position;
    // A mark of an older agent may not say which file it ends in: then nobody knows where the bytes before began.
    if (this.#file !== null) this.#position = await this.#files.rewind(from);
    this.#rewind = false;
    this.#deps.log.info({ source: this.#deps.key, from, to: this.#position }, "log is shipped again");
  }

  /** Size of the batch that was shipped; undefined when there was none. */
  async #shipNext(pod: PodFile, complete: boolean): Promise<number | undefined> {
    const batch = await this.#files.next(complete);
    if (batch === undefined) return undefined;
    if (batch.lost) this.#position += 1; // a hole of unknown size: the store marks it
    const next = this.#position + batch.bytes.length;
    await this.#ship(pod, batch.bytes, { position: next, file: batch.after, done: false });
    this.#position = next;
    this.#file = batch.after;
    return batch.bytes.length;
  }

  async #shipEnd(pod: PodFile): Promise<boolean> {
    const mark = { position: this.#position, file: this.#file, done: true };
    if (!(await this.#ship(pod, new Uint8Array(0), mark))) return false;
    if (this.#done) await this.#end();
    return true;
  }

  /** Nothing is held of a log that is done. */
  async #end(): Promise<void> {
    this.#done = true;
    await this.#files[Symbol.asyncDispose]();
    this.#files = new LogFiles(this.#deps.folder, this.#file ?? undefined);
  }

  /** False when the agent stops before the bus has acknowledged. */
  async #ship(pod: PodFile, bytes: Uint8Array, mark: Omit<SourceMark, "rewind" | "pod">): Promise<boolean> {
    const { shipper, signal, checkpoint, key, container, rememberPod } = this.#deps;
    const source = `${pod.pod_uid}/${container}`;
    const batch = { pod, source, position: this.#position, bytes, final: mark.done };
    if (!(await shipper.ship(batch, signal))) return false;
    checkpoint.set(key, { ...mark, rewind: this.#rewind, ...(rememberPod ? { pod } : {}) });
    this.#done = mark.done && !this.#rewind;
    return true;
  }
}
