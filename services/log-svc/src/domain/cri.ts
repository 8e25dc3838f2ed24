/**
 * Reading of CRI log lines: `<RFC 3339 time> <stdout|stderr> <P|F>[:tags] <content>`.
 *
 * Works on bytes; content is whatever the container wrote. A line that is not CRI is never dropped: the caller shows it
 * whole. Times are normalised to UTC, because CRI-O writes local offsets.
 */
export type CriStream = "stdout" | "stderr";

export interface CriLine {
  /** RFC 3339 in UTC, with the digits the runtime wrote. */
  readonly time: string;
  /** The same instant with exactly nine fractional digits: sorts as text. */
  readonly timeKey: string;
  readonly stream: CriStream;
  /** Tag `P`: the line goes on with the next record of this stream. */
  readonly partial: boolean;
  /** Where the content starts; it ends where the line ends. */
  readonly contentStart: number;
}

const SPACE = 0x20;
const LONGEST_TIME = 40;
const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;
const NANO_DIGITS = 9;

/** Parses `bytes[start, end)`, without its newline. Undefined when it is not a CRI line. */
export function parseCriLine(bytes: Buffer, start: number, end: number): CriLine | undefined {
  const timeEnd = bytes.indexOf(SPACE, start);
  if (timeEnd < 0 || timeEnd >= end || timeEnd - start > LONGEST_TIME) return undefined;
  const instant = normaliseTime(bytes.toString("latin1", start, timeEnd));
  if (instant === undefined) return undefined;

  const streamEnd = timeEnd + 7; // both names have six letters
  if (streamEnd >= end || bytes[streamEnd] !== SPACE) return undefined;
  const stream = bytes.toString("latin1", timeEnd + 1, streamEnd);
  if (stream !== "stdout" && stream !== "stderr") return undefined;

  const tagStart = streamEnd + 1;
  const found = bytes.indexOf(SPACE, tagStart);
  const tagEnd = found < 0 || found > end ? end : found; // an empty line may come without its last space
  const tags = bytes.toString("latin1", tagStart, Math.min(tagEnd, tagStart + LONGEST_TIME));
  const kind = tags.charAt(0);
  if ((kind !== "P" && kind !== "F") || (tags.length > 1 && tags.charAt(1) !== ":")) return undefined;
  return { ...instant, stream, partial: kind === "P", contentStart: Math.min(tagEnd + 1, end) };
}

/** To UTC; undefined when it is no RFC 3339 time. */
export function normaliseTime(text: string): Pick<CriLine, "time" | "timeKey"> | undefined {
  const match = TIME.exec(text);
  if (match === null) return undefined;
  const [, local = "", fraction = "", zone = "Z"] = match;
  const seconds = zone === "Z" ? local : toUtcSeconds(local + zone);
  if (seconds === undefined) return undefined;
  return {
    time: fraction === "" ? `${seconds}Z` : `${seconds}.${fraction}Z`,
    timeKey: `${seconds}.${fraction.padEnd(NANO_DIGITS, "0")}Z`,
  };
}

function toUtcSeconds(text: string): string | undefined {
  const instant = Date.parse(text);
  return Number.isNaN(instant) ? undefined : new Date(instant).toISOString().slice(0, 19);
}

/** Time of the first record in `bytes`, or of the last; null when that one is not CRI. */
export function edgeTime(bytes: Buffer, edge: "first" | "last"): string | null {
  let start = 0;
  let end = bytes.indexOf(0x0a);
  if (edge === "last") {
    end = bytes.at(-1) === 0x0a ? bytes.length - 1 : bytes.length;
    start = end === 0 ? 0 : bytes.lastIndexOf(0x0a, end - 1) + 1;
  } else if (end < 0) end = bytes.length;
  return parseCriLine(bytes, start, end)?.timeKey ?? null;
}

export function countLines(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) lines += 1;
  return lines;
}
