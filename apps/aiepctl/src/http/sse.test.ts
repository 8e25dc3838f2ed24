import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SseParser } from "./sse.ts";

const parse = (pieces: readonly Uint8Array[]) => {
  const parser = new SseParser();
  return pieces.flatMap((piece) => [...parser.push(piece)]);
};

describe("an event stream", () => {
  it("is read by the standard: fields, comments, several data lines, every line end", () => {
    const text =
      ": ping\n\nevent: line\r\nid: 7\r\ndata: {\r\ndata: }\r\n\r\ndata:x\r\rid: 8\ndata: y\n\nevent: half\ndata: z\n";
    expect(parse([Buffer.from(text)])).toEqual([
      { event: "line", data: "{\n}", id: "7" },
      { event: "message", data: "x", id: "7" },
      { event: "message", data: "y", id: "8" },
    ]);
  });

  it("gives the same events however the bytes are cut", () => {
    const bytes = Buffer.from(
      "id: 1\r\nevent: line\r\ndata: 训练 ✓\r\n\r\n: c\n\nid: 2\ndata: a\ndata: b\n\n",
    );
    const whole = parse([bytes]);
    fc.assert(
      fc.property(fc.array(fc.nat({ max: bytes.length }), { maxLength: 20 }), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        const pieces = at.slice(1).map((end, index) => bytes.subarray(at[index], end));
        expect(parse(pieces)).toEqual(whole);
      }),
    );
  });
});
