/** Waiting for the next change of a task without polling and without missing one. */
import type { TaskId } from "@aiep/contracts";

/** Tells of committed changes, also of other replicas; now and then of one that is none. */
export interface TaskChanges {
  /** Calls the listener soon after each change. Returns how to stop. */
  subscribe(id: TaskId, listener: () => void): () => void;
}

export interface TaskWatch extends Disposable {
  /** True after a change since the last call (at once when it came in between), false when the signal was aborted. */
  changed(): Promise<boolean>;
}

export function watchTask(changes: TaskChanges, id: TaskId, signal: AbortSignal): TaskWatch {
  let pending = false;
  let wake: (() => void) | undefined;
  const unsubscribe = changes.subscribe(id, () => {
    pending = true;
    wake?.();
  });
  const onAbort = () => wake?.();
  signal.addEventListener("abort", onAbort);
  return {
    changed: async () => {
      if (!pending && !signal.aborted) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        wake = undefined;
      }
      const seen = pending;
      pending = false;
      return seen && !signal.aborted;
    },
    [Symbol.dispose]: () => {
      unsubscribe();
      signal.removeEventListener("abort", onAbort);
    },
  };
}
