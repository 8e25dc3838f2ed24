import type { WorkflowDefinitionInput } from "@aiep/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { compileToArgo } from "./argo/compile.ts";
import type { ArgoTask } from "./argo/workflow.ts";
import { compileWorkflow, TARGETS } from "./index.ts";
import { compileToKfp } from "./kfp/compile.ts";
import { safeNames } from "./names.ts";
import { compileInput, define } from "./testing/definitions.ts";

const kfp = (definition: WorkflowDefinitionInput) => compileToKfp(compileInput(define(definition)));
const argo = (definition: WorkflowDefinitionInput) => compileToArgo(compileInput(define(definition)));
const noop = (id: string, more: Partial<WorkflowDefinitionInput["nodes"][number]> = {}) => ({
  id,
  name: id,
  kind: "noop",
  ...more,
});
const edge = (source: string, target: string) => ({ source, target });

function argoTasks(definition: WorkflowDefinitionInput): ReadonlyMap<string, ArgoTask> {
  const [workflow] = argo(definition).documents;
  const main = workflow?.spec.templates.find(({ name }) => name === "main");
  return new Map(main?.dag?.tasks.map((task) => [task.name, task]));
}

function kfpTasks(definition: WorkflowDefinitionInput) {
  const [spec] = kfp(definition).documents;
  if (spec === undefined || !("root" in spec)) throw new Error("the first document is the PipelineSpec");
  return spec.root.dag?.tasks ?? {};
}

const RICH: WorkflowDefinitionInput = {
  description: "数据准备 and training",
  parameters: [
    { name: "lr", type: "number", default: 0.1 },
    { name: "full", type: "boolean", default: false },
    { name: "sources", type: "json", default: ["a", "b"] },
  ],
  options: { run_timeout_seconds: 3600.5 },
  nodes: [
    noop("5655973f", { name: "准备", outputs: [{ name: "rows", type: "number" }] }),
    noop("8c47c55b", {
      condition: "nodes['5655973f'].outputs.rows > 100 && (params.full || params.lr < 1.5)",
      manifest: { note: "${params.lr} of ${nodes.5655973f.outputs.rows} on ${run_date}" },
      run_timeout_seconds: 60,
      retries: { max: 1 },
    }),
    noop("each", {
      for_each: { items: "params.sources" },
      manifest: { of: "${item}" },
      outputs: [{ name: "size" }],
    }),
    noop("model", { output_directories: [{ name: "weights", path: "/out" }] }),
    noop("serve", { input_directories: [{ from: "model.weights", path: "/in" }] }),
  ],
  edges: [edge("5655973f", "8c47c55b"), edge("model", "serve")],
  finally: { nodes: [noop("notify")] },
};

