/** One pod's log folder: its containers' tails, and the watches that wake them. */
import { type FSWatcher, watch } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { PodFile } from "@aiep/contracts";
import type { Logger } from "@aiep/service-kit";
import type { Checkpoint } from "./checkpoint.ts";
import { type PodResolver, unlessMissing } from "./pod-resolver.ts";
import type { Shipper } from "./shipper.ts";
import { SourceTail } from "./source-tail.ts";

export interface PodWatchDeps {
  readonly checkpoint: Checkpoint;
  readonly shipper: Shipper;
  readonly resolver: PodResolver;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly gatherMs: number;
}

export class PodWatch implements AsyncDisposable {
  readonly name: string;
  readonly #folder: string;
  readonly #deps: PodWatchDeps;
  readonly #tails = new Map<string, SourceTail>();
  readonly #watchers = new Map<string, FSWatcher>();
  #pod: PodFile | undefined;
  #looking: Promise<void> | undefined;
  #lookAgain = false;
  #complete = false;
  #closed = false;

  constructor(deps: PodWatchDeps, at: { readonly name: string; readonly folder: string }) {
    this.#deps = deps;
    this.name = at.name;
    this.#folder = at.folder;
  }

  /** Everything of this pod is shipped and nothing more will come. */
  get done(): boolean {
    return this.#complete && this.#tails.size > 0 && [...this.#tails.values()].every((tail) => tail.done);
  }

  /** Looks at the folder itself: who it belongs to, which containers, whether it is complete. */
  look(): void {
    if (this.#closed) return;
    if (this.#looking !== undefined) {
      this.#lookAgain = true;
      return;
    }
    this.#lookAgain = false;
    this.#looking = this.#look()
      .catch((error: unknown) => {
        this.#deps.log.warn({ err: error, pod: this.name }, "pod folder cannot be read; trying again later");
      })
      .then(() => {
        this.#looking = undefined;
        if (this.#lookAgain) this.look();
      });
  }

  /** What was shipped is lost behind the bus. */
  rewind(): void {
    for (const tail of this.#tails.values()) tail.rewind();
    this.look();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#closeWatchers();
    await this.#looking;
    for (const tail of this.#tails.values()) await tail[Symbol.asyncDispose]();
  }

  async #look(): Promise<void> {
    if (this.done) {
      this.#closeWatchers(); // nothing more will come; the periodic look is enough
      return;
    }
    this.#watch(this.#folder, () => this.look());
    this.#pod ??= await this.#deps.resolver.resolve(this.#folder);
    if (this.#pod === undefined) return;
    this.#complete ||= await this.#deps.resolver.isComplete(this.#folder);
    const entries = (await unlessMissing(readdir(this.#folder, { withFileTypes: true }))) ?? [];
    for (const entry of entries) if (entry.isDirectory()) this.#tail(this.#pod, entry.name);
    for (const tail of this.#tails.values()) tail.wake(true);
  }

  #tail(pod: PodFile, container: string): void {
    const folder = join(this.#folder, container);
    const tail = this.#tails.get(container) ?? this.#newTail(pod, container, folder);
    if (!tail.done) this.#watch(folder, (type) => tail.wake(type === "rename"));
  }

  #newTail(pod: PodFile, container: string, folder: string): SourceTail {
    const { resolver, ...deps } = this.#deps;
    const tail = new SourceTail({
      ...deps,
      pod,
      container,
      folder,
      key: `${this.name}/${container}`,
      isComplete: async () => {
        this.#complete ||= await resolver.isComplete(this.#folder);
        return this.#complete;
      },
    });
    this.#tails.set(container, tail);
    return tail;
  }

  /** Where the system has no watches left, the periodic look does the work. */
  #watch(folder: string, listener: (type: string) => void): void {
    if (this.#watchers.has(folder) || this.#closed) return;
    try {
      const watcher = watch(folder, { persistent: false }, listener);
      watcher.on("error", () => this.#unwatch(folder));
      this.#watchers.set(folder, watcher);
    } catch (error) {
      this.#deps.log.debug({ err: error, folder }, "folder cannot be watched; looking at it periodically");
    }
  }

  #unwatch(folder: string): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
  }

  #closeWatchers(): void {
    for (const folder of [...this.#watchers.keys()]) this.#unwatch(folder);
  }
}
