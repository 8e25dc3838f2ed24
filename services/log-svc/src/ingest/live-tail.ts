/**
 * What readers see of the store's memory: bytes that are not in the index yet, and a call when there is more.
 * Written by the ingest of the same process only.
 */
import type { TaskId } from "@aiep/contracts";
import type { Segment } from "../domain/assembly.ts";

/** `bytes`: a source goes on. `sources`: there is a new source, or one is complete, or the task itself changed. */
export type LiveChange = "bytes" | "sources";

export interface HeldSource {
  heldFrom(position: number): readonly Segment[];
  readonly complete: boolean;
  readonly next: number;
}

export class LiveTail {
  readonly #held = new Map<number, HeldSource>();
  readonly #listeners = new Map<TaskId, Set<(change: LiveChange) => void>>();

  add(sourceId: number, held: HeldSource): void {
    this.#held.set(sourceId, held);
  }

  remove(sourceId: number): void {
    this.#held.delete(sourceId);
  }

  /** Undefined when the store holds nothing of this source just now. */
  source(sourceId: number): HeldSource | undefined {
    return this.#held.get(sourceId);
  }

  changed(taskId: TaskId, change: LiveChange): void {
    const listeners = this.#listeners.get(taskId);
    if (listeners !== undefined) for (const listener of listeners) listener(change);
  }

  /** Returns how to stop listening. */
  listen(taskId: TaskId, listener: (change: LiveChange) => void): () => void {
    const listeners = this.#listeners.get(taskId) ?? new Set();
    this.#listeners.set(taskId, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#listeners.delete(taskId);
    };
  }
}
