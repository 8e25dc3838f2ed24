import { MAX_WORKFLOW_NODES, type TriggerRule } from "@aiep/contracts";
import { describe, expect, it } from "vitest";
import { checkDefinition, effectiveEdges, nodeReferences, parseDefinition } from "./index.ts";
import { node, testCatalog, workflow } from "./testing/catalog.ts";

describe("a definition of the largest size", () => {
  const size = MAX_WORKFLOW_NODES;
  const before = (at: number, step: number) => `n${Math.max(0, at - step)}`;
  const nodes = Array.from({ length: size }, (_, at) =>
    node(`n${at}`, {
      kind: "http",
      manifest: {
        url: at === 0 ? "${base}" : `\${base}/\${run_date-1}/\${nodes.${before(at, 1)}.outputs.status}`,
      },
      ...(at % 10 === 5 ? { condition: `nodes.${before(at, 2)}.outputs.status == 200` } : {}),
    }),
  );
  const ids = nodes.map(({ id }) => id);
  const edges = ids.flatMap((target, at) =>
    [...new Set([1, 2, 7].map((step) => ids[at - step]))].flatMap((source) =>
      source === undefined ? [] : [{ source, target }],
    ),
  );

  it("is parsed and checked, references and all", () => {
    const parsed = parseDefinition({ nodes, edges, parameters: [{ name: "base" }] });
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems.slice(0, 3)));
    expect(checkDefinition(parsed.definition, { catalog: testCatalog, purpose: { kind: "run" } })).toEqual(
      [],
    );
    expect(effectiveEdges(parsed.definition, testCatalog).main).toHaveLength(edges.length);
  });
});

describe("effective edges", () => {
  const reader = (trigger_rule: TriggerRule) =>
    node("c", {
      kind: "http",
      manifest: { url: "${nodes.a.outputs.status}${nodes.a.outputs.body}" },
      condition: "nodes.b.state == 'Succeeded'",
      trigger_rule,
    });
  const implied = (readerRule: TriggerRule, between: TriggerRule) => {
    const a = node("a", { kind: "http", manifest: { url: "u" } });
    const definition = workflow("a>b x>b b>c", [a, node("b", { trigger_rule: between }), reader(readerRule)]);
    return effectiveEdges(definition, testCatalog)
      .main.filter(({ kind }) => kind === "implied")
      .map(({ source, target }) => `${source}>${target}`);
  };

  it.each<[TriggerRule, TriggerRule, string[]]>([
    ["all_success", "all_success", []],
    ["none_failed", "all_done", []],
    ["all_success", "one_success", ["a>c"]],
    ["all_success", "always", ["a>c"]],
    ["all_done", "all_success", ["a>c"]],
    ["one_failed", "all_success", ["a>c"]],
  ])("a reader with %s behind a node with %s: %j", (readerRule, between, expected) => {
    expect(implied(readerRule, between)).toEqual(expected);
  });

  it("leave reads of finally from the main graph alone: it has ended", () => {
    const definition = workflow("a", [node("a", { kind: "http", manifest: { url: "u" } })], {
      finally: { nodes: [node("f", { kind: "http", manifest: { url: "${nodes.a.outputs.status}" } })] },
    });
    expect(effectiveEdges(definition, testCatalog)).toEqual({ main: [], finally: [] });
  });
});

describe("what a node reads", () => {
  it("is gathered from manifest, condition, list, cache key", () => {
    const definition = workflow(
      "",
      [
        node("a", {
          kind: "general-training",
          manifest: { command: "x ${lr*scale} ${HOME} ${nodes.p.outputs.y} ${item.x} ${LOUD}" },
          condition: "params.on && nodes.q.state == 'Failed'",
          for_each: { items: "params.list" },
          cache: { key: "${run_date}" },
        }),
      ],
      { parameters: ["lr", "scale", "on", "list", "LOUD"].map((name) => ({ name })) },
    );
    const [first] = definition.nodes;
    if (first === undefined) throw new Error("no node");
    const references = nodeReferences(first, definition, testCatalog);
    expect([...references.parameters].sort()).toEqual(["LOUD", "list", "lr", "on", "scale"]);
    expect(references).toMatchObject({ outputs: [{ node: "p", output: "y" }], dates: true, item: true });
    expect([...references.states]).toEqual(["q"]);
  });
});
