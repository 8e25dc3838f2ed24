/**
 * Puts the batches of one source back into one sequence of bytes (I8), whatever way they arrive: twice, overlapping,
 * out of order, with other boundaries after a restart of the agent. Positions are exact, so overlap is cut exactly.
 *
 * A1 `next` never goes back; every byte below it was handed out once or is part of one gap.
 * A2 Bytes above a hole wait until the hole is filled or `giveUp` declares it lost.
 * A3 What waits is bounded; a piece refused for that reason comes again, because nobody acknowledges it.
 */
interface BytesSegment {
  readonly kind: "bytes";
  readonly position: number;
  readonly bytes: Buffer;
}

interface GapSegment {
  readonly kind: "gap";
  readonly position: number;
  readonly length: number;
}

export type Segment = BytesSegment | GapSegment;

export const segmentEnd = (segment: Segment): number =>
  segment.position + (segment.kind === "bytes" ? segment.bytes.length : segment.length);

/** `Receipt` is what the caller settles once the piece's bytes are safe, e.g. the message to acknowledge. */
export interface Piece<Receipt> {
  readonly position: number;
  readonly bytes: Buffer;
  /** The source ends at the end of this piece. */
  readonly final: boolean;
  readonly receipt: Receipt;
}

export interface Taken<Receipt> {
  readonly segments: readonly Segment[];
  /** Pieces that are wholly below `next` now. */
  readonly receipts: readonly Receipt[];
}

export type Offer<Receipt> =
  | ({ readonly kind: "taken" } & Taken<Receipt>)
  | { readonly kind: "waiting" | "refused" };

export class Assembly<Receipt> {
  #next: number;
  #complete: boolean;
  #waiting: Piece<Receipt>[] = [];
  #waitingBytes = 0;
  readonly #maxWaitingBytes: number;

  constructor(start: { next: number; complete: boolean }, maxWaitingBytes: number) {
    this.#next = start.next;
    this.#complete = start.complete;
    this.#maxWaitingBytes = maxWaitingBytes;
  }

  get next(): number {
    return this.#next;
  }

  get complete(): boolean {
    return this.#complete;
  }

  /** True while a hole keeps later bytes back. */
  get blocked(): boolean {
    return this.#waiting.length > 0;
  }

  offer(piece: Piece<Receipt>): Offer<Receipt> {
    if (piece.position > this.#next) return this.#keep(piece);
    const taken = { segments: [] as Segment[], receipts: [] as Receipt[] };
    this.#take(piece, taken);
    this.#takeWaiting(taken);
    return { kind: "taken", ...taken };
  }

  /** The hole before the first waiting piece will not be filled: marks it as a gap and goes on. */
  giveUp(): Taken<Receipt> {
    const taken = { segments: [] as Segment[], receipts: [] as Receipt[] };
    const first = this.#waiting[0];
    if (first === undefined) return taken;
    taken.segments.push({ kind: "gap", position: this.#next, length: first.position - this.#next });
    this.#next = first.position;
    this.#takeWaiting(taken);
    return taken;
  }

  /** What waits is forgotten; nobody acknowledged it. */
  receiptsOfWaiting(): readonly Receipt[] {
    return this.#waiting.map((piece) => piece.receipt);
  }

  #keep(piece: Piece<Receipt>): Offer<Receipt> {
    if (this.#waitingBytes + piece.bytes.length > this.#maxWaitingBytes) return { kind: "refused" };
    const at = this.#waiting.findIndex((other) => other.position > piece.position);
    this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, piece);
    this.#waitingBytes += piece.bytes.length;
    return { kind: "waiting" };
  }

  #takeWaiting(taken: { segments: Segment[]; receipts: Receipt[] }): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (first.position > this.#next) return;
      this.#waiting.shift();
      this.#waitingBytes -= first.bytes.length;
      this.#take(first, taken);
    }
  }

  #take(piece: Piece<Receipt>, taken: { segments: Segment[]; receipts: Receipt[] }): void {
    const fresh = piece.bytes.subarray(Math.min(this.#next - piece.position, piece.bytes.length));
    if (fresh.length > 0) taken.segments.push({ kind: "bytes", position: this.#next, bytes: fresh });
    this.#next += fresh.length;
    if (piece.final && piece.position + piece.bytes.length === this.#next) this.#complete = true;
    taken.receipts.push(piece.receipt);
  }
}
