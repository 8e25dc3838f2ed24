/**
 * Heartbeats while callers can reach us: the lease of a wait does not run while nobody could have renewed it (lease-watch). A
 * failure of the database stops them, and rightly: then no wait can be answered either.
 */
import { type Logger, pause } from "@aiep/service-kit";
import type { PresenceStore } from "../store/presence.ts";

export interface PresenceDeps {
  readonly presence: PresenceStore;
  readonly log: Logger;
  /** Default 5 s. */
  readonly everyMs?: number;
}

/** Returns how to stop. To be started when callers are let in, and stopped before they no longer are. */
export function startPresence({ presence, log, everyMs = 5_000 }: PresenceDeps): () => Promise<void> {
  const stop = new AbortController();
  const running = (async () => {
    while (!stop.signal.aborted) {
      // One heartbeat may be late; the second one missing is a gap.
      await presence
        .beat(everyMs * 2)
        .catch((err: unknown) =>
          log.warn({ err }, "no heartbeat of our presence; the leases of waits stand still"),
        );
      await pause(everyMs, stop.signal);
    }
  })();
  return async () => {
    stop.abort();
    await running;
  };
}
