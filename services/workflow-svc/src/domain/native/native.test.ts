import { type WorkflowDefinition, workflowDefinition } from "@aiep/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkDefinition } from "../definition/index.ts";
import { edge, node, testCatalog, workflow } from "../definition/testing/catalog.ts";
import { readFlowJson } from "../flowjson/index.ts";
import { SAMPLE } from "../flowjson/testing/sample.ts";
import { readNative, writeNative } from "./index.ts";

const back = (text: string): WorkflowDefinition => {
  const read = readNative(text);
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return read.definition;
};

describe("the native form", () => {
  it("is short: defaults are left out, edges stand on one line", () => {
    const definition = workflow(
      "train>evaluate",
      [
        node("train", {
          name: "Train it",
          kind: "general-training",
          manifest: { command: "cd /x\npython train.py --lr ${lr}\n", cpus: 2 },
          position: { x: 10, y: 20 },
        }),
        node("evaluate", { trigger_rule: "all_done" }),
      ],
      { parameters: [{ name: "lr", type: "number", default: 0.1 }], options: { parallelism: 2 } },
    );
    const text = writeNative(definition, "daily");
    expect(text).toBe(`name: daily
schema_version: 1
parameters:
  - name: lr
    type: number
    default: 0.1
options:
  parallelism: 2
nodes:
  - id: train
    name: Train it
    kind: general-training
    manifest:
      command: |
        cd /x
        python train.py --lr \${lr}
      cpus: 2
    position: { x: 10, y: 20 }

  - id: evaluate
    name: evaluate
    kind: noop
    trigger_rule: all_done
edges:
  - { source: train, target: evaluate }
`);
    expect(readNative(text)).toMatchObject({ ok: true, name: "daily" });
    expect(back(text)).toEqual(definition);
  });

  it("holds an imported flow as well", () => {
    const flow = readFlowJson(JSON.stringify(SAMPLE));
    if (!flow.ok) throw new Error("the sample is a flow");
    expect(back(writeNative(flow.definition))).toEqual(flow.definition);
  });

  it("comes back whatever stands in it", () => {
    const name = fc.stringMatching(/^[a-z]{1,5}$/);
    const json = fc.jsonValue({ maxDepth: 3 }).map((value): unknown => JSON.parse(JSON.stringify(value)));
    const text = fc.oneof(
      fc.string({ minLength: 1 }),
      fc.string({ minLength: 1, unit: "binary" }),
      fc.constantFrom(
        "a\nb",
        " x ",
        "yes",
        "1e3",
        "0x1",
        "~",
        "a: b",
        "# c",
        "|",
        "\t\n",
        "a \n\n b",
        "2026-03-01",
      ),
    );
    const definition = fc
      .record({
        description: text,
        parameters: fc.uniqueArray(fc.record({ name, type: fc.constant("json"), default: json }), {
          maxLength: 3,
          selector: (each) => each.name,
        }),
        nodes: fc.array(
          fc.record(
            {
              name: text,
              kind: fc.constantFrom("noop", "python"),
              description: text,
              manifest: fc.dictionary(text, fc.oneof(text, json), { noNullPrototype: true, maxKeys: 3 }),
              enabled: fc.boolean(),
            },
            { requiredKeys: ["name", "kind"] },
          ),
          { maxLength: 3 },
        ),
      })
      .map(({ nodes, ...rest }) => ({
        ...rest,
        nodes: nodes.map((each, index) => ({ ...each, id: `n${index}` })),
        edges: nodes.length > 1 ? [edge("n0", "n1")] : [],
      }));
    fc.assert(
      fc.property(definition, (input) => {
        const parsed = workflowDefinition.safeParse(input);
        fc.pre(parsed.success);
        expect(back(writeNative(parsed.data))).toEqual(parsed.data);
      }),
      { numRuns: 300 },
    );
  });
});

describe("faults of a file", () => {
  const problems = (text: string) => {
    const read = readNative(text);
    return read.ok
      ? []
      : read.problems.map(({ line, column, node: id, detail }) => [line, column, id, detail]);
  };

  it("have their line, their node and the key that was meant", () => {
    const text = `nodes:
  - id: a
    name: a
    kind: noop
    trigger_rul: all_done
  - id: b
    name: b
    kind: noop
    retries: { max: many }
    trigger_rule: all_don
edges:
  - { from: a, target: b }
`;
    expect(problems(text)).toEqual([
      [5, 5, "a", 'There is no key "trigger_rul" here; did you mean trigger_rule?'],
      [10, 19, "b", expect.stringContaining("did you mean all_done?")],
      [9, 21, "b", 'max: expected a number, found "many"'],
      [12, 5, undefined, "source: this is required"],
      [12, 7, undefined, expect.stringContaining('There is no key "from" here')],
    ]);
  });

  it("that need the whole graph have their line, too", () => {
    const text = "nodes:\n  - { id: a, name: a, kind: noop }\nedges:\n  - { source: a, target: a }\n";
    const read = readNative(text);
    if (!read.ok) throw new Error("it can be read");
    const found = checkDefinition(read.definition, { catalog: testCatalog, purpose: { kind: "save" } });
    expect(found.map(read.place)).toMatchObject([{ code: "SELF_EDGE", line: 4 }]);
  });

  it.each([
    ["a: [", 1],
    ["nodes: []\nnodes: []", 2],
    ["nodes:\n\t- x", 2],
    ["", 1],
    ["x".repeat(3 * 1024 * 1024), 1],
  ])("%# of YAML are named with their line", (text, line) => {
    expect(problems(text)[0]?.[0]).toBe(line);
  });

  it("a large file is read as JSON", () => {
    const nodes = Array.from({ length: 10_000 }, (_, index) => ({
      ...node(`n${index}`),
      description: "x".repeat(200),
    }));
    expect(back(JSON.stringify({ nodes })).nodes).toHaveLength(10_000);
  });
});
