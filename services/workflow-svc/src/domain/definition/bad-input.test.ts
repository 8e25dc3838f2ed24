/** Issue 6, "What bad input gets": a problem that names node and field, all problems at once. Row by row. */
import { MAX_WORKFLOW_NODES } from "@aiep/contracts";
import { describe, expect, it } from "vitest";
import { resolveParameters } from "../values/index.ts";
import { type CheckContext, checkDefinition, type DefinitionProblem, parseDefinition } from "./index.ts";
import { edge, node, testCatalog, workflow } from "./testing/catalog.ts";

const save: CheckContext = { catalog: testCatalog, purpose: { kind: "save" } };
const brief = ({ code, pointer, node: id, severity }: DefinitionProblem) =>
  [code, pointer, id ?? "-", ...(severity === "warning" ? ["warning"] : [])].join(" ");
const problems = (definition: ReturnType<typeof workflow>, context: CheckContext = save) =>
  checkDefinition(definition, context).map(brief);
const detail = (definition: ReturnType<typeof workflow>, context: CheckContext = save) =>
  checkDefinition(definition, context)[0]?.detail;
const shape = (value: unknown) => {
  const parsed = parseDefinition(value);
  return parsed.ok ? [] : parsed.problems.map(brief);
};
const train = (manifest: Record<string, string | number | Record<string, string>>, id = "train") =>
  node(id, { kind: "general-training", manifest });

