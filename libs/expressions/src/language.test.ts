import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createLanguage, type Json, toCel } from "./index.ts";

const language = createLanguage({ data: "dyn" });
const anything = () => ({ ok: true, read: undefined }) as const;

function evaluate(text: string, data: Json = null) {
  const compiled = language.compile(text, anything);
  return compiled.ok ? compiled.expression.evaluate({ data: toCel(data) }) : compiled;
}

describe("a language", () => {
  it("knows its own variables alone", () => {
    expect(evaluate("data.a", { a: 1 })).toEqual({ ok: true, value: 1 });
    expect(evaluate("other")).toMatchObject({ ok: false, detail: "Unknown variable: other" });
    expect(evaluate("[1].map(data, data)")).toMatchObject({
      ok: false,
      detail: expect.stringContaining("another name"),
    });
  });

  it("asks the inspection before types are checked", () => {
    const refusal = { ok: false, detail: "not here" } as const;
    expect(language.compile("1 + 'a'", () => refusal)).toEqual(refusal);
    expect(language.compile("1 + 'a'", anything)).toMatchObject({
      ok: false,
      detail: expect.stringContaining("no such overload"),
    });
  });

  it.each<[string, Json, Json]>([
    ["data * 2", 0.5, 1],
    ["2 / data", 0.5, 4],
    ["data.map(x, x + 1)", [1, 2.5], [2, 3.5]],
    ["{'a': data}", [null, true], { a: [null, true] }],
  ])("%s of %j is %j", (text, data, value) => {
    expect(evaluate(text, data)).toEqual({ ok: true, value });
  });

  it("gives JSON values back as they came", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        // JSON has no minus zero, and larger whole numbers are doubles to CEL as they are to JavaScript.
        const json: Json = JSON.parse(JSON.stringify(value));
        expect(evaluate("data", json)).toEqual({ ok: true, value: json });
      }),
    );
  });

  it("counts what comprehensions walk without changing what they find", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -9, max: 9 }), { maxLength: 20 }), (list) => {
        const found = evaluate("data.filter(x, x in data && x > 0).map(y, y * 2 + size(data))", list);
        expect(found).toEqual({
          ok: true,
          value: list.filter((x) => x > 0).map((y) => y * 2 + list.length),
        });
      }),
    );
  });

  it("ends an evaluation that costs too much, and the next one starts anew", () => {
    const list = Array.from({ length: 1000 }, (_, index) => index);
    expect(evaluate("data.map(a, data.map(b, a + b)).size()", list)).toMatchObject({
      ok: false,
      detail: expect.stringContaining("too much data"),
    });
    expect(evaluate("data.map(a, a).size()", list)).toEqual({ ok: true, value: 1000 });
  });
});
