/** A wake-up that is never lost: `wake()` before `wait()` makes the next `wait()` return at once. */
export class WakeUp {
  #pending = false;
  #resolve: (() => void) | undefined;

  wake(): void {
    this.#pending = true;
    this.#resolve?.();
  }

  /** Returns when woken, after `timeoutMs`, or when the signal aborts. One waiter at a time. */
  async wait(timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (!this.#pending && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          signal.removeEventListener("abort", done);
          this.#resolve = undefined;
          resolve();
        };
        const timer = setTimeout(done, Math.min(timeoutMs, 2 ** 31 - 1));
        signal.addEventListener("abort", done, { once: true });
        this.#resolve = done;
      });
    }
    this.#pending = false;
  }
}

/** Sleeps; wakes early, without an error, when the signal aborts. */
export async function pause(timeoutMs: number, signal: AbortSignal): Promise<void> {
  await new WakeUp().wait(timeoutMs, signal);
}
