/** Open event streams: how many each user has, and how to end them all when the server stops its intake. */
import { AiepError } from "@aiep/contracts";

export class StreamRegistry {
  readonly #perUser: number;
  readonly #open = new Map<string, Set<() => void>>();
  #accepting = true;

  constructor(perUser: number) {
    this.#perUser = perUser;
  }

  /** Throws TOO_MANY_STREAMS or SHUTTING_DOWN. Returns how to sign off. */
  add(user: string, end: () => void): () => void {
    if (!this.#accepting) throw new AiepError("SHUTTING_DOWN", "This instance is shutting down.");
    const mine = this.#open.get(user) ?? new Set();
    if (mine.size >= this.#perUser) {
      throw new AiepError("TOO_MANY_STREAMS", `You have ${mine.size} live streams open, the most allowed.`, {
        retryAfterSeconds: 5,
      });
    }
    mine.add(end);
    this.#open.set(user, mine);
    return () => {
      mine.delete(end);
      if (mine.size === 0) this.#open.delete(user);
    };
  }

  /** Refuses new streams and ends the open ones; their readers resume at another instance. */
  close(): void {
    this.#accepting = false;
    for (const ends of this.#open.values()) for (const end of [...ends]) end();
  }
}
