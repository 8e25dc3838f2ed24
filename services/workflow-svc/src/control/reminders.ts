/** One timer for all runs: the moments at which each wants to be called, the earliest first. */
import { Heap } from "../domain/engine/heap.ts";

interface Reminder<Id> {
  readonly id: Id;
  readonly at: number;
}

/** setTimeout takes no more. */
const LONGEST_MS = 2 ** 31 - 1;

export class Reminders<Id> {
  readonly #now: () => number;
  readonly #due: (id: Id) => void;
  readonly #heap = new Heap<Reminder<Id>>((a, b) => a.at < b.at);
  /** The one that counts for each; others in the heap are passed over. */
  readonly #wanted = new Map<Id, number>();
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(now: () => number, due: (id: Id) => void) {
    this.#now = now;
    this.#due = due;
  }

  /** Replaces what was wanted before. */
  set(id: Id, at: number | null): void {
    if (at === null) {
      this.#wanted.delete(id);
      return;
    }
    if (this.#wanted.get(id) === at) return;
    this.#wanted.set(id, at);
    this.#heap.push({ id, at });
    this.#arm();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#wanted.clear();
  }

  #arm(): void {
    const next = this.#next();
    if (next === undefined || (next.at >= this.#timerAt && this.#timer !== undefined)) return;
    clearTimeout(this.#timer);
    this.#timerAt = next.at;
    const ms = Math.min(LONGEST_MS, Math.max(0, next.at - this.#now()));
    this.#timer = setTimeout(() => this.#ring(), ms);
    this.#timer.unref();
  }

  #ring(): void {
    this.#timer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = this.#now();
    for (let next = this.#next(); next !== undefined && next.at <= now; next = this.#next()) {
      this.#heap.pop();
      this.#wanted.delete(next.id);
      this.#due(next.id);
    }
    this.#arm();
  }

  #next(): Reminder<Id> | undefined {
    for (let top = this.#heap.peek(); top !== undefined; top = this.#heap.peek()) {
      if (this.#wanted.get(top.id) === top.at) return top;
      this.#heap.pop();
    }
    return undefined;
  }
}
