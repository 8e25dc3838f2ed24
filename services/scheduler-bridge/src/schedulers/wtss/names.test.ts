import { experimentId } from "@aiep/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeWtssName, wtssName } from "./names.ts";

const id = experimentId.parse("ab13c7538f0e4d2a9b6c1d2e3f405162");
const anyId = fc
  .array(fc.constantFrom(..."0123456789abcdef".split("")), { minLength: 32, maxLength: 32 })
  .map((digits) => experimentId.parse(digits.join("")));
const anyName = fc.oneof(
  fc.string({ minLength: 1, maxLength: 40 }),
  fc.string({ minLength: 1, maxLength: 100, unit: "binary" }),
  fc.string({ minLength: 1, maxLength: 80, unit: fc.constantFrom("a", "x", "-", "_", "7", "实", "😀", " ") }),
);

describe("a name in WTSS", () => {
  it.each([
    ["demo", "demo_ab13c7"],
    ["my-flow_2", "my-flow_2_ab13c7"],
    ["x", "x_ab13c7"],
  ])("leaves %s readable", (name, expected) => expect(wtssName(name, id)).toBe(expected));

  it("is one that WTSS takes, whatever the experiment is called", () => {
    fc.assert(
      fc.property(anyName, anyId, (name, anId) => {
        expect(wtssName(name, anId)).toMatch(/^[A-Za-z][-_A-Za-z0-9]{0,63}$/);
      }),
    );
  });

  it("gives the experiment's name back, or as much of it as there was room for", () => {
    fc.assert(
      fc.property(anyName, anyId, (name, anId) => {
        const decoded = decodeWtssName(wtssName(name, anId));
        expect(decoded?.idPrefix).toBe(anId.slice(0, 6));
        if (decoded?.complete === true) expect(decoded.name).toBe(name);
        else {
          expect(name.startsWith(decoded?.name ?? "nothing")).toBe(true);
          expect(decoded?.name).not.toBe(name);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("holds 17 Chinese characters whole, and says so when there are more", () => {
    const name = "训练数据准备与模型评估实验工作流一二三四五六";
    expect(decodeWtssName(wtssName(name.slice(0, 17), id))).toMatchObject({ complete: true });
    expect(decodeWtssName(wtssName(name, id))).toEqual({
      name: name.slice(0, 17),
      complete: false,
      idPrefix: "ab13c7",
    });
  });

  it("never cuts a character in two", () => {
    const decoded = decodeWtssName(wtssName("😀".repeat(40), id));
    expect(decoded?.name).toMatch(/^(😀)+$/u);
  });

  it("is unlike any other experiment's, also without case, unless their ids begin alike", () => {
    fc.assert(
      fc.property(anyName, anyName, anyId, anyId, (one, other, idOne, idOther) => {
        fc.pre(idOne.slice(0, 6) !== idOther.slice(0, 6));
        expect(wtssName(one, idOne).toLowerCase()).not.toBe(wtssName(other, idOther).toLowerCase());
      }),
    );
  });

  it.each([
    "demo",
    "demo_xyz123",
    "-demo_ab13c7",
    "x--_ab13c7x",
    "a--zzz_ab13c7",
    "a--0_ab13c7",
    "实_ab13c7",
    "_ab13c7",
  ])("%s is not one of ours", (text) => expect(decodeWtssName(text)).toBeUndefined());
});
