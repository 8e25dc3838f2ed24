/**
 * One pod's log folder: its containers' tails, and the watches that wake them.
 *
 * W1 Files are held open from the first look on, before it is known whose they are: a pod may be gone within a second.
 * W2 A folder that is gone is complete: it is removed only after its containers are.
 * W3 The prepare container's log is shipped only when the pod is over and the node's container wrote nothing.
 */
import { type FSWatcher, watch } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { PodFile } from "@aiep/contracts";
import type { Logger } from "@aiep/service-kit";
import type { Checkpoint } from "./checkpoint.ts";
import { type ContainerRole, type PodResolver, unlessMissing } from "./pod-resolver.ts";
import type { Shipper } from "./shipper.ts";
import { type Access, SourceTail } from "./source-tail.ts";

export interface PodWatchDeps {
  readonly checkpoint: Checkpoint;
  readonly shipper: Shipper;
  readonly resolver: PodResolver;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly gatherMs: number;
}

interface Tail {
  readonly role: Exclude<ContainerRole, "other">;
  readonly source: SourceTail;
}

/** A folder that went before anybody could say whose it was is given up after this time. */
const UNKNOWN_MS = 60_000;

export class PodWatch implements AsyncDisposable {
  readonly name: string;
  readonly #folder: string;
  readonly #deps: PodWatchDeps;
  readonly #tails = new Map<string, Tail>();
  readonly #watchers = new Map<string, FSWatcher>();
  #pod: PodFile | "foreign" | undefined;
  #looking: Promise<void> | undefined;
  #lookAgain = false;
  #complete = false;
  #goneSince: number | undefined;
  #closed = false;

  constructor(deps: PodWatchDeps, at: { readonly name: string; readonly folder: string }) {
    this.#deps = deps;
    this.name = at.name;
    this.#folder = at.folder;
    this.#pod = deps.checkpoint.podOf(at.name);
  }

  /** Everything of this pod is shipped and nothing more will come, or it is not ours. */
  get done(): boolean {
    if (this.#pod === "foreign") return true;
    return (
      this.#complete && this.#tails.size > 0 && [...this.#tails.values()].every(({ source }) => source.done)
    );
  }

  /** The folder is gone, and so is what there was to do. */
  get finished(): boolean {
    if (this.#goneSince === undefined) return false;
    if (this.done || this.#tails.size === 0) return true;
    return this.#pod === undefined && performance.now() - this.#goneSince > UNKNOWN_MS;
  }

  /** Looks at the folder itself: who it belongs to, which containers, whether it is complete. */
  look(): void {
    if (this.#closed || this.#pod === "foreign") return;
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

  folderGone(): void {
    this.#goneSince ??= performance.now();
    this.look();
  }

  /** What was shipped is lost behind the bus. */
  rewind(): void {
    for (const { source } of this.#tails.values()) source.rewind();
    this.look();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#closeWatchers();
    await this.#looking;
    const lost = this.#pod === undefined && [...this.#tails.values()].some(({ source }) => source.begun);
    if (this.finished && lost)
      this.#deps.log.error({ pod: this.name }, "a log is lost: its pod was gone before it was known");
    for (const { source } of this.#tails.values()) await source[Symbol.asyncDispose]();
  }

  async #look(): Promise<void> {
    if (this.done) {
      this.#closeWatchers(); // nothing more will come; the periodic look is enough
      return;
    }
    this.#watch(this.#folder, () => this.look());
    // Asked first: whoever ended has all folders by then.
    const complete = this.#goneSince !== undefined || (await this.#deps.resolver.isComplete(this.#folder));
    const entries = (await unlessMissing(readdir(this.#folder, { withFileTypes: true }))) ?? [];
    for (const entry of entries) if (entry.isDirectory()) this.#tailOf(entry.name);
    this.#complete ||= complete;
    for (const { source } of this.#tails.values()) source.wake(true);
    if (this.#pod !== undefined) return;
    this.#pod = await this.#deps.resolver.resolve(this.#folder);
    if (this.#pod === "foreign") await this.#leave();
    else if (this.#pod !== undefined) for (const { source } of this.#tails.values()) source.wake(false);
  }

  async #leave(): Promise<void> {
    this.#closeWatchers();
    for (const { source } of this.#tails.values()) await source[Symbol.asyncDispose]();
    this.#tails.clear();
  }

  #tailOf(container: string): void {
    const role = this.#deps.resolver.roleOf(container);
    if (role === "other") return;
    const folder = join(this.#folder, container);
    const tail = this.#tails.get(container) ?? this.#newTail(role, container, folder);
    if (!tail.source.done) this.#watch(folder, (type) => tail.source.wake(type === "rename"));
  }

  #newTail(role: Tail["role"], container: string, folder: string): Tail {
    const { resolver, ...deps } = this.#deps;
    let complete = false;
    const source = new SourceTail({
      ...deps,
      container,
      folder,
      key: `${this.name}/${container}`,
      rememberPod: resolver.forgetful,
      access: () => this.#accessTo(role),
      isComplete: async () => {
        complete ||= this.#complete || (await resolver.isComplete(this.#folder, container));
        return complete;
      },
    });
    const tail: Tail = { role, source };
    this.#tails.set(container, tail);
    return tail;
  }

  /** W3; as long as nothing is settled the answer is to wait. */
  #accessTo(role: Tail["role"]): Access {
    if (this.#pod === undefined || this.#pod === "foreign") return { kind: "wait" };
    const nodes = [...this.#tails.values()].filter((tail) => tail.role === "node");
    const begun = nodes.some(({ source }) => source.begun);
    const prepared = this.#tails.size > nodes.length;
    if (role === "node")
      return begun || !prepared || !this.#complete ? { kind: "ship", pod: this.#pod } : { kind: "leave" };
    if (begun) return { kind: "leave" };
    return this.#complete ? { kind: "ship", pod: this.#pod } : { kind: "wait" };
  }

  /** Where the system has no watches left, the periodic look does the work. */
  #watch(folder: string, listener: (type: string) => void): void {
    if (this.#watchers.has(folder) || this.#closed || this.#goneSince !== undefined) return;
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
