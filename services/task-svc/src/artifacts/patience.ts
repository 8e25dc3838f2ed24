/**
 * How long a store of directories that does not answer is waited for: together some ten minutes, as pods do that send what
 * they leave. One that is restarted or moved is back by then.
 */
import { backoffMs, pause } from "@aiep/service-kit";

const PATIENCE_MS = 600_000;
const BACKOFF = { floorMs: 500, capMs: 30_000 };

export class Patience {
  readonly #until: number;
  #failures = 0;

  constructor(patienceMs = PATIENCE_MS) {
    this.#until = Date.now() + patienceMs;
  }

  /** The try that comes now is the last. */
  get isOver(): boolean {
    return Date.now() >= this.#until;
  }

  /** Returns early when the signal aborts. */
  async wait(signal: AbortSignal): Promise<void> {
    this.#failures += 1;
    await pause(backoffMs(this.#failures, BACKOFF), signal);
  }
}
