/**
 * Turns the bytes of one source into what readers see: lines, pieces of long lines, gaps.
 *
 * R1 Every byte of the source belongs to exactly one entry; `after` of an entry is where reading resumes (I8).
 * R2 Memory is one segment and one unfinished line; an unfinished line longer than MAX_UNFINISHED is shown as it is.
 * R3 A character that the runtime split between two pieces of a line is shown whole, with the later piece.
 */
import { type LogItem, MAX_LINE_BYTES, type NodeName, PLATFORM_LINE_PREFIX } from "@aiep/contracts";
import { type Segment, segmentEnd } from "./assembly.ts";
import { type CriLine, type CriStream, parseCriLine } from "./cri.ts";
import type { Place } from "./cursor.ts";
import type { Head } from "./merge.ts";
import { utf8Cut } from "./utf8.ts";

export type GapReason = "lost" | "expired";
export type ReadSegment = Segment & { readonly reason?: GapReason };

export interface LogEntry extends Head {
  readonly item: LogItem;
  /** Number of the source, and where it goes on after this entry. */
  readonly source: number;
  readonly after: Place;
}

const NEWLINE = 0x0a;
const MAX_UNFINISHED = 1024 * 1024;
const NO_BYTES = Buffer.alloc(0);
const UNKNOWN_TIME = { time: "1970-01-01T00:00:00Z", timeKey: "1970-01-01T00:00:00.000000000Z" } as const;

export class LineReader {
  readonly #source: number;
  readonly #node: NodeName;
  #bytes: Buffer = NO_BYTES;
  /** Position in the source of `#bytes[#at]`. */
  #position: number;
  #at = 0;
  #skipPieces: number;
  #ended = false;
  #queue: LogEntry[] = [];
  #lastTime: { readonly time: string; readonly timeKey: string } = UNKNOWN_TIME;
  readonly #splitCharacter: Record<CriStream, Buffer> = { stdout: NO_BYTES, stderr: NO_BYTES };

  constructor(at: { source: number; node: NodeName; place: Place }) {
    this.#source = at.source;
    this.#node = at.node;
    this.#position = at.place.position;
    this.#skipPieces = at.place.piece;
  }

  /** Where the next segment has to start. */
  get wanted(): number {
    return this.#position + this.#bytes.length - this.#at;
  }

  /** True when the source is complete and everything was read. */
  get exhausted(): boolean {
    return this.#ended && this.#queue.length === 0 && this.#at >= this.#bytes.length;
  }

  push(segment: ReadSegment): void {
    const { wanted } = this;
    if (segment.position > wanted || segmentEnd(segment) <= wanted)
      throw new RangeError(`segment ${segment.position}–${segmentEnd(segment)} does not continue ${wanted}`);
    if (segment.kind === "gap") {
      this.#drain(true);
      this.#pushGap(segmentEnd(segment) - wanted, segment.reason ?? "lost");
      return;
    }
    const fresh = segment.bytes.subarray(wanted - segment.position);
    const rest = this.#bytes.subarray(this.#at);
    this.#bytes = rest.length === 0 ? fresh : Buffer.concat([rest, fresh]);
    this.#at = 0;
  }

  /** Leaves a segment out; false when a line has begun before it, which only it can finish. */
  skip(segment: Pick<ReadSegment, "position">, end: number): boolean {
    if (this.#at < this.#bytes.length || segment.position > this.wanted) return false;
    this.#position = end;
    this.#bytes = NO_BYTES;
    this.#at = 0;
    this.#skipPieces = 0;
    return true;
  }

  /** The source is complete: what is left without a newline is a line too. */
  end(): void {
    this.#ended = true;
  }

  next(): LogEntry | undefined {
    const queued = this.#queue.shift();
    if (queued !== undefined) return queued;
    this.#readLine(this.#ended);
    return this.#queue.shift();
  }

  /** Reads all whole lines, and the unfinished one, into the queue: only before a gap. */
  #drain(unfinishedToo: boolean): void {
    while (this.#readLine(unfinishedToo));
  }

  #readLine(unfinishedToo: boolean): boolean {
    const start = this.#at;
    const left = this.#bytes.length - start;
    if (left === 0) return false;
    const newline = this.#bytes.indexOf(NEWLINE, start);
    if (newline < 0 && !unfinishedToo && left < MAX_UNFINISHED) return false;
    const end = newline < 0 ? this.#bytes.length : newline;
    const lineEnd = newline < 0 ? end : newline + 1;
    const place: Place = { position: this.#position, piece: 0 };
    this.#at = lineEnd;
    this.#position += lineEnd - start;
    this.#queueLine(start, end, place);
    return true;
  }

  #queueLine(start: number, end: number, place: Place): void {
    const parsed = parseCriLine(this.#bytes, start, end);
    const line: CriLine = parsed ?? {
      ...this.#lastTime,
      stream: "stdout",
      partial: false,
      contentStart: start,
    };
    if (parsed !== undefined) this.#lastTime = { time: line.time, timeKey: line.timeKey };

    const content = this.#withSplitCharacter(line, end);
    let from = 0;
    for (let piece = 1; ; piece += 1) {
      const last = content.length - from <= MAX_LINE_BYTES;
      const to = last ? content.length : utf8Cut(content, from, from + MAX_LINE_BYTES);
      const after = last ? { position: this.#position, piece: 0 } : { position: place.position, piece };
      if (this.#skipPieces > 0) this.#skipPieces -= 1;
      else this.#queueItem(line, content.toString("utf8", from, to), !last || line.partial, after);
      if (last) break;
      from = to;
    }
    this.#skipPieces = 0;
  }

  /** Content of the record; a character split by the runtime is held back for the next piece (R3). */
  #withSplitCharacter(line: CriLine, end: number): Buffer {
    const held = this.#splitCharacter[line.stream];
    const own = this.#bytes.subarray(line.contentStart, end);
    const content = held.length === 0 ? own : Buffer.concat([held, own]);
    const cut = line.partial ? utf8Cut(content, 0, content.length) : content.length;
    this.#splitCharacter[line.stream] =
      cut === content.length ? NO_BYTES : Buffer.from(content.subarray(cut));
    return content.subarray(0, cut);
  }

  #queueItem(line: CriLine, text: string, partial: boolean, after: Place): void {
    this.#queue.push({
      timeKey: line.timeKey,
      goesOn: partial,
      source: this.#source,
      after,
      item: {
        kind: "line",
        node: this.#node,
        time: line.time,
        stream: line.stream,
        source: text.startsWith(PLATFORM_LINE_PREFIX) ? "platform" : "user",
        text,
        partial,
      },
    });
  }

  #pushGap(missing: number, reason: GapReason): void {
    this.#position += missing;
    this.#bytes = NO_BYTES;
    this.#at = 0;
    this.#queue.push({
      timeKey: this.#lastTime.timeKey,
      goesOn: false,
      source: this.#source,
      after: { position: this.#position, piece: 0 },
      item: { kind: "gap", node: this.#node, missing_bytes: missing, reason },
    });
  }
}
