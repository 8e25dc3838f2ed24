import { workflowNodeId } from "@aiep/contracts";
import { describe, expect, it } from "vitest";
import { compileExpression } from "./expression.ts";
import type { Json, Scope } from "./scope.ts";

const scope = (
  values: Partial<Scope> & { outputs?: Record<string, Record<string, Json> | null> } = {},
): Scope => ({
  parameters: {},
  run: {
    id: "0".repeat(32),
    date: "20260301",
    hour: 9,
    dialect: "wtss",
    experimentId: "e".repeat(32),
    experimentName: "daily",
    versionName: "v3",
  },
  node: (id) => {
    const outputs = values.outputs?.[id];
    return outputs === undefined ? undefined : { state: "Succeeded", outputs };
  },
  ...values,
});

function evaluate(text: string, values: Parameters<typeof scope>[0] = {}) {
  const compiled = compileExpression(text);
  if (!compiled.ok) throw new Error(`${text}: ${compiled.detail}`);
  return compiled.expression.evaluate(scope(values));
}
const value = (text: string, values: Parameters<typeof scope>[0] = {}) => {
  const result = evaluate(text, values);
  if (!result.ok) throw new Error(`${text}: ${result.detail}`);
  return result.value;
};
const refusal = (text: string) => {
  const compiled = compileExpression(text);
  return compiled.ok ? undefined : compiled.detail;
};

describe("an expression", () => {
  it.each<[string, Json, Parameters<typeof scope>[0]?]>([
    ["params.n + 1", 4, { parameters: { n: 3 } }],
    ["params.lr * 2", 1, { parameters: { lr: 0.5 } }],
    ["2 * params.lr", 1, { parameters: { lr: 0.5 } }],
    ["params.n / 2", 1, { parameters: { n: 3 } }],
    ["params.n > 2.5 && params.s == 'x'", true, { parameters: { n: 3, s: "x" } }],
    ["params['n'] == 3.0", true, { parameters: { n: 3 } }],
    ["has(params.missing)", false],
    ["nodes.check.outputs.rows > 100", true, { outputs: { check: { rows: 101 } } }],
    ["nodes['a-b'].outputs['x']", [1, 2], { outputs: { "a-b": { x: [1, 2] } } }],
    ["nodes.check.state == 'Succeeded'", true, { outputs: { check: null } }],
    ["has(nodes.check.outputs.rows)", false, { outputs: { check: null } }],
    ["item.name + string(index)", "b2", { iteration: { item: { name: "b" }, index: 2 } }],
    ["item > 1", true, { iteration: { item: 2, index: 0 } }],
    ["run.date + '/' + run.date_std + '/' + run.version", "20260301/2026-03-01/v3"],
    ["[1, 2, 3].map(x, x * 2).filter(x, x > 2)", [4, 6]],
    ["params.list.all(x, x in params.list)", true, { parameters: { list: [1, 2] } }],
    ["params.list.exists(x, x == 'b')", true, { parameters: { list: ["a", "b"] } }],
    ["{'a': params.n, 'b': [1.5, null, true]}", { a: 3, b: [1.5, null, true] }, { parameters: { n: 3 } }],
    ["params.o.a.b", 1, { parameters: { o: { a: { b: 1 } } } }],
    ["params.o == {'a': 1}", true, { parameters: { o: { a: 1 } } }],
    ["(params.list + [3]).map(x, (x) > (1))", [false, true, true], { parameters: { list: [1, 2] } }],
    ["params.list.map(x, '🎉' + x)", ["🎉é"], { parameters: { list: ["é"] } }],
    ["size(params.list) + params.list.size()", 4, { parameters: { list: ["a", "b"] } }],
  ])("%s", (text, expected, values) => {
    expect(value(text, values)).toEqual(expected);
  });

  it("says what it reads", () => {
    const compiled = compileExpression(
      "params.a > 1 && nodes.x.outputs.y == nodes['z'].state && item == run.date && [1].all(i, i > params['b'])",
    );
    if (!compiled.ok) throw new Error(compiled.detail);
    const { references } = compiled.expression;
    expect([...references.parameters].sort()).toEqual(["a", "b"]);
    expect(references.outputs).toEqual([{ node: "x", output: "y" }]);
    expect([...references.states]).toEqual(["z"]);
    expect(references).toMatchObject({ dates: true, item: true });
    expect(workflowNodeId.safeParse("x").success).toBe(true);
  });

  it.each([
    ["params.a +", "Unexpected"],
    ["foo", "Unknown variable: foo"],
    ["params", "write params.<name>"],
    ["params[run.id]", "write params.<name>"],
    ["size(nodes)", "nodes.<id>.outputs.<name>"],
    ["nodes.a", "nodes.<id>.outputs.<name>"],
    ["nodes.a.outputs", "nodes.<id>.outputs.<name>"],
    ["nodes.a.attempts", "nodes.<id>.outputs.<name>"],
    ["run.secret", "run has id"],
    ["'a'.matches('(a+)+$')", "matches() is not available"],
    ["cel.bind(a, 1, a)", "cel.bind() is not available"],
    ["[1].map(params, params)", "another name"],
    ["1 + 'a'", "no such overload"],
    ["aiep_cost(1)", "not a function"],
    [`${"(".repeat(300)}1${")".repeat(300)}`, ""],
    [`[${"1,".repeat(2000)}1]`, ""],
    ["'x'".repeat(5000), "characters"],
  ])("%s is refused when it is saved", (text, detail) => {
    expect(refusal(text)).toContain(detail);
  });

  it.each<[string, string, Parameters<typeof scope>[0]?]>([
    ["params.missing", "No such key: missing"],
    ["nodes.a.outputs.rows", "No such key: rows", { outputs: { a: null } }],
    ["1 / params.n", "division", { parameters: { n: 0 } }],
    ["params.s + 1", "overload", { parameters: { s: "x" } }],
    ["b'abc'", "not a JSON value"],
    ["type(1)", "not a JSON value"],
    ["9007199254740993", "not a JSON value"],
    ["params.toString", "No such key"],
    ["params.o.constructor", "No such key", { parameters: { o: {} } }],
    ["params['__proto__']", "No such key"],
  ])("%s fails with a reason", (text, detail, values) => {
    expect(evaluate(text, values)).toMatchObject({ ok: false, detail: expect.stringContaining(detail) });
  });

  it("stops when it costs too much, whatever it walks", () => {
    const list = Array.from({ length: 5000 }, (_, index) => index);
    const parameters = { list, text: "x".repeat(60_000), deep: [list, list] };
    for (const text of [
      "params.list.map(a, params.list.map(b, params.list.map(c, a + b + c)))",
      "params.list.all(a, !(9999 in params.list))",
      "params.list.all(a, params.deep == params.deep)",
      "params.list.all(a, !params.text.contains('y'))",
      "params.list.map(a, params.text + params.text).size() > 0",
    ])
      expect(evaluate(text, { parameters }), text).toMatchObject({
        ok: false,
        detail: expect.stringContaining("too much data"),
      });
    expect(value("params.list.filter(a, a % 2 == 0).size()", { parameters })).toBe(2500);
  });
});
