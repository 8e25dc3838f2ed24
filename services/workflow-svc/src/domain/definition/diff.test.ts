import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { diffDefinitions } from "./index.ts";
import { edge, node, workflow } from "./testing/catalog.ts";

const brief = (...args: Parameters<typeof diffDefinitions>) =>
  diffDefinitions(...args).map(({ change, what, key, field }) => [change, what, key, field].join(" ").trim());

describe("the difference of two definitions", () => {
  it("names what was added, removed and changed, by field", () => {
    const before = workflow("a>b b>c", [
      node("a", { kind: "general-training", manifest: { command: "old", cpus: 1 } }),
      node("b", { trigger_rule: "all_done" }),
    ]);
    const after = workflow(
      "a>b b>d",
      [
        node("a", { kind: "general-training", manifest: { command: "new", cpus: 1, memory: 2 } }),
        node("b", { priority: 5, position: { x: 1, y: 2 } }),
      ],
      {
        description: "more",
        parameters: [{ name: "lr" }],
        options: { parallelism: 3 },
        finally: { nodes: [node("z")] },
        outputs: [{ name: "o", value: "1" }],
      },
    );
    expect(brief(before, after)).toEqual([
      "added option parallelism",
      "added definition  description",
      "added parameter lr",
      "changed node a manifest/command",
      "added node a manifest/memory",
      "changed node b trigger_rule",
      "changed node b priority",
      "added node b position",
      "removed node c",
      "added node d",
      "removed edge b -> c",
      "added edge b -> d",
      "added finally z",
      "added output o",
    ]);
  });

  it("order is no difference, and nothing differs from itself", () => {
    const ids = ["a", "b", "c", "d"];
    fc.assert(
      fc.property(fc.shuffledSubarray(ids, { minLength: 4 }), fc.boolean(), (order, flip) => {
        const edges = [edge("a", "b"), edge("b", "c"), edge("a", "d")];
        const before = workflow(
          "",
          ids.map((id) => node(id)),
          { edges },
        );
        const after = workflow(
          "",
          order.map((id) => node(id)),
          { edges: flip ? edges.toReversed() : edges },
        );
        expect(diffDefinitions(before, after)).toEqual([]);
      }),
    );
  });
});
