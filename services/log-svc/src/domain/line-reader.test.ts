import { MAX_LINE_BYTES, nodeName } from "@aiep/contracts";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LineReader, type LogEntry } from "./line-reader.ts";

const node = nodeName.parse("worker-0");
const TIME = "2026-11-21T10:00:00.123456789Z";

function reader(position = 0, piece = 0): LineReader {
  return new LineReader({ source: 7, node, place: { position, piece } });
}

function drain(from: LineReader): LogEntry[] {
  const entries: LogEntry[] = [];
  for (let entry = from.next(); entry !== undefined; entry = from.next()) entries.push(entry);
  return entries;
}

function readAll(bytes: Buffer, position = 0, piece = 0): LogEntry[] {
  const lines = reader(position, piece);
  if (bytes.length > position) lines.push({ kind: "bytes", position, bytes: bytes.subarray(position) });
  lines.end();
  return drain(lines);
}

const textOf = (entry: LogEntry): string => (entry.item.kind === "line" ? entry.item.text : "(gap)");

const record = fc
  .record({
    stream: fc.constantFrom("stdout", "stderr"),
    tag: fc.constantFrom("P", "F"),
    content: fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 40 }),
      fc.constantFrom("进度 50%\r进度 100%", "😀".repeat(20), ""),
    ),
  })
  .filter(({ content }) => !content.includes("\n"))
  .map((r) => ({ ...r, bytes: Buffer.from(`${TIME} ${r.stream} ${r.tag} ${r.content}\n`) }));

describe("lines of a source", () => {
  it("each record is one line, whatever segments it comes in", () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 20 }), fc.array(fc.nat(2_000)), (records, cuts) => {
        const bytes = Buffer.concat(records.map((each) => each.bytes));
        const edges = [...new Set([0, ...cuts.filter((cut) => cut < bytes.length), bytes.length])].sort(
          (a, b) => a - b,
        );
        const lines = reader();
        const entries: LogEntry[] = [];
        for (const [at, from] of edges.slice(0, -1).entries()) {
          lines.push({ kind: "bytes", position: from, bytes: bytes.subarray(from, edges[at + 1]) });
          entries.push(...drain(lines));
        }
        lines.end();
        entries.push(...drain(lines));
        expect(entries.map(textOf)).toEqual(records.map((each) => each.content));
        expect(entries.map(({ goesOn }) => goesOn)).toEqual(records.map((each) => each.tag === "P"));
        expect(entries.at(-1)?.after.position ?? 0).toBe(bytes.length);
      }),
    );
  });

  it("reading resumes after any entry with exactly the entries that follow", () => {
    const long = "字".repeat(MAX_LINE_BYTES); // three pieces and more
    const bytes = Buffer.from(
      `${TIME} stdout F a\n${TIME} stdout F ${long}\nno CRI at all\n${TIME} stderr F z`,
    );
    const entries = readAll(bytes);
    expect(entries.map(textOf).join("|")).toContain("no CRI at all|z");
    expect(entries.filter(({ goesOn }) => goesOn).length).toBeGreaterThanOrEqual(3);
    for (const [at, entry] of entries.entries()) {
      const rest = readAll(bytes, entry.after.position, entry.after.piece);
      expect(rest.map(textOf)).toEqual(entries.slice(at + 1).map(textOf));
    }
  });

  it("pieces of a long line are at most MAX_LINE_BYTES, never split a character, and make up the line", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("x", "é", "字", "😀"),
        fc.integer({ min: 1, max: 40_000 }),
        (character, count) => {
          const text = `-${character.repeat(count)}`;
          const entries = readAll(Buffer.from(`${TIME} stdout F ${text}\n`));
          expect(entries.map(textOf).join("")).toBe(text);
          for (const entry of entries)
            expect(Buffer.byteLength(textOf(entry))).toBeLessThanOrEqual(MAX_LINE_BYTES);
          expect(entries.map(({ goesOn }) => goesOn)).toEqual(
            entries.map((_, at) => at < entries.length - 1),
          );
        },
      ),
      { numRuns: 30 },
    );
  });

  it("a character that the runtime split between two records is shown whole", () => {
    const [a, b] = [Buffer.from("进").subarray(0, 2), Buffer.from("进").subarray(2)];
    const bytes = Buffer.concat([
      Buffer.from(`${TIME} stdout P x`),
      a,
      Buffer.from(`\n${TIME} stderr F other\n${TIME} stdout F `),
      b,
      Buffer.from("y\n"),
    ]);
    expect(readAll(bytes).map(textOf)).toEqual(["x", "other", "进y"]);
  });

  it("binary bytes are shown with replacements and disturb no other line", () => {
    const bytes = Buffer.concat([
      Buffer.from(`${TIME} stdout F `),
      Buffer.from([0xff, 0xfe, 0x00, 0x41]),
      Buffer.from(`\n${TIME} stdout F next\n`),
    ]);
    expect(readAll(bytes).map(textOf)).toEqual(["\ufffd\ufffd\u0000A", "next"]);
  });

  it("a gap is an entry, and what was unfinished before it is a line", () => {
    const lines = reader();
    const begun = Buffer.from(`${TIME} stdout F begun`);
    lines.push({ kind: "bytes", position: 0, bytes: begun });
    lines.push({ kind: "gap", position: begun.length, length: 10, reason: "expired" });
    lines.push({ kind: "bytes", position: begun.length + 10, bytes: Buffer.from(`${TIME} stdout F on\n`) });
    const entries = drain(lines);
    expect(
      entries.map(({ item }) => (item.kind === "gap" ? [item.missing_bytes, item.reason] : item.text)),
    ).toEqual(["begun", [10, "expired"], "on"]);
  });

  it("the platform's own lines are told apart by their prefix", () => {
    const entries = readAll(Buffer.from(`${TIME} stdout F [aiep] rights checked\n${TIME} stdout F mine\n`));
    expect(entries.map(({ item }) => item.kind === "line" && item.source)).toEqual(["platform", "user"]);
  });
});
