/**
 * Where a reader stands: one place per source (I8). Opaque to callers; inside `1.<filter>.<source>-<position>[-<piece>]~…`
 * in base 36. A cursor remembers its filters, so that one of another question is refused instead of skipping lines.
 */
import { AiepError } from "@aiep/contracts";

export interface Place {
  /** Bytes of the source before the next line. */
  readonly position: number;
  /** Pieces of that line already read, when a long line was left in the middle. */
  readonly piece: number;
}

export const START: Place = { position: 0, piece: 0 };

/** By source number; a source that is not listed stands at its start. */
export type Places = ReadonlyMap<number, Place>;

const VERSION = "1";
const RADIX = 36;
const NUMBER = /^[0-9a-z]{1,11}$/;

export function encodeCursor(filter: string, places: Places): string {
  const entries = [...places].map(([source, place]) =>
    [source, place.position, ...(place.piece > 0 ? [place.piece] : [])]
      .map((number) => number.toString(RADIX))
      .join("-"),
  );
  return `${VERSION}.${filter}.${entries.join("~")}`;
}

export function decodeCursor(text: string, filter: string): Map<number, Place> {
  const [version, itsFilter, body, ...rest] = text.split(".");
  if (version !== VERSION || body === undefined || rest.length > 0) throw badCursor("it is not one of ours");
  if (itsFilter !== filter) throw badCursor("it was made with other filters");
  const places = new Map<number, Place>();
  if (body === "") return places;
  for (const entry of body.split("~")) {
    const numbers = entry.split("-").map(parseNumber);
    const [source, position, piece = 0] = numbers;
    if (source === undefined || position === undefined || numbers.length > 3)
      throw badCursor("it is damaged");
    places.set(source, { position, piece });
  }
  return places;
}

function parseNumber(text: string): number {
  const number = NUMBER.test(text) ? Number.parseInt(text, RADIX) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw badCursor("it is damaged");
  return number;
}

const badCursor = (why: string): AiepError =>
  new AiepError("BAD_CURSOR", `The cursor cannot be used: ${why}.`);
