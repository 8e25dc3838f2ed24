/**
 * Notices that the LOG stream was wiped, or restored from an older state: what it had acknowledged may be gone, and only
 * the files still have it (I8).
 *
 * G1 In doubt (at start, after a reconnect, after a sequence that went back) the stream is asked. G2 "Known" is what the
 * checkpoint says: when the stream was made and the highest sequence it acknowledged, written together with the
 * positions. G3 Going back is safe at any time: the store cuts by position what it has already.
 */
import { STREAMS } from "@aiep/contracts";
import type { Bus, Logger } from "@aiep/service-kit";
import type { Checkpoint } from "./checkpoint.ts";

export interface StreamGuardDeps {
  readonly bus: Bus;
  readonly checkpoint: Checkpoint;
  readonly log: Logger;
  /** Something is in doubt: `check` is wanted. */
  readonly doubted: () => void;
  /** Sources have to be shipped again; the checkpoint says so already. */
  readonly rewind: () => void;
}

export class StreamGuard implements Disposable {
  readonly #deps: StreamGuardDeps;
  readonly #stopListening: () => void;
  #doubts = 1;

  constructor(deps: StreamGuardDeps) {
    this.#deps = deps;
    this.#stopListening = deps.bus.onStatus((status) => {
      if (status === "connected") this.#doubt();
    });
  }

  get doubtful(): boolean {
    return this.#doubts > 0;
  }

  /** A batch was acknowledged; a stream's sequences only grow, so a lower one is another stream's. */
  acknowledged(seq: number, duplicate: boolean): void {
    const known = this.#deps.checkpoint.stream;
    if (known === undefined) return;
    if (seq > known.acked_seq) this.#deps.checkpoint.setStream({ ...known, acked_seq: seq });
    else if (!duplicate) this.#doubt();
  }

  /** Throws when the bus cannot tell. */
  async check(): Promise<void> {
    const { bus, checkpoint, log } = this.#deps;
    const doubts = this.#doubts;
    const known = checkpoint.stream;
    const { created, state } = await bus.jsm.streams.info(STREAMS.LOG.name);
    const lost =
      known === undefined
        ? checkpoint.keys().length > 0 // shipped to a stream that was never asked for its name
        : known.created !== created || state.last_seq < known.acked_seq;
    if (lost) {
      checkpoint.rewind({ created, acked_seq: 0 });
      this.#deps.rewind(); // at once: no mark may come between
      log.error(
        { created, last_seq: state.last_seq, known },
        "the log stream is new or went back: logs are shipped again",
      );
    } else if (known === undefined) checkpoint.setStream({ created, acked_seq: 0 });
    this.#doubts -= doubts;
  }

  [Symbol.dispose](): void {
    this.#stopListening();
  }

  #doubt(): void {
    this.#doubts += 1;
    this.#deps.doubted();
  }
}
