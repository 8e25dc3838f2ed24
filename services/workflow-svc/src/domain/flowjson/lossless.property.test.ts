/** E1, for flows and definitions that nobody thought of. */
import { type WorkflowDefinition, type WorkflowDefinitionInput, workflowDefinition } from "@aiep/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json } from "../values/index.ts";
import { readFlowJson, writeFlowJson } from "./index.ts";
import { readJsonText, writeJsonText } from "./json-text.ts";

/** JSON text with numbers as nobody's `JSON.stringify` writes them. */
const number = fc.oneof(
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 80n }).map(String),
  fc.constantFrom("1.0", "-0", "1e3", "0.10", "1E400", "12345678901234567890.5"),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
);
const key = fc.oneof(
  fc.string(),
  fc.constantFrom(
    "__proto__",
    "$__proto__",
    "$exact_number",
    "$$exact_number",
    "constructor",
    "1",
    "",
    "foreign",
    "aiep",
  ),
);
const text = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.oneof(
      number,
      fc.string().map((value) => JSON.stringify(value)),
      fc.constantFrom("null", "true", "[]", "{}"),
    ),
    fc.array(tie("json"), { maxLength: 3 }).map((items) => `[${items.join(",")}]`),
    fc.uniqueArray(fc.tuple(key, tie("json")), { maxLength: 4, selector: ([name]) => name }).map(objectText),
  ),
})).json;

function objectText(entries: readonly (readonly [string, string])[]): string {
  return `{${entries.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(",")}}`;
}

const WORDS = [
  "title",
  "desc",
  "jobType",
  "layout",
  "position",
  "params",
  "jobContent",
  "resources",
  "aiep",
  "key",
  "id",
  "type",
  "ManiFest",
  "Manifest",
  "framework",
  "name",
  "version",
  "command",
  "cpus",
  "gpus",
  "memory",
  "namespace",
  "job_type",
  "learners",
  "data_stores",
  "connection",
  "path",
  "training_data",
  "container",
  "ignore_fail",
  "depend_resources",
  "meta_data",
  "script",
  "source_code",
  "data_setting",
  "database_table_objects",
  "check_timeout",
  "x",
  "y",
] as const;
/** Known words with known or arbitrary values: types drift. */
const drifting = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 3 },
    text,
    fc.constantFrom(
      '"Local"',
      '"dist-tf"',
      '"4Gi"',
      "1",
      '"1"',
      "0",
      '"${lr}"',
      '"echo ${x} $${y}"',
      '"a.b{ds=${run_date}}"',
      '""',
    ),
    fc
      .uniqueArray(fc.tuple(fc.constantFrom(...WORDS), tie("json")), {
        maxLength: 6,
        selector: ([name]) => name,
      })
      .map(objectText),
  ),
})).json;

const node = (id: string) =>
  fc
    .tuple(
      fc.uniqueArray(fc.tuple(fc.oneof(fc.constantFrom(...WORDS.slice(0, 10)), key), drifting), {
        maxLength: 6,
        selector: ([name]) => name,
      }),
      fc.constantFrom("gpu", "python", "datachecker", "XGBoost"),
      drifting,
    )
    .map(([more, type, manifest]) => {
      const own: [string, string][] = [
        ["key", JSON.stringify(id)],
        ["jobType", JSON.stringify(`linkis.appconn.mlflow.${type}`)],
        ["jobContent", objectText([["ManiFest", manifest]])],
      ];
      const taken = new Set(own.map(([name]) => name));
      return objectText([...more.filter(([name]) => !taken.has(name) && name !== "title"), ...own]);
    });

const flow = fc
  .record({
    nodes: fc.tuple(node("a"), node("b 节"), node("c")),
    edges: fc.subarray([
      '{"source":"a","target":"b 节","x":1.0}',
      '{"target":"c","label":{"__proto__":1},"source":"b 节"}',
    ]),
    top: fc.uniqueArray(
      fc.tuple(
        fc.oneof(key, fc.constantFrom("props", "global_variables", "labels", "scheduleParams")),
        drifting,
      ),
      { maxLength: 5, selector: ([name]) => name },
    ),
    split: fc.nat(5),
  })
  .map(({ nodes, edges, top, split }) => {
    const rest = top.filter(([name]) => name !== "nodes" && name !== "edges");
    return objectText([
      ...rest.slice(0, split),
      ["edges", `[${edges.join(",")}]`],
      ["nodes", `[${nodes.join(",")}]`],
      ...rest.slice(split),
    ]);
  });

/** Numbers as written, order of keys: all that a JSON text says. */
const said = (json: string): string => {
  const read = readJsonText(json);
  if (!read.ok) throw new Error(read.detail);
  return JSON.stringify(read.value);
};

