import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countLines, parseCriLine } from "./cri.ts";
import { FollowedLog, type FollowedPlace, NOTHING_WRITTEN, placeAfter } from "./followed-log.ts";

interface Line {
  readonly time: string;
  readonly text: string;
}

const timeOf = (ms: number): string => new Date(Date.UTC(2026, 10, 21, 10) + ms).toISOString();

/** Lines a little out of order, several in one moment, some longer than a piece. */
const logs = fc
  .array(
    fc.record({
      step: fc.constantFrom(0, 0, 1, 300, 1200, -2),
      text: fc.oneof(
        fc.constantFrom("", "same", "进度 50%\r", "x".repeat(40_000)),
        fc.string({ maxLength: 20 }).map((text) => text.replaceAll("\n", " ")),
      ),
    }),
    { maxLength: 30 },
  )
  .map((steps) => {
    let at = 0;
    return steps.map(({ step, text }): Line => {
      at = Math.max(0, at + step);
      return { time: timeOf(at), text };
    });
  });

/** What the API answers. */
const answer = (lines: readonly Line[], since: string | undefined): Buffer =>
  Buffer.from(
    lines
      .filter(({ time }) => since === undefined || time.slice(0, 19) >= since.slice(0, 19))
      .map(({ time, text }) => `${time} ${text}\n`)
      .join(""),
  );

/** Lines as a reader puts them together. */
function read(records: Buffer): Line[] {
  const lines: Line[] = [];
  let text = "";
  for (let at = 0; at < records.length; ) {
    const end = records.indexOf(0x0a, at);
    const parsed = parseCriLine(records, at, end);
    if (parsed === undefined) throw new Error(`no record: ${records.toString("utf8", at, end)}`);
    text += records.toString("utf8", parsed.contentStart, end);
    if (!parsed.partial) {
      lines.push({ time: parsed.time, text });
      text = "";
    }
    at = end + 1;
  }
  return lines;
}

const recordsOf = function* (file: Buffer) {
  for (let at = 0; at < file.length; ) {
    const end = file.indexOf(0x0a, at);
    const line = parseCriLine(file, at, end);
    if (line !== undefined) yield { time: line.time, partial: line.partial, bytes: end - line.contentStart };
    at = end + 1;
  }
};

describe("a log followed over the Kubernetes API", () => {
  it("is written whole and once, however often its stream breaks and wherever (I8)", () => {
    fc.assert(
      fc.property(
        logs,
        fc.array(fc.nat(3_000), { maxLength: 8 }),
        fc.boolean(),
        (lines, breaks, restarted) => {
          const written: Buffer[] = [];
          let place: FollowedPlace = NOTHING_WRITTEN;
          for (const [turn, length] of [...breaks, Number.POSITIVE_INFINITY].entries()) {
            const log = new FollowedLog(place);
            const bytes = answer(lines, place.since).subarray(0, length * (turn + 1));
            const middle = Math.floor(bytes.length / 2);
            for (const chunk of [bytes.subarray(0, middle), bytes.subarray(middle)]) {
              const { records, gap } = log.push(chunk);
              expect(gap).toBe(false);
              written.push(records);
            }
            place = restarted ? placeAfter(recordsOf(Buffer.concat(written))) : log.place;
          }
          expect(read(Buffer.concat(written))).toEqual(lines);
        },
      ),
    );
  });

  it("a line that comes late, with a time of the second before, is not lost when the stream breaks before it", () => {
    const lines = [2_000, 3_000, 2_998, 3_001].map((ms): Line => ({ time: timeOf(ms), text: `at ${ms}` }));
    const first = new FollowedLog(NOTHING_WRITTEN);
    const before = first.push(answer(lines.slice(0, 2), undefined)).records;
    const after = new FollowedLog(first.place).push(answer(lines, first.place.since)).records;
    expect(read(Buffer.concat([before, after]))).toEqual(lines);
  });

  it("tells a gap when the lines it knows were rotated away, and writes what is there", () => {
    const line = (at: number): Line => ({ time: timeOf(at * 100), text: `line ${at}` });
    const first = new FollowedLog(NOTHING_WRITTEN);
    first.push(answer([line(1), line(2), line(3)], undefined));
    const resumed = new FollowedLog(first.place);
    const { records, gap } = resumed.push(answer([line(7), line(8)], first.place.since));
    expect(gap).toBe(true);
    expect(read(records)).toEqual([line(7), line(8)]);
  });

  it("tells no gap when only lines were rotated away that had been written", () => {
    const line = (at: number): Line => ({ time: timeOf(at * 100), text: `line ${at}` });
    const first = new FollowedLog(NOTHING_WRITTEN);
    first.push(answer([line(1), line(2), line(3)], undefined));
    const resumed = new FollowedLog(first.place);
    const { records, gap } = resumed.push(answer([line(2), line(3), line(4)], first.place.since));
    expect(gap).toBe(false);
    expect(read(records)).toEqual([line(4)]);
  });

  it("a last line without its end is a line when the container has ended, and before that it waits", () => {
    const log = new FollowedLog(NOTHING_WRITTEN);
    expect(countLines(log.push(Buffer.from(`${timeOf(0)} no end`)).records)).toBe(0);
    expect(read(log.end().records)).toEqual([{ time: timeOf(0), text: "no end" }]);
    expect(log.end().records.length).toBe(0);
  });
});
