import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countLines, edgeTime, normaliseTime, parseCriLine } from "./cri.ts";

const parse = (text: string) => {
  const bytes = Buffer.from(text);
  const line = parseCriLine(bytes, 0, bytes.length);
  return line === undefined ? undefined : { ...line, content: bytes.toString("utf8", line.contentStart) };
};

describe("CRI lines", () => {
  it("time, stream, tag and content are read, whatever the content is", () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date(0), max: new Date("2100-01-01"), noInvalidDate: true }),
        fc.constantFrom("stdout", "stderr"),
        fc.constantFrom("P", "F", "F:x:y"),
        fc.string({ unit: "grapheme" }),
        (time, stream, tag, content) => {
          expect(parse(`${time.toISOString()} ${stream} ${tag} ${content}`)).toMatchObject({
            time: time.toISOString(),
            stream,
            partial: tag === "P",
            content,
          });
        },
      ),
    );
  });

  it("an empty line may lack its last space", () => {
    expect(parse("2026-11-21T10:00:00Z stdout F")).toMatchObject({ content: "", partial: false });
  });

  it("what is not CRI is not taken for it", () => {
    for (const text of [
      "",
      "hello",
      "2026-11-21T10:00:00Z",
      "2026-11-21T10:00:00Z stdin F x",
      "2026-11-21 stdout F x",
      "2026-11-21T10:00:00Z stdout X x",
    ])
      expect(parse(text)).toBeUndefined();
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        parseCriLine(Buffer.from(bytes), 0, bytes.length); // never throws
      }),
    );
  });

  it("times of any zone and precision sort as text by their instant", () => {
    expect(normaliseTime("2026-11-21T10:00:00.5+08:00")).toEqual({
      time: "2026-11-21T02:00:00.5Z",
      timeKey: "2026-11-21T02:00:00.500000000Z",
    });
    expect(normaliseTime("2026-13-41T10:00:00+08:00")).toBeUndefined();
  });

  it("a chunk's first and last times are those of its outer records", () => {
    const bytes = Buffer.from("2026-11-21T10:00:00Z stdout F a\nx\n2026-11-21T10:00:02Z stdout F b\n");
    expect(edgeTime(bytes, "first")).toBe("2026-11-21T10:00:00.000000000Z");
    expect(edgeTime(bytes, "last")).toBe("2026-11-21T10:00:02.000000000Z");
    expect(edgeTime(Buffer.from("x\n"), "last")).toBeNull();
    expect(countLines(bytes)).toBe(3);
  });
});