describe("nothing is lost", () => {
  it("any JSON text is read and written back, digit for digit", () => {
    fc.assert(
      fc.property(text, (json) => {
        const read = readJsonText(json);
        if (!read.ok) throw new Error(read.detail);
        expect(said(writeJsonText(read.value))).toBe(said(json));
      }),
      { numRuns: 500 },
    );
    expect(writeJsonText(readValue('{"a":12345678901234567890,"b":[1.0,-0]}'), "")).toBe(
      '{\n"a": 12345678901234567890,\n"b": [\n1.0,\n-0\n]\n}',
    );
  });

  it("any flow leaves as it came, with keys and values that we do not know, in their order", () => {
    let taken = 0;
    fc.assert(
      fc.property(flow, (json) => {
        const read = readFlowJson(json);
        if (!read.ok) return;
        taken++;
        expect(said(writeFlowJson(read.definition))).toBe(said(json));
        // What is stored in between is JSON.
        const stored = workflowDefinition.parse(JSON.parse(JSON.stringify(read.definition)));
        expect(said(writeFlowJson(stored))).toBe(said(json));
      }),
      { numRuns: 150 },
    );
    expect(taken).toBeGreaterThan(75);
  });

  it("any definition comes back from its flow, however it was edited", () => {
    fc.assert(
      fc.property(fc.option(flow), definition, (start, edit) => {
        const read = start === null ? undefined : readFlowJson(start);
        const base = read?.ok === true ? read.definition : undefined;
        const edited = workflowDefinition.parse({
          ...edit,
          ...(base?.foreign === undefined ? {} : { foreign: base.foreign }),
          nodes: (edit.nodes ?? []).map((each, index) => {
            const kept = base?.nodes[index];
            return kept === undefined ? each : { ...each, id: kept.id, foreign: kept.foreign };
          }),
          edges: [],
        });
        const back = readFlowJson(writeFlowJson(edited));
        if (!back.ok) throw new Error(JSON.stringify(back.problems));
        expect(bare(back.definition)).toEqual(bare(edited));
      }),
      { numRuns: 150 },
    );
  });
});

const readValue = (json: string): Json => {
  const read = readJsonText(json);
  if (!read.ok) throw new Error(read.detail);
  return read.value;
};

/** Without what follows from the flow itself. */
function bare({ nodes, edges: _edges, foreign: _foreign, ...rest }: WorkflowDefinition): unknown {
  return {
    ...rest,
    nodes: nodes.map(({ foreign: _f, job_type: _j, id: _i, position: _p, ...each }) => each),
  };
}

const plainJson = fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value)) as Json);
const name = fc.stringMatching(/^[a-z_][a-z0-9_]{0,5}$/).filter((each) => !each.includes("__proto__"));
const definition = fc
  .record(
    {
      description: fc.string({ minLength: 1 }),
      parameters: fc.uniqueArray(
        fc.record({
          name,
          type: fc.constantFrom("string" as const, "number" as const, "json" as const),
          default: fc.oneof(
            fc.string(),
            fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value || 0),
          ),
        }),
        { maxLength: 4, selector: ({ name: each }) => each },
      ),
      options: fc.record(
        { proxy_user: fc.string({ minLength: 1, maxLength: 9 }), priority: fc.integer({ min: -9, max: 9 }) },
        { requiredKeys: [] },
      ),
      nodes: fc.array(
        fc.record(
          {
            name: fc.string({ minLength: 1, maxLength: 20 }),
            kind: fc.constantFrom("noop", "general-training", "python", "datachecker", "http", "approval"),
            description: fc.string({ minLength: 1 }),
            trigger_rule: fc.constantFrom("all_done" as const, "all_success" as const),
            allow_failure: fc.boolean(),
            enabled: fc.boolean(),
            manifest: fc.dictionary(
              fc.constantFrom(
                "code_info",
                "image_info",
                "script",
                "compute_resource_info",
                "directories",
                "data_setting",
                "x",
              ),
              fc.oneof(
                plainJson,
                fc.constantFrom({ command: "a ${x} $${y}", url: "h:1/i:2", namespace: "n" }),
              ),
              { noNullPrototype: true },
            ),
          },
          { requiredKeys: ["name", "kind"] },
        ),
        { maxLength: 4 },
      ),
    },
    { requiredKeys: ["nodes"] },
  )
  .map(({ nodes, ...rest }) => ({
    ...rest,
    nodes: nodes.map((each, index) => ({
      ...each,
      id: `n${index}` as WorkflowDefinitionInput["nodes"][number]["id"],
    })),
  })) satisfies fc.Arbitrary<WorkflowDefinitionInput>;