describe("both targets", () => {
  it.each(TARGETS)(
    "%s: the same version compiles to the same bytes, whatever the order of its nodes' keys",
    (target) => {
      const once = compileWorkflow(target, compileInput(define(RICH))).text;
      const reversed = (value: object): object =>
        Object.fromEntries(Object.entries(value).reverse()) as WorkflowDefinitionInput["nodes"][number];
      const again = { ...RICH, nodes: RICH.nodes.map((node) => reversed(node) as typeof node) };
      expect(compileWorkflow(target, compileInput(define(again))).text).toBe(once);
    },
  );

  it.each(TARGETS)("%s: nothing in a rich workflow is refused", (target) => {
    const { inexpressible } = compileWorkflow(target, compileInput(define(RICH)));
    expect(inexpressible.filter(({ severity }) => severity === "refusal")).toEqual([]);
  });

  it.each(TARGETS)("%s: a disabled node passes through: its upstreams become its downstreams'", (target) => {
    const definition = {
      nodes: [noop("a"), noop("b", { enabled: false }), noop("c", { enabled: false }), noop("d")],
      edges: [edge("a", "b"), edge("b", "c"), edge("c", "d")],
    };
    if (target === "kfp") {
      expect(Object.keys(kfpTasks(definition))).toEqual(["n-a", "n-d"]);
      expect(kfpTasks(definition)["n-d"]?.dependentTasks).toEqual(["n-a"]);
    } else {
      expect([...argoTasks(definition).keys()]).toEqual(["n-a", "n-d"]);
      expect(argoTasks(definition).get("n-d")?.depends).toBe("n-a.Succeeded");
    }
  });

  it.each(TARGETS)(
    "%s: an output of a disabled node is its default, and without one that is refused",
    (target) => {
      const read = (output: { name: string; default?: number }) => ({
        nodes: [
          noop("a", { enabled: false, outputs: [output] }),
          noop("b", { manifest: { rows: "${nodes.a.outputs.rows}" } }),
        ],
        edges: [edge("a", "b")],
      });
      const compiled = (output: { name: string; default?: number }) =>
        compileWorkflow(target, compileInput(define(read(output))));
      expect(compiled({ name: "rows", default: 7 }).inexpressible).toEqual([]);
      expect(compiled({ name: "rows" }).inexpressible).toMatchObject([
        { severity: "refusal", node: "b", field: "manifest" },
      ]);
    },
  );

  it.each(TARGETS)("%s: a kind that only an import knows is refused by name", (target) => {
    const definition = { nodes: [noop("x", { kind: "foreign", job_type: "linkis.spark.sql" })] };
    expect(compileWorkflow(target, compileInput(define(definition))).inexpressible).toMatchObject([
      { node: "x", field: "kind", detail: expect.stringContaining("linkis.spark.sql") },
    ]);
  });

  it("names are legal and distinct for any ids", () => {
    const ids = fc.uniqueArray(fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$/), { minLength: 1 });
    fc.assert(
      fc.property(ids, (given) => {
        const names = [...safeNames(given).values()];
        expect(new Set(names).size).toBe(given.length);
        for (const name of names) {
          expect(name).toMatch(/^[a-z][a-z0-9-]{0,62}$/);
          expect(name).not.toMatch(/-driver$/);
        }
      }),
    );
  });
});

describe("KFP", () => {
  it("lists what KFP cannot say, each with node and field", () => {
    const { inexpressible } = kfp({
      options: { on_failure: "fail_fast", parallelism: 2, max_active_runs: 1, priority: 3 },
      nodes: [
        noop("a", { allow_failure: true, pool: { name: "gpu" }, queue_timeout_seconds: 5, priority: 1 }),
        noop("b", { trigger_rule: "all_done", retries: { max: 1, on: ["system"] } }),
        noop("c", { kind: "approval", cache: {} }),
        noop("d", { for_each: { items: "[1, 2].map(x, x * 2)" }, condition: "run.id == 'x'" }),
      ],
      edges: [edge("a", "b")],
      finally: { nodes: [noop("e"), noop("f")], edges: [edge("e", "f")] },
    });
    const refused = inexpressible.filter(({ severity }) => severity === "refusal");
    expect(
      refused.map(({ node, field }) => (node === undefined ? field : `${node} ${field}`)).sort(),
    ).toEqual([
      "a allow_failure",
      "a pool",
      "a queue_timeout_seconds",
      "b retries/on",
      "b trigger_rule",
      "c kind",
      "d condition",
      "d for_each/items",
      "finally",
      "options/max_active_runs",
      "options/on_failure",
      "options/parallelism",
    ]);
  });

  it("carries each manifest in a Secret that the step's volume names", () => {
    const { documents, secrets } = kfp(RICH);
    const platform = documents.find((document) => "platforms" in document);
    const executors = platform?.platforms.kubernetes.deploymentSpec.executors ?? {};
    const mounted = Object.values(executors).map(({ secretAsVolume }) => secretAsVolume[0]?.secretName);
    expect(mounted).toEqual(secrets.map(({ name }) => name));
    expect(secrets[1]?.data["manifest.yaml"]).toContain("${params.lr} of ${nodes.5655973f.outputs.rows}");
    expect(executors["exec-n-8c47c55b"]?.activeDeadlineSeconds).toBe(60);
    expect(platform?.platforms.kubernetes.pipelineConfig).toEqual({ activeDeadlineSeconds: 3601 });
  });

  it("writes a condition over the task's own inputs, numbers as doubles", () => {
    const definition = { ...RICH, finally: undefined };
    expect(kfpTasks(definition)["n-8c47c55b"]?.triggerPolicy?.condition).toBe(
      "((inputs.parameter_values['n_5655973f__rows'] > 100.0) && (inputs.parameter_values['full'] || (inputs.parameter_values['lr'] < 1.5)))",
    );
  });
});

