/**
 * Notices that a stream was wiped, or restored from an older state, and gives it its history again (D5).
 *
 * G1 in doubt (at start, after a reconnect, after a failed publish, after a sequence that went back) the stream is asked
 * before anything more is published. G2 "known" is what relay_state says: the stream's creation time and the highest
 * sequence that was acknowledged; both survive a restart of this process. G3 a stream is remembered before anything is
 * published to it, so there is no moment at which its loss would look like its beginning.
 */
import type { Bus } from "../bus/bus.ts";
import type { Logger } from "../logging/logger.ts";
import type { OutboxStore } from "./outbox-store.ts";

export interface StreamGuardDeps {
  readonly store: OutboxStore;
  readonly bus: Bus;
  readonly log: Logger;
}

export class StreamGuard {
  readonly #deps: StreamGuardDeps;
  readonly #highest = new Map<string, number>();
  readonly #known = new Set<string>();
  #doubts = 1;

  constructor(deps: StreamGuardDeps) {
    this.#deps = deps;
  }

  get doubtful(): boolean {
    return this.#doubts > 0;
  }

  doubt(): void {
    this.#doubts += 1;
  }

  /** G3. */
  knows(stream: string): boolean {
    return this.#known.has(stream);
  }

  /** A new message must have a higher sequence than every one before it, up to those on their way beside it. */
  wentBack(stream: string, seq: number): boolean {
    const highest = this.#highest.get(stream) ?? 0;
    if (seq > highest) this.#highest.set(stream, seq);
    if (seq + ON_THEIR_WAY < highest) {
      this.doubt();
      return true;
    }
    return false;
  }

  async check(): Promise<void> {
    const { store, bus, log } = this.#deps;
    const before = this.#doubts;
    const memories = await store.memories();
    for (const stream of await store.streams()) {
      const { created, state } = await bus.jsm.streams.info(stream);
      const memory = memories.get(stream);
      const wentBack = memory?.stream_created !== created || state.last_seq < memory.acked_seq;
      if (wentBack) {
        const rows = await store.republishAll(stream, created); // none of a stream that was never published to
        this.#highest.delete(stream);
        if (rows > 0) {
          log.error(
            { stream, created, rows },
            "the stream is new or went back: its history is published again",
          );
        }
      }
      this.#known.add(stream);
    }
    this.#doubts = Math.max(0, this.#doubts - before);
  }
}

/** More than the relay ever has in flight. */
const ON_THEIR_WAY = 10_000;
