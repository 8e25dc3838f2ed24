/** Waiting for the next change of one thing without polling and without missing one. */
import { WakeUp } from "../async/wait.ts";

/** Tells of committed changes, also of other replicas; now and then of one that is none. */
export interface Changes<Id extends string> {
  /** Calls the listener soon after each change. Returns how to stop. */
  subscribe(id: Id, listener: () => void): () => void;
}

export interface Watch extends Disposable {
  /**
   * True when it is time to look again: after a change since the last call (at once when it came in between), or after a
   * while without one, should the message of another replica have been lost. False when the signal was aborted.
   */
  changed(): Promise<boolean>;
}

const LOOK_AGAIN_MS = 15_000;

export function watchChanges<Id extends string>(
  changes: Changes<Id>,
  id: Id,
  signal: AbortSignal,
  { lookAgainMs = LOOK_AGAIN_MS }: { readonly lookAgainMs?: number } = {},
): Watch {
  const change = new WakeUp();
  const unsubscribe = changes.subscribe(id, () => change.wake());
  return {
    changed: async () => {
      await change.wait(lookAgainMs, signal);
      return !signal.aborted;
    },
    [Symbol.dispose]: unsubscribe,
  };
}