describe("Argo", () => {
  it("lists what Argo cannot say, each with node and field", () => {
    const { inexpressible } = argo({
      parameters: [{ name: "tricky", default: "{{workflow.name}}" }],
      options: { max_active_runs: 2, max_active_policy: "skip" },
      nodes: [
        noop("a", { pool: { name: "gpu", slots: 2 }, queue_timeout_seconds: 5, kind: "sub-workflow" }),
        noop("b", { for_each: { items: "[1].map(x, x)", parallelism: 1 } }),
        noop("c", { condition: "params.tricky.matches('}}')" }),
      ],
    });
    const refused = inexpressible.filter(({ severity }) => severity === "refusal");
    expect(
      refused.map(({ node, field }) => (node === undefined ? field : `${node} ${field}`)).sort(),
    ).toEqual([
      "a kind",
      "a pool/slots",
      "a queue_timeout_seconds",
      "b for_each/items",
      "b for_each/parallelism",
      "c condition",
      "options/max_active_policy",
      "options/max_active_runs",
      "parameters/tricky",
    ]);
  });

  it("a failure that a later rule takes care of still fails the run, by a last task", () => {
    const definition = {
      nodes: [noop("a"), noop("b", { trigger_rule: "all_done" as const })],
      edges: [edge("a", "b")],
    };
    expect(argoTasks(definition).get("aiep-verdict")?.depends).toBe("n-a.Failed || n-a.Errored");
  });

  it("a leaf that may fail is followed by an empty task, so that it does not fail the run", () => {
    const tasks = argoTasks({ nodes: [noop("a", { allow_failure: true })] });
    expect(tasks.get("n-a-x")).toMatchObject({ template: "aiep-nothing" });
  });

  it("a user's {{ in a manifest is never read as a template", () => {
    const [workflow] = argo({
      nodes: [noop("a", { manifest: { code: "print('{{workflow.uid}}')" } })],
    }).documents;
    const data =
      workflow?.spec.templates.find(({ name }) => name === "n-a")?.inputs?.artifacts?.[0]?.raw?.data ?? "";
    expect(data).not.toContain("{{");
    expect(parseAllDocuments(data)[0]?.toJS()).toMatchObject({
      manifest: { code: "print('{{workflow.uid}}')" },
    });
  });

  it("values are bound to parameters, outputs and items; a fan-out over a parameter uses it", () => {
    const tasks = argoTasks(RICH);
    expect(tasks.get("n-8c47c55b")?.arguments?.parameters).toEqual([
      { name: "lr", value: "{{workflow.parameters.lr}}" },
      { name: "full", value: "{{workflow.parameters.full}}" },
      { name: "run_date", value: "{{workflow.parameters.run_date}}" },
      { name: "n_5655973f__rows", value: "{{tasks.n-5655973f.outputs.parameters.rows}}" },
    ]);
    expect(tasks.get("n-8c47c55b")?.when).toBe(
      '{{=((asFloat(tasks["n-5655973f"].outputs.parameters["rows"]) > 100) && ((workflow.parameters["full"] == "true") || (asFloat(workflow.parameters["lr"]) < 1.5))) ? "yes" : "no"}} == yes',
    );
    expect(tasks.get("n-each")?.withParam).toBe("{{workflow.parameters.sources}}");
    expect(tasks.get("n-serve")?.arguments?.artifacts).toEqual([
      { name: "n_model__weights", from: "{{tasks.n-model.outputs.artifacts.weights}}" },
    ]);
  });
});
