/** Stored answers of Idempotency-Keys go by age. Every replica may do it: deleting twice deletes once. */
import { type Idempotency, type Logger, pause } from "@aiep/service-kit";

const EVERY_MS = 60_000;

/** Starts at once. Returns how to stop, which waits for a purge under way. */
export function purgeSometimes(
  idempotency: Pick<Idempotency, "purge">,
  olderThanMs: number,
  log: Pick<Logger, "warn">,
  everyMs = EVERY_MS,
): () => Promise<void> {
  const stop = new AbortController();
  const running = (async () => {
    while (!stop.signal.aborted) {
      await idempotency
        .purge(olderThanMs)
        .catch((err: unknown) => log.warn({ err }, "old answers could not be purged; tried again soon"));
      await pause(everyMs, stop.signal);
    }
  })();
  return async () => {
    stop.abort();
    await running;
  };
}
