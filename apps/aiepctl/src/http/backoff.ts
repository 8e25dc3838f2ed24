/** Pauses between attempts: a floor, a cap, jitter; reset by the caller once something really worked. */
import { setTimeout as sleep } from "node:timers/promises";

const FLOOR_MS = 200;
const CAP_MS = 5_000;

export class Backoff {
  #attempt = 0;

  get attempt(): number {
    return this.#attempt;
  }

  reset(): void {
    this.#attempt = 0;
  }

  next(atLeastMs = 0): number {
    const full = Math.min(CAP_MS, FLOOR_MS * 2 ** this.#attempt++);
    return Math.max(atLeastMs, full / 2 + (Math.random() * full) / 2);
  }
}

export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch(() => signal.throwIfAborted());
}
