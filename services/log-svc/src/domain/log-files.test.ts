import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { batchLength } from "./batch-cut.ts";
import { inWritingOrder } from "./log-files.ts";

describe("files of a container's log", () => {
  it("are read in the order they were written, whatever order the folder lists them in", () => {
    const written = [
      "0.log.20261121-100000.gz",
      "0.log.20261121-110000",
      "0.log",
      "1.log.20261121-120000",
      "1.log",
      "10.log",
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(written, { minLength: written.length }), (names) => {
        expect(inWritingOrder(names).map(({ name }) => name)).toEqual(written);
      }),
    );
  });

  it("a file that is just being compressed counts once, as the plain one; other names do not count", () => {
    const names = [
      "0.log.20261121-100000.gz",
      "0.log.20261121-100000",
      "0.log",
      "x.log",
      "0.log.tmp",
      "0.log.gz",
    ];
    expect(inWritingOrder(names).map(({ name }) => name)).toEqual(["0.log.20261121-100000", "0.log"]);
  });
});

describe("end of a batch", () => {
  it("is after the last whole line; nothing is left out and nothing invented", () => {
    fc.assert(
      fc.property(fc.string(), fc.boolean(), fc.boolean(), (text, closed, full) => {
        const bytes = Buffer.from(text);
        const length = batchLength(bytes, { closed, full });
        expect(length).toBeLessThanOrEqual(bytes.length);
        if (closed && !full) expect(length).toBe(bytes.length);
        else if (length > 0 && length < bytes.length) expect(bytes[length - 1]).toBe(10);
        if (length === 0) expect(bytes.includes(10) || (closed && bytes.length > 0)).toBe(false);
      }),
    );
  });
});
