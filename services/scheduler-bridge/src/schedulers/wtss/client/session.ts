/**
 * The session of one account, shared by all callers: logged in when first needed, once for all who need it at the same moment,
 * and again after somebody found it expired. Never logs out: the server gives one session to all clients of an account.
 */
export interface HeldSession {
  readonly id: string;
}

export class Session {
  readonly #logIn: () => Promise<string>;
  #coming: Promise<HeldSession> | undefined;
  #held: HeldSession | undefined;

  /** `logIn` has a bound of its own: a caller who leaves takes no other's login along. */
  constructor(logIn: () => Promise<string>) {
    this.#logIn = logIn;
  }

  /** Throws what the login threw, or the signal's reason. */
  async get(signal: AbortSignal): Promise<HeldSession> {
    signal.throwIfAborted();
    this.#coming ??= this.#begin();
    return await unlessAborted(this.#coming, signal);
  }

  /** Found expired; nothing happens when there is a newer one already. */
  drop(expired: HeldSession): void {
    if (this.#held !== expired) return;
    this.#held = undefined;
    this.#coming = undefined;
  }

  async #begin(): Promise<HeldSession> {
    try {
      const id = await this.#logIn();
      this.#held = { id };
      return this.#held;
    } catch (error) {
      this.#coming = undefined;
      throw error;
    }
  }
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
