/** Housekeeping beside the service's work: done at once and then now and then; a failure is logged and tried again. */
import type { Logger } from "../logging/logger.ts";
import { pause } from "./wait.ts";

export interface SometimesOptions {
  /** "old answers are purged" */
  readonly what: string;
  readonly everyMs: number;
  readonly log: Pick<Logger, "warn">;
}

/** Returns how to stop, which waits for a run under way. */
export function sometimes(
  run: (signal: AbortSignal) => Promise<void>,
  { what, everyMs, log }: SometimesOptions,
): () => Promise<void> {
  const stop = new AbortController();
  const running = (async () => {
    while (!stop.signal.aborted) {
      await run(stop.signal).catch((err: unknown) => log.warn({ err, what }, `failed, tried again: ${what}`));
      await pause(everyMs, stop.signal);
    }
  })();
  return async () => {
    stop.abort();
    await running;
  };
}
