/**
 * Ships one container's log: read, publish, and after the acknowledgement move the checkpoint (D17).
 *
 * T1 Positions handed out are contiguous (L2); the checkpoint moves only over batches that are acknowledged, in order.
 * T2 At most WINDOW batches of a source are on their way, so that one loud source leaves room for the others.
 * T3 The end is shipped once everything before it is acknowledged and the container's end was seen before the last read.
 */

import { MAX_BATCH_BYTES, type PodFile } from "@aiep/contracts";
import type { Logger } from "@aiep/service-kit";
import type { Checkpoint, SourceMark } from "./checkpoint.ts";
import { LogFiles } from "./log-files.ts";
import type { Shipper } from "./shipper.ts";

export interface SourceTailDeps {
  readonly pod: PodFile;
  readonly container: string;
  /** The container's log folder. */
  readonly folder: string;
  /** Name of this source in the checkpoint. */
  readonly key: string;
  readonly checkpoint: Checkpoint;
  readonly shipper: Shipper;
  readonly isComplete: () => Promise<boolean>;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Shortest time between two reads: lines that trickle in travel together. */
  readonly gatherMs: number;
}

const WINDOW = 8;
const GATHER_BELOW_BYTES = MAX_BATCH_BYTES / 2;

interface OnItsWay {
  readonly mark: SourceMark;
  acknowledged: boolean;
}

export class SourceTail implements AsyncDisposable {
  readonly #deps: SourceTailDeps;
  readonly #files: LogFiles;
  readonly #source: string;
  #position: number;
  #done: boolean;
  readonly #onTheirWay: OnItsWay[] = [];
  readonly #shipping = new Set<Promise<void>>();
  #pumping: Promise<void> | undefined;
  #again = false;
  #lastPump = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: SourceTailDeps) {
    const mark = deps.checkpoint.get(deps.key);
    this.#deps = deps;
    this.#source = `${deps.pod.pod_uid}/${deps.container}`;
    this.#position = mark?.position ?? 0;
    this.#done = mark?.done ?? false;
    this.#files = new LogFiles(deps.folder, mark?.file ?? undefined);
  }

  /** Everything including the end is shipped. */
  get done(): boolean {
    return this.#done;
  }

  /** There may be more to read. `folder`: files may have come or gone. */
  wake(folder: boolean): void {
    if (folder) this.#files.folderChanged();
    if (this.#done || this.#deps.signal.aborted) return;
    if (this.#pumping !== undefined) {
      this.#again = true;
      return;
    }
    const wait = this.#lastPump + this.#deps.gatherMs - performance.now();
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
    await Promise.all(this.#shipping);
    await this.#files[Symbol.asyncDispose]();
  }

  #startPump(): void {
    this.#again = false;
    this.#lastPump = performance.now();
    this.#pumping = this.#pump()
      .catch((error: unknown) => {
        this.#deps.log.error({ err: error, source: this.#source }, "log cannot be read; trying again later");
      })
      .then(() => {
        this.#pumping = undefined;
        if (this.#again) this.wake(false);
      });
  }

  async #pump(): Promise<void> {
    const { shipper, signal } = this.#deps;
    for (;;) {
      const complete = await this.#deps.isComplete(); // asked before the read (T3)
      await this.#windowOpen();
      await shipper.reserve();
      const batch = signal.aborted ? undefined : await this.#files.next(complete).catch(this.#giveBack);
      if (batch === undefined) {
        shipper.release();
        if (complete && !signal.aborted) await this.#end();
        return;
      }
      if (batch.lost) this.#position += 1; // a hole of unknown size: the store marks it
      const position = this.#position;
      this.#position += batch.bytes.length;
      this.#ship(position, batch.bytes, { position: this.#position, file: batch.after, done: false });
      if (!complete && batch.bytes.length < GATHER_BELOW_BYTES) {
        this.#again = true; // a writer at work: let some more come together first
        this.#lastPump = performance.now();
        return;
      }
    }
  }

  readonly #giveBack = (error: unknown): never => {
    this.#deps.shipper.release();
    throw error;
  };

  async #end(): Promise<void> {
    await Promise.all(this.#shipping);
    if (this.#done || this.#deps.signal.aborted) return;
    await this.#deps.shipper.reserve();
    const position = this.#position;
    this.#ship(position, new Uint8Array(0), { position, file: null, done: true });
    await Promise.all(this.#shipping);
  }

  async #windowOpen(): Promise<void> {
    while (this.#shipping.size >= WINDOW) await Promise.race(this.#shipping);
  }

  /** Takes over the place reserved with the shipper. */
  #ship(position: number, bytes: Uint8Array, mark: SourceMark): void {
    const { shipper, signal, pod } = this.#deps;
    const entry: OnItsWay = { mark, acknowledged: false };
    this.#onTheirWay.push(entry);
    const shipping = shipper
      .ship({ pod, source: this.#source, position, bytes, final: mark.done }, signal)
      .then((acknowledged) => {
        entry.acknowledged = acknowledged;
        this.#moveCheckpoint();
      })
      .finally(() => {
        shipper.release();
        this.#shipping.delete(shipping);
      });
    this.#shipping.add(shipping);
  }

  #moveCheckpoint(): void {
    let last: SourceMark | undefined;
    while (this.#onTheirWay[0]?.acknowledged === true) last = this.#onTheirWay.shift()?.mark;
    if (last === undefined) return;
    this.#deps.checkpoint.set(this.#deps.key, last);
    if (last.done) this.#done = true;
  }
}
