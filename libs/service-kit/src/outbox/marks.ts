/**
 * Rows that are on the bus, marked as such in the table: gathered, since a mark is a commit and nobody waits for it. What a
 * crash leaves unmarked is published again and known to the stream by its id.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { WakeUp } from "../async/wait.ts";
import type { Failpoints } from "../failpoints/failpoints.ts";
import type { Logger } from "../logging/logger.ts";
import type { OutboxStore } from "./outbox-store.ts";

interface Acked {
  readonly id: number;
  readonly stream: string;
  /** 0: of a message that the stream had already. */
  readonly seq: number;
}

export interface MarksDeps {
  readonly store: Pick<OutboxStore, "markPublished">;
  readonly failpoints: Failpoints;
  readonly log: Logger;
  /** These are marked, or were not and go out again. Must not throw. */
  readonly settled: (ids: readonly number[]) => void;
}

/** So many are marked at once, fewer after so long. */
const ENOUGH = 100;
const GATHER_MS = 50;
const MOST_AT_ONCE = 1_000;
const NEVER = new AbortController().signal;

export class Marks {
  readonly #deps: MarksDeps;
  readonly #hurry = new WakeUp();
  #acked: Acked[] = [];
  #marking: Promise<void> | undefined;

  constructor(deps: MarksDeps) {
    this.#deps = deps;
  }

  add(acked: Acked): void {
    this.#acked.push(acked);
    if (this.#acked.length >= ENOUGH) this.hurry();
    this.#marking ??= this.#markAll().finally(() => {
      this.#marking = undefined;
    });
  }

  /** Somebody waits for them. */
  hurry(): void {
    this.#hurry.wake();
  }

  async flush(): Promise<void> {
    while (this.#marking !== undefined) {
      this.hurry();
      await this.#marking;
    }
  }

  /** One statement at a time; what is acknowledged meanwhile goes with the next one. */
  async #markAll(): Promise<void> {
    while (this.#acked.length > 0) {
      if (this.#acked.length < ENOUGH) await this.#hurry.wait(GATHER_MS, NEVER);
      await this.#mark(this.#acked.splice(0, MOST_AT_ONCE));
    }
  }

  async #mark(acked: readonly Acked[]): Promise<void> {
    const { store, failpoints, log, settled } = this.#deps;
    const sequences = new Map<string, number>();
    for (const { stream, seq } of acked) sequences.set(stream, Math.max(seq, sequences.get(stream) ?? 0));
    const ids = acked.map(({ id }) => id);
    try {
      await failpoints.hit("outbox.published-not-marked");
      await store.markPublished(ids, sequences);
      settled(ids);
    } catch (error) {
      log.warn({ err: error, rows: ids.length }, "published events not marked; they go out again");
      settled(ids);
      await sleep(100);
    }
  }
}