describe("bad input", () => {
  it("a cycle names its nodes", () => {
    const definition = workflow("a>b b>c c>a c>d");
    expect(problems(definition)).toEqual(["CYCLE /edges/2 a"]);
    expect(detail(definition)).toContain("a → b → c → a");
  });

  it("every cycle is named, one problem a knot", () => {
    expect(problems(workflow("a>b b>a c>d d>e e>c x>a"))).toEqual(["CYCLE /edges/1 a", "CYCLE /edges/4 c"]);
  });

  it("a dangling edge", () => {
    const definition = workflow("a", [], { edges: [edge("a", "gone"), edge("lost", "a")] });
    expect(problems(definition)).toEqual([
      "UNKNOWN_NODE /edges/0/target gone",
      "UNKNOWN_NODE /edges/1/source lost",
    ]);
  });

  it("a duplicate edge", () => {
    expect(problems(workflow("a>b a>b"))).toEqual(["DUPLICATE_EDGE /edges/1 b"]);
  });

  it("a self edge", () => {
    expect(problems(workflow("a>a"))).toEqual(["SELF_EDGE /edges/0 a"]);
  });

  it("two nodes of one id or of one name", () => {
    expect(problems(workflow("", [node("a"), node("a"), node("b", { name: "a" })]))).toEqual([
      "DUPLICATE_ID /nodes/1/id a",
      "DUPLICATE_NAME /nodes/2/name b",
    ]);
  });

  it.each([
    ["${lr}", "UNKNOWN_VARIABLE", "declare it as a parameter; for a variable of the shell write $${lr}"],
    ["${run_dat-1}", "UNKNOWN_VARIABLE", "did you mean ${run_date}?"],
    ["${nodes.train}", "BAD_EXPRESSION", "cannot be read"],
    ["${run.datum}", "UNKNOWN_VARIABLE", "${run.date}"],
    ["${run_date*2}", "BAD_EXPRESSION", "+ and -"],
    ["${run_date--1}", "BAD_EXPRESSION", "cannot be read"],
    ["${run_date-days}", "UNKNOWN_VARIABLE", "days is not a parameter"],
    ["${item}", "UNKNOWN_VARIABLE", "for_each"],
  ])("an unknown variable in a command: %s", (text, code, says) => {
    const definition = workflow("", [train({ command: `run ${text}` })]);
    expect(problems(definition)).toEqual([`${code} /nodes/0/manifest/command train`]);
    expect(detail(definition)).toContain(says);
  });

  it("a name in capitals is the shell's in a script, and unknown anywhere else", () => {
    const shell = "cd ${CODE_DIR} && ${HOME:-/} ${#x} ${1} ${x:-${CODE_DIR}} $${lower} ${RANK-0}";
    expect(problems(workflow("", [train({ command: shell, environment: { A: "${DATA_DIR}" } })]))).toEqual(
      [],
    );
    expect(problems(workflow("", [node("h", { kind: "http", manifest: { url: "${BASE}/x" } })]))).toEqual([
      "UNKNOWN_VARIABLE /nodes/0/manifest/url h",
    ]);
  });

  it("an unknown job type in a native workflow", () => {
    const definition = workflow("", [node("a", { kind: "general-trainig" })]);
    expect(problems(definition)).toEqual(["UNKNOWN_KIND /nodes/0/kind a"]);
    expect(detail(definition)).toContain("did you mean general-training?");
    expect(problems(workflow("", [node("a", { kind: "foreign" })]))).toEqual([
      "UNKNOWN_KIND /nodes/0/kind a",
    ]);
  });

  it("an imported job type that we cannot run is kept, and refused when it would run", () => {
    const kept = node("old", {
      kind: "foreign",
      job_type: "linkis.appconn.mlflow.XGBoost",
      manifest: { x: "${y}" },
    });
    const definition = workflow("a", [kept]);
    expect(problems(definition)).toEqual(["UNSUPPORTED_KIND /nodes/0/kind old warning"]);
    expect(problems(definition, { ...save, purpose: { kind: "run" } })).toEqual([
      "UNSUPPORTED_KIND /nodes/0/kind old",
    ]);
    const [, other] = definition.nodes;
    const alone = new Set(other === undefined ? [] : [other.id]);
    expect(problems(definition, { ...save, purpose: { kind: "run", nodes: alone } })).toEqual([
      "UNSUPPORTED_KIND /nodes/0/kind old warning",
    ]);
    const disabled = workflow("a", [{ ...kept, enabled: false }]);
    expect(problems(disabled, { ...save, purpose: { kind: "run" } })).toEqual([
      "UNSUPPORTED_KIND /nodes/0/kind old warning",
    ]);
  });

  it("an output of a node that does not come before", () => {
    const reads = (id: string) => ({
      kind: "http",
      manifest: { url: `http://h/\${nodes.${id}.outputs.status}` },
    });
    const producer = node("p", { kind: "http", manifest: { url: "u" } });
    const definition = workflow("p>q q>r", [
      producer,
      node("sibling", reads("p")),
      node("r", reads("p")),
      node("self", reads("self")),
      node("typo", reads("pp")),
    ]);
    expect(problems(definition)).toEqual([
      "NOT_AN_ANCESTOR /nodes/1/manifest/url sibling",
      "NOT_AN_ANCESTOR /nodes/3/manifest/url self",
      "UNKNOWN_NODE /nodes/4/manifest/url typo",
    ]);
    expect(detail(definition)).toContain("draw an edge from p");
  });

  it("an output that nobody leaves, in a template, a condition, a list, a directory", () => {
    const producer = node("p", {
      kind: "general-training",
      manifest: { command: "x" },
      outputs: [{ name: "rows", type: "number" }],
      output_directories: [{ name: "model", path: "/out" }],
    });
    const definition = workflow("p>a p>b p>c p>d", [
      producer,
      node("a", { kind: "http", manifest: { url: "${nodes.p.outputs.row}" } }),
      node("b", { condition: "nodes.p.outputs.nothing > 1" }),
      node("c", { for_each: { items: "nodes.p.outputs.list" } }),
      node("d", {
        kind: "general-training",
        manifest: { command: "x" },
        input_directories: [
          { from: "p.models", path: "/in" },
          { from: "p.model", path: "/in2" },
          { from: "model", path: "/in3" },
        ],
      }),
    ]);
    expect(problems(definition)).toEqual([
      "UNKNOWN_OUTPUT /nodes/4/input_directories/2/from d",
      "UNKNOWN_OUTPUT /nodes/1/manifest/url a",
      "UNKNOWN_OUTPUT /nodes/2/condition b",
      "UNKNOWN_OUTPUT /nodes/3/for_each/items c",
      "UNKNOWN_OUTPUT /nodes/4/input_directories/0/from d",
    ]);
  });

  it("a wrong parameter type, in the declaration and in a run", () => {
    const definition = workflow("a", [], {
      parameters: [
        { name: "lr", type: "number", default: "fast" },
        { name: "mode", type: "string", enum: ["a", 1], default: "c" },
        { name: "mode" },
        { name: "run_date" },
        { name: "nodes" },
        { name: "day", default: "${run_date}" },
      ],
    });
    expect(problems(definition)).toEqual([
      "PARAMETER_TYPE /parameters/0/default -",
      "PARAMETER_TYPE /parameters/1/enum/1 -",
      "PARAMETER_TYPE /parameters/1/default -",
      "DUPLICATE_NAME /parameters/2/name -",
      "RESERVED_NAME /parameters/3/name -",
      "RESERVED_NAME /parameters/4/name -",
      "PARAMETER_TYPE /parameters/5/default -",
    ]);
    const { parameters } = workflow("a", [], {
      parameters: [
        { name: "lr", type: "number" },
        { name: "on", type: "boolean", default: true },
        { name: "must" },
      ],
    });
    const given = resolveParameters(parameters, { lr: [1], on: "maybe", of: 1 });
    expect(given.ok ? [] : given.problems.map(({ code, path }) => `${code} ${path.join()}`)).toEqual([
      "UNKNOWN_PARAMETER of",
      "WRONG_TYPE lr",
      "WRONG_TYPE on",
      "REQUIRED must",
    ]);
  });

  it("a value still holding ${, however deep", () => {
    const { parameters } = workflow("a", [], { parameters: [{ name: "p", type: "json" }] });
    for (const value of ["${run_mon_end}", ["x", { y: "a${b}" }], { "${k}": 1 }]) {
      const given = resolveParameters(parameters, { p: value });
      expect(given).toMatchObject({ ok: false, problems: [{ code: "UNRESOLVED_VALUE" }] });
    }
  });

  it(`${MAX_WORKFLOW_NODES + 1} nodes`, () => {
    const nodes = Array.from({ length: MAX_WORKFLOW_NODES + 1 }, (_, index) => node(`n${index}`));
    expect(shape({ nodes })).toEqual(["LIMIT /nodes -"]);
  });

  it("names of 100 000 characters", () => {
    const long = "x".repeat(100_000);
    expect(shape({ nodes: [{ id: "a", name: long, kind: "noop" }] })).toEqual(["LIMIT /nodes/0/name a"]);
    expect(shape({ nodes: [{ id: long, name: "a", kind: "noop" }] })).toEqual(["SHAPE /nodes/0/id -"]);
    expect(shape({ nodes: [{ id: "a", name: "a", kind: long }] })).toEqual(["SHAPE /nodes/0/kind a"]);
  });

  it("deep JSON", () => {
    let deep: unknown = 1;
    for (let level = 0; level < 100_000; level++) deep = [deep];
    expect(shape({ nodes: [{ id: "a", name: "a", kind: "noop", manifest: { deep } }] })).toEqual([
      "LIMIT  -",
    ]);
  });

  it("more than 8 MiB", () => {
    const manifest = { text: "é".repeat(5 * 1024 * 1024) };
    expect(shape({ nodes: [{ id: "a", name: "a", kind: "noop", manifest }] })).toEqual(["LIMIT  -"]);
  });

  it.each([undefined, null, 1, "x", [], { nodes: {} }, { nodes: [1] }, { node: [] }])(
    "no workflow at all: %j",
    (value) => {
      expect(shape(value)).not.toEqual([]);
    },
  );

  it("misspelt keys are told their right name", () => {
    const parsed = parseDefinition({
      nodes: [{ id: "a", name: "a", kind: "noop", trigger: "all_done", enable: true }],
    });
    expect(
      parsed.ok ? [] : parsed.problems.map(({ pointer, detail: text }) => `${pointer}: ${text}`),
    ).toEqual([
      '/nodes/0/trigger: There is no key "trigger" here; did you mean trigger_rule?',
      '/nodes/0/enable: There is no key "enable" here; did you mean enabled?',
    ]);
  });

  it("a manifest that does not fit its kind", () => {
    const definition = workflow("", [
      train({ command: "x", cpus: 100, gpu: 1, memory: "4GB" }, "a"),
      train({}, "b"),
      train({ command: "x", model: "DPP" }, "c"),
      train({ command: "x", model: "DDP", cpus: 1 }, "d"),
    ]);
    expect(problems(definition)).toEqual([
      "MANIFEST /nodes/0/manifest/cpus a",
      "MANIFEST /nodes/0/manifest/memory a",
      "MANIFEST /nodes/0/manifest/gpu a",
      "MANIFEST /nodes/1/manifest/command b",
      "MANIFEST /nodes/2/manifest/model c",
      "MANIFEST /nodes/3/manifest/cpus d",
    ]);
  });

  it("a variable in place of a number, a choice or a size is believed until it is known", () => {
    const manifest = { command: "x", cpus: "${cpus}", memory: "${gb}Gi", model: "${model}" };
    const parameters = [{ name: "cpus", type: "number" as const }, { name: "gb" }, { name: "model" }];
    expect(problems(workflow("", [train(manifest)], { parameters }))).toEqual([]);
  });

  it.each([
    ["params.x > 1", "UNKNOWN_VARIABLE"],
    ["1 + 1", "BAD_EXPRESSION"],
    ["item == 1", "UNKNOWN_VARIABLE"],
    ["1 +", "BAD_EXPRESSION"],
    ["nodes.b.state == 'Failed'", "NOT_AN_ANCESTOR"],
    ["nodes.zz.state == 'Failed'", "UNKNOWN_NODE"],
  ])("a condition %s", (condition, code) => {
    expect(problems(workflow("a>b", [node("a", { condition })]))).toEqual([`${code} /nodes/0/condition a`]);
  });

  it("lists that are none, or too long", () => {
    expect(
      problems(
        workflow("", [
          node("a", { for_each: { items: "'x'" } }),
          node("b", { for_each: { items: "item" } }),
          node("c", { for_each: { items: [1, 2, 3], max_items: 2 } }),
        ]),
      ),
    ).toEqual([
      "BAD_EXPRESSION /nodes/0/for_each/items a",
      "UNKNOWN_VARIABLE /nodes/1/for_each/items b",
      "LIMIT /nodes/2/for_each/items c",
    ]);
  });

  it("pools, zones, directories, duplicate declarations", () => {
    const definition = workflow(
      "",
      [
        node("a", { pool: { name: "gpu", slots: 9 } }),
        node("b", { pool: { name: "cpu" } }),
        node("c", {
          output_directories: [{ name: "x", path: "/x" }],
          outputs: [{ name: "o" }, { name: "o" }],
        }),
        node("d", { outputs: [{ name: "n", type: "number", default: "1" }] }),
      ],
      { options: { time_zone: "Mars/Olympus" } },
    );
    const pools = (name: string) => (name === "gpu" ? 8 : undefined);
    expect(problems(definition, { ...save, pools })).toEqual([
      "TIME_ZONE /options/time_zone -",
      "UNKNOWN_POOL /nodes/0/pool/slots a",
      "UNKNOWN_POOL /nodes/1/pool/name b",
      "DUPLICATE_NAME /nodes/2/outputs/1/name c",
      "MANIFEST /nodes/2/output_directories c",
      "PARAMETER_TYPE /nodes/3/outputs/0/default d",
    ]);
  });

  it("sub-workflows that are unknown, contain themselves, are too deep or want other parameters", () => {
    const start = (experiment: string, parameters = {}) =>
      node(experiment, { kind: "sub-workflow", manifest: { experiment, parameters } });
    const definition = workflow("", [
      start("gone"),
      start("self"),
      start("deep"),
      start("fine", { day: "1", x: 1 }),
    ]);
    const { parameters } = workflow("", [], { parameters: [{ name: "day" }, { name: "must" }] });
    const found = problems(definition, {
      ...save,
      subWorkflow: ({ experiment }) => {
        if (experiment === "gone") return "unknown";
        if (experiment === "self") return "recursive";
        return experiment === "deep" ? { levels: 5, parameters: [] } : { levels: 1, parameters };
      },
    });
    expect(found).toEqual([
      "SUB_WORKFLOW /nodes/0/manifest gone",
      "SUB_WORKFLOW /nodes/1/manifest self",
      "SUB_WORKFLOW /nodes/2/manifest deep",
      "SUB_WORKFLOW /nodes/3/manifest/parameters/x fine",
      "SUB_WORKFLOW /nodes/3/manifest/parameters fine",
    ]);
  });

  it("rules that say nothing or never hold are warned about", () => {
    const definition = workflow("a>b", [
      node("a", { allow_failure: true, trigger_rule: "all_done" }),
      node("b", { trigger_rule: "one_failed" }),
    ]);
    expect(problems(definition)).toEqual([
      "TRIGGER_RULE /nodes/0/trigger_rule a warning",
      "TRIGGER_RULE /nodes/1/trigger_rule b warning",
    ]);
  });

  it("a rule that may start a node before what it reads is there is warned about", () => {
    const read = (id: string, output: string) =>
      node(id, {
        kind: "http",
        manifest: { url: `\${nodes.p.outputs.${output}}` },
        trigger_rule: "one_success",
      });
    const definition = workflow("p>a p>b q>a q>b", [
      node("p", { kind: "http", manifest: { url: "u" }, outputs: [{ name: "rows", default: 0 }] }),
      read("a", "status"),
      read("b", "rows"),
    ]);
    expect(problems(definition)).toEqual(["TRIGGER_RULE /nodes/1/manifest/url a warning"]);
  });

  it("a workflow without nodes is saved and not run", () => {
    expect(problems(workflow(""))).toEqual(["NO_NODES /nodes - warning"]);
    expect(problems(workflow(""), { ...save, purpose: { kind: "run" } })).toEqual(["NO_NODES /nodes -"]);
  });

  it("what runs at the end is checked too, and may read everything", () => {
    const read = { kind: "http", manifest: { url: "${nodes.p.outputs.status} ${nodes.y.outputs.body}" } };
    const definition = workflow("", [node("p", { kind: "http", manifest: { url: "u" } })], {
      finally: {
        nodes: [node("x", read), node("y", { kind: "http", manifest: { url: "u" } })],
        edges: [edge("x", "y"), edge("y", "x")],
      },
    });
    expect(problems(definition)).toEqual(["CYCLE /finally/edges/1 x"]);
  });

  it("all problems at once, errors before warnings, and no more than can be read", () => {
    const definition = workflow("a>a b>b", [
      node("a", { trigger_rule: "always" }),
      node("c", { kind: "nope" }),
    ]);
    expect(problems(definition)).toEqual([
      "SELF_EDGE /edges/0 a",
      "SELF_EDGE /edges/1 b",
      "UNKNOWN_KIND /nodes/1/kind c",
      "TRIGGER_RULE /nodes/0/trigger_rule a warning",
    ]);
    const many = workflow(
      "",
      Array.from({ length: 600 }, (_, index) => node(`n${index}`, { kind: "nope" })),
    );
    const found = checkDefinition(many, save);
    expect(found).toHaveLength(501);
    expect(found.at(-1)?.detail).toContain("100 more problems");
  });
});
