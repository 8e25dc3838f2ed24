import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Options } from "../cli/options.ts";
import { drawGraph } from "./draw-graph.ts";
import { modeOf, parametersOf, runDateOf, valuesOf } from "./run-options.ts";

const nodes = (ids: string) => ids.split(" ").map((id) => ({ id, label: id }));
const edges = (pairs: string) =>
  pairs === "" ? [] : pairs.split(" ").map((pair) => ({ source: pair.charAt(0), target: pair.charAt(1) }));

describe("a graph on the terminal", () => {
  it("is a column for a chain, and lanes for a diamond", () => {
    expect(drawGraph(nodes("a b"), edges("ab"))).toBe("● a\n● b\n");
    expect(drawGraph(nodes("a b c d"), edges("ab ac bd cd"))).toBe(
      ["● a", "├─╮", "● │ b", "│ ● c", "├─╯", "●   d", ""].join("\n"),
    );
  });

  it("of many open edges is listed by levels", () => {
    const many = Array.from({ length: 60 }, (_, at) => ({ id: `n${at}`, label: `n${at}` }));
    const fan = many.map(({ id }) => ({ source: "root", target: id }));
    const text = drawGraph([{ id: "root", label: "root" }, ...many], fan);
    expect(text).toMatch(/^1: root\n2: n0, n1, .*… \(60 nodes\)\n$/);
  });

  it("names every node once, whatever the graph, after all that it follows", () => {
    const dag = fc.integer({ min: 1, max: 12 }).chain((size) =>
      fc.record({
        size: fc.constant(size),
        edges: fc.array(fc.tuple(fc.nat(size - 1), fc.nat(size - 1)), { maxLength: 24 }),
      }),
    );
    fc.assert(
      fc.property(dag, ({ size, edges: pairs }) => {
        const forward = [...new Set(pairs.filter(([a, b]) => a < b).map(([a, b]) => `${a} ${b}`))];
        const drawn = forward.map((pair) => {
          const [source = "", target = ""] = pair.split(" ");
          return { source: `n${source}`, target: `n${target}` };
        });
        const all = Array.from({ length: size }, (_, at) => ({ id: `n${at}`, label: `n${at}` }));
        const lines = drawGraph(all, drawn).split("\n");
        const at = new Map(
          lines.flatMap((line, index) => {
            const label = /● .*?(n\d+)$/.exec(line)?.[1];
            return label === undefined ? [] : [[label, index] as const];
          }),
        );
        expect(at.size).toBe(size);
        for (const { source, target } of drawn) expect(at.get(source)).toBeLessThan(at.get(target) ?? -1);
      }),
    );
  });
});

describe("what a run is told", () => {
  const options = (values: Record<string, string[]>) => new Options(new Map(Object.entries(values)));

  it("has one mode; two ways of choosing nodes are refused", () => {
    expect(modeOf(options({}), "all")).toEqual({ mode: "all", nodes: [] });
    expect(modeOf(options({ node: ["a"] }), "all")).toEqual({ mode: "single", nodes: ["a"] });
    expect(modeOf(options({ until: ["a,b"] }), "all")).toEqual({ mode: "until", nodes: ["a", "b"] });
    expect(() => modeOf(options({ node: ["a"], until: ["b"] }), "all")).toThrow("only one of");
  });

  it("leaves parameters as text, which the server reads by their type; lists and mappings are JSON", () => {
    expect(
      parametersOf(["lr=0.50", "on=true", "name=每日", "list=[1,2]", "path=/a=b", 'n="7"', "of={bad"]),
    ).toEqual({ lr: "0.50", on: "true", name: "每日", list: [1, 2], path: "/a=b", n: "7", of: "{bad" });
    expect(() => parametersOf(["lr"])).toThrow("K=V");
  });

  it("has values of an approval as JSON where they look like it", () => {
    expect(valuesOf(["lr=0.5", "on=true", "name=每日", "date=2026-01-31"])).toEqual({
      lr: 0.5,
      on: true,
      name: "每日",
      date: "2026-01-31",
    });
  });

  it("has a business date in either spelling", () => {
    expect(runDateOf("2026-01-31")).toBe("20260131");
    expect(runDateOf("20260131")).toBe("20260131");
    expect(() => runDateOf("31.1.2026")).toThrow("--run-date");
  });
});
