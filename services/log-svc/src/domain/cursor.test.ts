import { AiepError } from "@aiep/contracts";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeCursor, encodeCursor } from "./cursor.ts";

const places = fc
  .uniqueArray(fc.tuple(fc.nat(), fc.record({ position: fc.maxSafeNat(), piece: fc.nat(1_000) })), {
    maxLength: 300,
    selector: ([source]) => source,
  })
  .map((entries) => new Map(entries));

describe("cursor", () => {
  it("holds one exact place per source", () => {
    fc.assert(
      fc.property(places, (each) => {
        expect(decodeCursor(encodeCursor("abcd1234", each), "abcd1234")).toEqual(each);
      }),
    );
  });

  it("is refused under other filters, and when it is damaged", () => {
    const cursor = encodeCursor("abcd1234", new Map([[1, { position: 5, piece: 0 }]]));
    for (const bad of [
      `${cursor}-1-1-1`,
      cursor.replace("1.", "2."),
      "",
      "x",
      `${cursor}~`,
      "1.abcd1234.1-_",
    ])
      expect(() => decodeCursor(bad, "abcd1234")).toThrow(AiepError);
    expect(() => decodeCursor(cursor, "ffff0000")).toThrow(/other filters/);
  });

  it("any text is either a cursor or BAD_CURSOR, never another error", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          decodeCursor(text, "abcd1234");
        } catch (error) {
          expect(AiepError.is(error, "BAD_CURSOR")).toBe(true);
        }
      }),
    );
  });
});
