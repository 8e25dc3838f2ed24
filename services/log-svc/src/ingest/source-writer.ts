/**
 * One source on its way into the store: what is stored, what is being stored, what waits in memory.
 *
 *   [0 … stored) in the index · [stored … flushing) in a running flush · [… assembly.next) held · beyond: waiting for a hole
 *
 * W1 A receipt (message) is released only when all its bytes are in the index.
 * W2 Readers find every byte below `assembly.next` either in the index or here.
 */
import { Assembly, type Piece, type Segment, segmentEnd } from "../domain/assembly.ts";
import type { SourceRow } from "../store/log-index.ts";

/** What one flush takes of this source. */
export interface FlushUnit<Receipt> {
  readonly writer: SourceWriter<Receipt>;
  readonly from: number;
  readonly to: number;
  readonly complete: boolean;
  readonly segments: readonly Segment[];
  readonly receipts: readonly Receipt[];
}

export type Accepted = "stored" | "held" | "waiting" | "refused";

/** Holes are filled by redelivery; what has to wait for that is bounded per source. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

export class SourceWriter<Receipt> {
  readonly row: SourceRow;
  readonly #assembly: Assembly<Receipt>;
  /** Bytes and gaps not yet in the index, in order; the first ones may be in a running flush. */
  #held: Segment[] = [];
  #receipts: Receipt[] = [];
  #stored: number;
  #storedComplete: boolean;
  #flushingTo: number;
  #heldBytes = 0;
  /** When the oldest byte that no flush has taken came in. */
  dirtySince: number | undefined;
  /** Since when a hole keeps bytes back. */
  blockedSince: number | undefined;
  lastUsed = 0;

  constructor(row: SourceRow) {
    this.row = row;
    this.#stored = row.nextPosition;
    this.#flushingTo = row.nextPosition;
    this.#storedComplete = row.complete;
    this.#assembly = new Assembly({ next: row.nextPosition, complete: row.complete }, MAX_WAITING_BYTES);
  }

  get stored(): number {
    return this.#stored;
  }

  get next(): number {
    return this.#assembly.next;
  }

  get complete(): boolean {
    return this.#assembly.complete;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Receipts that no flush has taken. */
  get unsettled(): number {
    return this.#receipts.length;
  }

  get unflushedBytes(): number {
    return this.next - this.#flushingTo;
  }

  /** Nothing in memory that is not in the index. */
  get idle(): boolean {
    return this.dirtySince === undefined && this.#held.length === 0 && !this.#assembly.blocked;
  }

  accept(piece: Piece<Receipt>, now: number): Accepted {
    this.lastUsed = now;
    const end = piece.position + piece.bytes.length;
    if (end <= this.#stored && (!piece.final || this.#storedComplete || end < this.next)) return "stored";
    const offer = this.#assembly.offer(piece);
    if (offer.kind !== "taken") {
      if (offer.kind === "waiting") this.blockedSince ??= now;
      return offer.kind;
    }
    this.#hold(offer.segments, offer.receipts, now);
    return "held";
  }

  /** The hole is lost; true when there was one. */
  giveUpHole(now: number): boolean {
    const taken = this.#assembly.giveUp();
    this.#hold(taken.segments, taken.receipts, now);
    return taken.segments.length > 0;
  }

  takeFlush(): FlushUnit<Receipt> {
    const from = this.#flushingTo;
    const unit: FlushUnit<Receipt> = {
      writer: this,
      from,
      to: this.next,
      complete: this.complete,
      segments: this.#held.filter((segment) => segment.position >= from),
      receipts: this.#receipts,
    };
    this.#flushingTo = this.next;
    this.#receipts = [];
    this.dirtySince = undefined;
    return unit;
  }

  flushed(unit: FlushUnit<Receipt>): void {
    this.#stored = unit.to;
    this.#storedComplete ||= unit.complete;
    this.#held = this.#held.filter((segment) => segment.position >= unit.to);
    this.#heldBytes = sumBytes(this.#held);
  }

  /** The flush failed and changed nothing: it will be taken again. */
  putBack(unit: FlushUnit<Receipt>, now: number): void {
    this.#flushingTo = unit.from;
    this.#receipts = [...unit.receipts, ...this.#receipts];
    this.dirtySince = now;
  }

  /** Everything nobody acknowledged, when this writer is thrown away. */
  abandon(): readonly Receipt[] {
    return [...this.#receipts, ...this.#assembly.receiptsOfWaiting()];
  }

  /** What is in memory from `position` on, in order (W2). */
  heldFrom(position: number): readonly Segment[] {
    return this.#held.filter((segment) => segmentEnd(segment) > position);
  }

  #hold(segments: readonly Segment[], receipts: readonly Receipt[], now: number): void {
    this.#held.push(...segments);
    this.#heldBytes += sumBytes(segments);
    this.#receipts.push(...receipts);
    if (segments.length > 0 || receipts.length > 0) this.dirtySince ??= now;
    this.blockedSince = this.#assembly.blocked ? now : undefined;
  }
}

const sumBytes = (segments: readonly Segment[]): number =>
  segments.reduce((sum, segment) => sum + (segment.kind === "bytes" ? segment.bytes.length : 0), 0);
