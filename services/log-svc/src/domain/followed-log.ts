/**
 * A container's log as the Kubernetes API streams it (`timestamps=true`: `<time> <text>\n`), turned into CRI records, and
 * found again after a broken stream.
 *
 * The API can be asked for the lines since a whole second, in the order they were written. So it is enough to know how many
 * lines were written since then: a resumed stream repeats exactly these. It is asked from the second before the last one,
 * because a line that the node writes late may bear a time of that second.
 *
 * F1 What a resumed stream repeats is not written again. Lines are counted, not compared by time: two streams of one
 *    container may be a little out of order.
 * F2 A stream that does not begin with the line it should (the kubelet rotated it away) is matched by time instead; when
 *    the last known line is not there either, lines are missing and a gap is told.
 * F3 Bytes are written as they are; a long line goes out in pieces, so that memory is bounded.
 */
import { normaliseTime } from "./cri.ts";

/** Where a log is: everything before was written. */
export interface FollowedPlace {
  /** The second before `second`, as `sinceTime`; undefined: nothing was written. */
  readonly since: string | undefined;
  /** Lines not older than that which were written whole. */
  readonly lines: number;
  /** Times of the first and the last of these. */
  readonly firstTime: string;
  readonly lastTime: string;
  /** The newest second that a line was written of, how many of it were, and the time of the first: the window's next beginning. */
  readonly second: string;
  readonly secondLines: number;
  readonly secondFirstTime: string;
  /** Bytes written of the line after them. */
  readonly piece: number;
}

export const NOTHING_WRITTEN: FollowedPlace = {
  since: undefined,
  lines: 0,
  firstTime: "",
  lastTime: "",
  second: "",
  secondLines: 0,
  secondFirstTime: "",
  piece: 0,
};

interface OpenLine {
  readonly time: string;
  readonly write: boolean;
  /** Taken from the stream so far. */
  taken: number;
}

/** `count`, `time`: looking for the first line that was not written yet (F1, F2). */
type Mode = { readonly kind: "count"; left: number } | { readonly kind: "time"; sawLast: boolean } | "new";

const NEWLINE = 0x0a;
const SPACE = 0x20;
const MAX_PIECE = 16 * 1024;
const LONGEST_TIME = 40;
const NO_BYTES = Buffer.alloc(0);
const UNKNOWN_TIME = "1970-01-01T00:00:00Z";

export class FollowedLog {
  #place: FollowedPlace;
  #mode: Mode;
  #atStart = true;
  #gap = false;
  #bytes: Buffer = NO_BYTES;
  #open: OpenLine | undefined;

  constructor(place: FollowedPlace) {
    this.#place = place;
    this.#mode = place.lines > 0 ? { kind: "count", left: place.lines } : "new";
  }

  /** What a later stream has to know, once the records are written. */
  get place(): FollowedPlace {
    return this.#place;
  }

  /** Records to write. `gap`: lines are missing before them. */
  push(chunk: Buffer): { readonly records: Buffer; readonly gap: boolean } {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    const records: Buffer[] = [];
    let at = 0;
    for (;;) {
      const newline = this.#bytes.indexOf(NEWLINE, at);
      const end = newline < 0 ? this.#bytes.length : newline;
      if (newline < 0 && end - at < MAX_PIECE) break;
      records.push(this.#take(this.#bytes.subarray(at, end), newline >= 0));
      at = newline < 0 ? end : newline + 1;
    }
    this.#bytes = Buffer.from(this.#bytes.subarray(at));
    const gap = this.#gap;
    this.#gap = false;
    return { records: Buffer.concat(records), gap };
  }

  /** The container has ended: what is left without a newline is its last line. */
  end(): { readonly records: Buffer; readonly gap: boolean } {
    if (this.#bytes.length === 0 && this.#open === undefined) return { records: NO_BYTES, gap: false };
    return this.push(Buffer.from("\n"));
  }

  /** A line, or a piece of one; `whole` with its end. */
  #take(bytes: Buffer, whole: boolean): Buffer {
    let content = bytes;
    if (this.#open === undefined) {
      const [time, text] = splitTime(bytes);
      content = text;
      this.#open = {
        time: time ?? (this.#place.lastTime || UNKNOWN_TIME),
        write: this.#isNew(time),
        taken: 0,
      };
      this.#atStart = false;
    }
    const { time, write, taken } = this.#open;
    this.#open.taken += content.length;
    if (whole) this.#open = undefined;
    if (!write) return NO_BYTES;
    const fresh = content.subarray(Math.max(0, this.#place.piece - taken));
    if (whole) {
      this.#place = afterLine(this.#place, time);
      return record(time, "F", fresh);
    }
    this.#place = { ...this.#place, piece: Math.max(this.#place.piece, taken + content.length) };
    return fresh.length === 0 ? NO_BYTES : record(time, "P", fresh);
  }

  #isNew(time: string | undefined): boolean {
    // The rest of a line that began before the second asked for.
    if (time === undefined) return !(this.#atStart && this.#place.since !== undefined);
    const { firstTime, lastTime } = this.#place;
    if (this.#mode === "new") return true;
    if (this.#mode.kind === "count") {
      if (this.#mode.left < this.#place.lines || time === firstTime) {
        this.#mode.left -= 1;
        if (this.#mode.left === 0) this.#mode = "new";
        return false;
      }
      this.#mode = { kind: "time", sawLast: false };
    }
    if (keyOf(time) <= keyOf(lastTime)) {
      this.#mode.sawLast ||= time === lastTime;
      return false;
    }
    if (!this.#mode.sawLast) {
      this.#gap = true;
      this.#place = { ...this.#place, piece: 0 };
    }
    this.#mode = "new";
    return true;
  }
}

/** As it stands in the records, for a log whose writer was restarted; `records` are the last ones of the file. */
export function placeAfter(
  records: Iterable<{ time: string; partial: boolean; bytes: number }>,
): FollowedPlace {
  let place = NOTHING_WRITTEN;
  for (const { time, partial, bytes } of records)
    place = partial ? { ...place, piece: place.piece + bytes } : afterLine(place, time);
  return place;
}

function afterLine(place: FollowedPlace, time: string): FollowedPlace {
  const second = `${time.slice(0, 19)}Z`;
  if (second > place.second) {
    const since = secondBefore(second);
    const newest = { second, secondLines: 1, secondFirstTime: time, lastTime: time, piece: 0 };
    return place.second === since
      ? { ...newest, since, lines: place.secondLines + 1, firstTime: place.secondFirstTime }
      : { ...newest, since, lines: 1, firstTime: time };
  }
  // Later by more than the API is asked back: it will not repeat it.
  if (place.since !== undefined && second < place.since) return { ...place, piece: 0 };
  const lines = { ...place, lines: place.lines + 1, lastTime: time, piece: 0 };
  return second === place.second ? { ...lines, secondLines: place.secondLines + 1 } : lines;
}

function secondBefore(second: string): string {
  return `${new Date(Date.parse(second) - 1000).toISOString().slice(0, 19)}Z`;
}

function splitTime(line: Buffer): readonly [string | undefined, Buffer] {
  const space = line.indexOf(SPACE);
  if (space < 0 || space > LONGEST_TIME) return [undefined, line];
  const time = normaliseTime(line.toString("latin1", 0, space))?.time;
  return time === undefined ? [undefined, line] : [time, line.subarray(space + 1)];
}

const keyOf = (time: string): string => normaliseTime(time)?.timeKey ?? time;

const record = (time: string, tag: "P" | "F", content: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${time} stdout ${tag} `), content, Buffer.from("\n")]);
