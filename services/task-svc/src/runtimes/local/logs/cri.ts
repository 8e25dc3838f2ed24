/**
 * Raw output bytes to CRI log lines (`<time> <stdout|stderr> <P|F> <bytes>\n`), the form a kubelet's container runtime
 * writes (D14, D17). Pure, and a function of the bytes alone: the same slice, time and close flag always give the same
 * bytes, which is what lets a converter that died repeat its last block (see converter.ts).
 *
 * C1 every byte but the newline itself is kept: binary, `\r`, empty lines.
 * C2 a line longer than MAX_LINE_BYTES becomes pieces of exactly that size marked P and a rest marked F.
 * C3 bytes after the last newline wait for more, until `close` says that there will be none.
 */
import { MAX_LINE_BYTES } from "@aiep/contracts";

export const LOG_STREAMS = ["stdout", "stderr"] as const;
export type LogStream = (typeof LOG_STREAMS)[number];

export interface CriBlock {
  /** Bytes of the input that are in `cri`; the rest is to be offered again with what follows it. */
  readonly consumed: number;
  readonly cri: Buffer;
}

export interface CriHeader {
  readonly stream: LogStream;
  /** RFC 3339 in UTC, up to nine fractional digits. */
  readonly time: string;
}

const NEWLINE = 10;

export function toCri(raw: Buffer, header: CriHeader, close: boolean): CriBlock {
  const full = Buffer.from(`${header.time} ${header.stream} F `, "latin1");
  const partial = Buffer.from(`${header.time} ${header.stream} P `, "latin1");
  const out = new Growing(raw.length * 2 + 4096);
  let at = 0;
  for (;;) {
    const newline = raw.indexOf(NEWLINE, at);
    const lineEnd = newline === -1 ? raw.length : newline;
    while (lineEnd - at >= MAX_LINE_BYTES) {
      out.line(partial, raw, at, at + MAX_LINE_BYTES);
      at += MAX_LINE_BYTES;
    }
    if (newline === -1) break;
    out.line(full, raw, at, newline);
    at = newline + 1;
  }
  if (close) {
    out.line(full, raw, at, raw.length);
    at = raw.length;
  }
  return { consumed: at, cri: out.bytes() };
}

class Growing {
  private buffer: Buffer;
  private length = 0;

  constructor(size: number) {
    this.buffer = Buffer.allocUnsafe(size);
  }

  line(head: Buffer, raw: Buffer, from: number, to: number): void {
    const end = this.length + head.length + (to - from) + 1;
    if (end > this.buffer.length) this.grow(end);
    this.buffer.set(head, this.length);
    raw.copy(this.buffer, this.length + head.length, from, to);
    this.buffer[end - 1] = NEWLINE;
    this.length = end;
  }

  bytes(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  private grow(needed: number): void {
    const larger = Buffer.allocUnsafe(Math.max(needed, this.buffer.length * 2));
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
  }
}
