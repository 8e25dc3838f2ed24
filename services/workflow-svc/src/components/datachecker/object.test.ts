import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { objectText, parseObject, type TableObject } from "./object.ts";

const name = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_-]{0,20}$/);
const value = fc.stringMatching(/^[A-Za-z0-9_.:=+@-]{1,16}$/);
const tableObject: fc.Arbitrary<TableObject> = fc.record({
  database: name,
  table: name,
  partition: fc.uniqueArray(fc.record({ column: name, value }), {
    selector: (each) => each.column,
    maxLength: 3,
  }),
});

describe("an object", () => {
  it("written and read again is the same, however it is spaced and quoted", () => {
    const blank = fc.stringMatching(/^[ \t'"]{0,3}$/);
    fc.assert(
      fc.property(tableObject, fc.array(blank, { minLength: 12, maxLength: 12 }), (object, blanks) => {
        let at = 0;
        const spaced = objectText(object).replace(
          /[.{}=/]/g,
          (sign) => `${blanks[at++ % 12]}${sign}${blanks[at++ % 12]}`,
        );
        expect(parseObject(spaced)).toEqual({ ok: true, object });
      }),
    );
  });

  it("of any other text is refused with what to write, and never throws", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
        const parsed = parseObject(text);
        if (parsed.ok) expect(parseObject(objectText(parsed.object))).toEqual(parsed);
        else expect(parsed.detail).toMatch(/db\.table|column=value|twice/);
      }),
      { numRuns: 2000 },
    );
  });

  it("never holds what would end it, or a list of objects, for those who read it", () => {
    const sign = fc.constantFrom("{", "}", "/", "=", ".", ";", "\n", "'", '"', "`", "\\", "a", "ds", "1");
    fc.assert(
      fc.property(fc.array(sign, { maxLength: 16 }), (signs) => {
        const parsed = parseObject(`db.tb{${signs.join("")}`);
        if (parsed.ok) expect(objectText(parsed.object)).toMatch(/^[^;\n`\\'"]*$/);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ["tb", "db.table"],
    ["a.b.c", "db.table"],
    ["db.", "db.table"],
    ["db.tb{", "braces"],
    ["db.tb{}", "column=value"],
    ["db.tb{ds}", "column=value"],
    ["db.tb{ds=}", "column=value"],
    ["db.tb{=1}", "column=value"],
    ["db.tb{ds=1}x", "braces"],
    ["db.tb{ds=1/ds=2}", "twice"],
    ["db.tb{ds=1;x}", "column=value"],
    ["db.tb`", "db.table"],
  ])("%s is refused", (text, detail) =>
    expect(parseObject(text)).toEqual({ ok: false, detail: expect.stringContaining(detail) }),
  );
});
