/**
 * Memory for what is on its way, lent in parts of one size: however many uploads there are, and however large, no more than
 * `parts` of them at a time (O2). A part is its taker's until it is given back.
 */
export class PartPool {
  readonly partBytes: number;
  readonly #parts: number;
  readonly #waiting: ((part: Buffer) => void)[] = [];
  /** Used again while something is uploaded: fresh memory for each part would busy the collector. */
  readonly #idle: Buffer[] = [];
  #lent = 0;
  #mostLent = 0;

  constructor({ partBytes, parts }: { readonly partBytes: number; readonly parts: number }) {
    this.partBytes = partBytes;
    this.#parts = parts;
  }

  /** The most bytes that ever were on their way. */
  get mostBytes(): number {
    return this.#mostLent * this.partBytes;
  }

  /** Waits until there is one, in the order of asking. */
  async take(signal: AbortSignal): Promise<Buffer> {
    signal.throwIfAborted();
    if (this.#lent === this.#parts) return await this.#turn(signal);
    this.#lent += 1;
    this.#mostLent = Math.max(this.#mostLent, this.#lent);
    return this.#idle.pop() ?? Buffer.allocUnsafeSlow(this.partBytes);
  }

  giveBack(part: Buffer): void {
    const next = this.#waiting.shift();
    if (next !== undefined) {
      next(part);
      return;
    }
    this.#lent -= 1;
    this.#idle.push(part);
    if (this.#lent === 0) this.#idle.length = 0; // nobody uploads any more
  }

  async #turn(signal: AbortSignal): Promise<Buffer> {
    return await new Promise<Buffer>((resolve, reject) => {
      const take = (part: Buffer) => {
        signal.removeEventListener("abort", abort);
        resolve(part);
      };
      const abort = () => {
        this.#waiting.splice(this.#waiting.indexOf(take), 1);
        reject(signal.reason);
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#waiting.push(take);
    });
  }
}

/** A part that was filled, and who has to give it back. */
export interface FilledPart {
  readonly memory: Buffer;
  /** Of that memory, what is content. */
  readonly bytes: Buffer;
  readonly last: boolean;
}

/** Content in parts of one size, the last one smaller and perhaps empty. Each part is the receiver's to give back. */
export async function* partsOf(
  content: AsyncIterable<Uint8Array>,
  pool: PartPool,
  signal: AbortSignal,
): AsyncGenerator<FilledPart> {
  let memory = await pool.take(signal);
  let used = 0;
  let mine = true;
  try {
    for await (const piece of content) {
      for (let at = 0; at < piece.length; ) {
        const copied = Math.min(piece.length - at, memory.length - used);
        memory.set(piece.subarray(at, at + copied), used);
        at += copied;
        used += copied;
        if (used < memory.length) continue;
        mine = false;
        yield { memory, bytes: memory, last: false };
        memory = await pool.take(signal);
        mine = true;
        used = 0;
      }
    }
    mine = false;
    yield { memory, bytes: memory.subarray(0, used), last: true };
  } finally {
    if (mine) pool.giveBack(memory);
  }
}
