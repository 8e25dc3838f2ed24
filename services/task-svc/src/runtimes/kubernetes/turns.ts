/** Work on one workload at a time, in the order in which it was asked for (K1). */
export class Turns {
  /** Per key, the end of the last piece of work. */
  readonly #last = new Map<string, Promise<unknown>>();

  async take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const turn = before.catch(() => undefined).then(work);
    this.#last.set(key, turn);
    try {
      return await turn;
    } finally {
      if (this.#last.get(key) === turn) this.#last.delete(key);
    }
  }

  isTaken(key: string): boolean {
    return this.#last.has(key);
  }

  async idle(): Promise<void> {
    await Promise.allSettled([...this.#last.values()]);
  }
}
