import fc from "fast-check";
import { format as driverFormat } from "mysql2";
import { describe, expect, test } from "vitest";
import { format, type SqlValue, sql } from "./sql.ts";

const value = fc.oneof<fc.Arbitrary<SqlValue>[]>(
  fc.string({ unit: "binary" }),
  fc.constantFrom("'", '"', "\\", "\0", "?", "';--", "\u2028"),
  fc.integer(),
  fc.bigInt(),
  fc.boolean(),
  fc.constant(null),
  fc.date({ noInvalidDate: true, min: new Date(0), max: new Date("9999-01-01") }),
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
);

describe("format", () => {
  test("writes values as the driver does, whatever is in them", () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 6 }), (values) => {
        const text = `INSERT INTO t (a) VALUES (${values.map(() => "?").join(", ")}) -`;
        expect(format(sql(text, values))).toBe(driverFormat(text, [...values], false, "Z"));
      }),
    );
  });

  test.each([
    ["a literal", "SELECT '?', ? FROM t", [1], "SELECT '?', 1 FROM t"],
    ["a comment", "SELECT ? /* ? */", [1], "SELECT 1 /* ? */"],
    ["a quoted name", "SELECT `?`, ?", [1], "SELECT `?`, 1"],
  ])("leaves a question mark in %s alone", (_, text, values, expected) => {
    expect(format(sql(text, values))).toBe(expected);
  });
});
