/**
 * When what is in memory goes into the store. Small chunks cost a file and a row each, so a slow log waits longer than a
 * fast one; readers see its bytes all the same (W2). Pure: knows times and sizes, flushes nothing.
 */
import type { ConsumerDefinition } from "@aiep/contracts";
import { CHUNK_BYTES } from "./chunk-writer.ts";

export interface IngestLimits {
  /** How long bytes worth a chunk stay in memory only, and how many those are. */
  readonly flushMs: number;
  readonly worthwhileBytes: number;
  /** Longest time that any bytes stay in memory only: well below the consumer's ack wait. */
  readonly lazyFlushMs: number;
  /** How long a hole may still be filled. */
  readonly holeMs: number;
  readonly memoryBytes: number;
  readonly trimMs: number;
}

export const defaultLimits = ({ ackWaitSeconds }: ConsumerDefinition): IngestLimits => ({
  flushMs: 1_000,
  worthwhileBytes: 64 * 1024,
  lazyFlushMs: ackWaitSeconds * 500,
  holeMs: ackWaitSeconds * 3_000,
  memoryBytes: 64 * 1024 * 1024,
  trimMs: 5_000,
});

/** The part of a source's writer that decides. */
export interface Flushable {
  readonly dirtySince: number | undefined;
  readonly blockedSince: number | undefined;
  readonly unflushedBytes: number;
  readonly complete: boolean;
}

/** Over all writers. */
export interface InHand {
  readonly heldBytes: number;
  /** Messages that no flush has taken. */
  readonly unsettled: number;
}

export class FlushSchedule {
  readonly #limits: IngestLimits;
  readonly #maxUnsettled: number;

  /** The server hands out `maxAckPending` messages and then waits: at half of them everything is flushed. */
  constructor(limits: IngestLimits, { maxAckPending }: Pick<ConsumerDefinition, "maxAckPending">) {
    this.#limits = limits;
    this.#maxUnsettled = maxAckPending / 2;
  }

  /** How long the writer's oldest byte may wait. */
  patience({ unflushedBytes }: Flushable): number {
    const { flushMs, lazyFlushMs, worthwhileBytes } = this.#limits;
    return unflushedBytes >= worthwhileBytes ? flushMs : Math.max(flushMs, lazyFlushMs);
  }

  isDue(writer: Flushable, inHand: InHand, now: number): boolean {
    if (writer.dirtySince === undefined) return false;
    return (
      writer.complete ||
      writer.unflushedBytes >= CHUNK_BYTES ||
      inHand.unsettled >= this.#maxUnsettled ||
      inHand.heldBytes >= this.#limits.memoryBytes / 2 ||
      now - writer.dirtySince >= this.patience(writer)
    );
  }

  isHoleLost({ blockedSince }: Flushable, now: number): boolean {
    return blockedSince !== undefined && now - blockedSince >= this.#limits.holeMs;
  }

  /** How long nothing of these will be due, if nothing comes. */
  nextDueMs(writers: Iterable<Flushable>, inHand: InHand, now: number): number {
    let due = this.#limits.trimMs;
    for (const writer of writers) {
      if (this.isDue(writer, inHand, now)) return 0;
      if (writer.dirtySince !== undefined)
        due = Math.min(due, writer.dirtySince + this.patience(writer) - now);
      if (writer.blockedSince !== undefined)
        due = Math.min(due, writer.blockedSince + this.#limits.holeMs - now);
    }
    return Math.max(due, 1);
  }
}
