import { type WorkflowDefinition, workflowDefinition } from "@aiep/contracts";
import { describe, expect, it } from "vitest";
import { generalTrainingManifest } from "../../components/general-training/manifest.ts";
import { pythonManifest } from "../../components/python/manifest.ts";
import { edge, node as native } from "../definition/testing/catalog.ts";
import { readFlowJson, writeFlowJson } from "./index.ts";
import { SAMPLE, sampleNode } from "./testing/sample.ts";

const read = (flow: object | string) => {
  const result = readFlowJson(typeof flow === "string" ? flow : JSON.stringify(flow));
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result;
};
const definitionOf = (flow: object) => read(flow).definition;
const nodeOf = (flow: object, id: string) => {
  const found = definitionOf(flow).nodes.find((node) => node.id === id);
  if (found === undefined) throw new Error(`no node ${id}`);
  return found;
};
const again = (definition: WorkflowDefinition): unknown => JSON.parse(writeFlowJson(definition));
const flowOf = (...nodes: object[]) => ({ edges: [], nodes });

describe("a flow of the v1 editor", () => {
  const { definition, problems } = read(SAMPLE);

  it("becomes nodes, edges, a parameter and a proxy user", () => {
    expect(definition.nodes.map(({ id, name, kind }) => `${id} ${name} ${kind}`)).toEqual([
      "n-check check_features datachecker",
      "n-prep prepare python",
      "n-train train general-training",
      "n-eval evaluate general-training",
    ]);
    expect(definition.edges.map(({ source, target }) => `${source}>${target}`)).toEqual([
      "n-check>n-prep",
      "n-prep>n-train",
      "n-train>n-eval",
    ]);
    expect(definition.parameters).toEqual([{ name: "lr", type: "string", default: "0.001" }]);
    expect(definition.options.proxy_user).toBe("alice");
    expect(definition.nodes.map(({ allow_failure }) => allow_failure)).toEqual([false, false, false, true]);
    expect(definition.nodes[0]).toMatchObject({
      description: "wait for yesterday's features",
      position: { x: 400, y: 40 },
      job_type: "linkis.appconn.mlflow.datachecker",
    });
  });

  it("gives a training node its image, resources, folders and command", () => {
    const { manifest } = nodeOf(SAMPLE, "n-train");
    expect(manifest).toEqual({
      image_info: { url: "registry.example/mlss-di:torch2-cu121" },
      compute_resource_info: {
        namespace: "ns-demo-risk",
        model: "Standalone",
        node_info: { worker: { cpu_num: 4, memory: 16, gpu_num: 1 } },
      },
      directories: {
        storage_root: "/data/mlss/alice",
        data_sub_dir: "demo/data",
        result_sub_dir: "demo/out",
        code_sub_dir: "demo/code",
      },
      code_info: { command: "python ${CODE_DIR}/train.py --date ${run_date} --lr ${lr}" },
    });
    expect(generalTrainingManifest.safeParse(manifest).error).toBeUndefined();
  });

  it("gives a python node its code, a datachecker its objects", () => {
    const python = nodeOf(SAMPLE, "n-prep").manifest;
    expect(python).toMatchObject({
      image_info: { url: "registry.example:5000/mlss-di:py310-cpu" },
      compute_resource_info: { namespace: "ns-demo-risk", node_info: { worker: { cpu_num: 2, memory: 4 } } },
      data_info: [
        { mlss_platform_parent_dir: "/data/mlss/alice", mapping_path: "/mnt/demo", access_mode: "ReadWrite" },
      ],
    });
    expect(pythonManifest.safeParse(python).error).toBeUndefined();
    expect(nodeOf(SAMPLE, "n-check").manifest).toEqual({
      data_setting: {
        data_source: "HiveDB",
        database_table_objects: [
          "risk_dw.features_daily{ds=${run_date}}",
          "risk_dw.labels_month{ds=${run_month_end-1}}",
        ],
        check_timeout: 43200,
      },
    });
  });

  it("leaves a variable of the shell to the shell, and says so", () => {
    expect(nodeOf(SAMPLE, "n-prep").manifest).toMatchObject({
      script: {
        command: "for f in a b; do python ${UPLOAD_CODE_DIR}/main.py --date ${run_date} $${f}; done",
      },
    });
    expect(problems.map(({ node, severity, detail }) => `${severity} ${node ?? "-"}: ${detail}`)).toEqual([
      "warning n-prep: ${f} is no parameter of the workflow and is left to the shell.",
      "warning n-eval: Its code eval.zip lies in another platform's store: upload the zip and set code_info.code_package_id.",
    ]);
  });

  it("leaves as it came", () => {
    expect(again(definition)).toEqual(SAMPLE);
    expect(Object.keys(again(definition) as object)).toEqual(Object.keys(SAMPLE));
  });
});

describe("other dialects", () => {
  it("the documents' bare sample, with its spelling, is kept until it is complete", () => {
    const flow = {
      edges: [{ source: "5655973f", target: "8c47c55b" }],
      nodes: ["5655973f", "8c47c55b"].map((id) => ({
        id,
        jobType: "linkis.appconn.mlflow.gpu",
        jobContent: { Manifest: {} },
      })),
    };
    const { definition, problems } = read(flow);
    expect(definition.nodes.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      "foreign 5655973f",
      "foreign 8c47c55b",
    ]);
    expect(problems[0]).toMatchObject({
      severity: "warning",
      node: "5655973f",
      detail: expect.stringContaining("framework.name, framework.command, namespace, cpus, memory"),
    });
    expect(again(definition)).toEqual(flow);
  });

  it("DSS: settings of a datachecker in params.configuration.runtime", () => {
    const flow = flowOf({
      key: "c",
      title: "check",
      jobType: "linkis.appconn.datachecker",
      params: {
        configuration: {
          runtime: {
            "source.type": "hivedb",
            "check.object": "sales_dw.orders{ds=${run_date}}",
            "max.check.hours": "6",
            "job.desc": "source.type.2=hivedb\ncheck.object.3=c.c\ncheck.object.2=sales_dw.customers",
          },
        },
      },
    });
    expect(nodeOf(flow, "c")).toMatchObject({
      kind: "datachecker",
      manifest: {
        data_setting: {
          data_source: "HiveDB",
          database_table_objects: ["sales_dw.orders{ds=${run_date}}", "sales_dw.customers", "c.c"],
          check_timeout: 21_600,
        },
      },
    });
    expect(again(definitionOf(flow))).toEqual(flow);
  });

  it("the newer canvas: position, one data store, viewport", () => {
    const train = sampleNode("n-train");
    const { layout: _layout, key: _key, ...rest } = train;
    const flow = {
      ...flowOf({ ...rest, id: "x1", position: { x: 7.5, y: -3 }, dimensions: { width: 1 } }),
      viewport: { x: 0, y: 0, zoom: 1.5 },
    };
    expect(nodeOf(flow, "x1").position).toEqual({ x: 7.5, y: -3 });
    expect(again(definitionOf(flow))).toEqual(flow);
  });

  it("dist-tf and DDP nodes with numbers as texts", () => {
    const distributed = (job_type: string, more: object) => {
      const node = sampleNode("n-train");
      return {
        ...node,
        jobContent: { ...node.jobContent, ManiFest: { ...node.jobContent.ManiFest, job_type, ...more } },
      };
    };
    const tf = nodeOf(
      flowOf(
        distributed("dist-tf", { learners: "2", pss: "1", ps_cpu: "0.5", ps_memory: "512Mi", cpus: "1.5" }),
      ),
      "n-train",
    ).manifest;
    expect(tf["compute_resource_info"]).toEqual({
      namespace: "ns-demo-risk",
      model: "PS-Worker",
      node_info: {
        worker: { nums: 2, cpu_num: 1.5, memory: 16, gpu_num: 1 },
        ps: { nums: 1, cpu_num: 0.5, memory: 0.5 },
      },
    });
    expect(generalTrainingManifest.safeParse(tf).error).toBeUndefined();
    expect(nodeOf(flowOf(distributed("DDP", { learners: 3 })), "n-train").manifest).toMatchObject({
      compute_resource_info: { model: "DDP", node_info: { worker: { nums: 3 } } },
    });
    expect(nodeOf(flowOf(distributed("DDP", {})), "n-train").kind).toBe("foreign");
    expect(nodeOf(flowOf(distributed("MLPipeline", {})), "n-train").kind).toBe("foreign");
  });

  it.each([
    "linkis.appconn.mlflow.XGBoost",
    "linkis.appconn.mlflow.model",
    "linkis.appconn.mlflow.model_predict",
    "linkis.spark.sql",
    "workflow.subflow",
    "something.new",
  ])("%s is kept and exported unchanged", (jobType) => {
    const flow = flowOf({
      key: "k",
      title: "t",
      jobType,
      jobContent: { content: { a: [1] }, embeddedFlowId: 5 },
    });
    expect(nodeOf(flow, "k")).toMatchObject({ kind: "foreign", job_type: jobType, manifest: {} });
    expect(again(definitionOf(flow))).toEqual(flow);
  });

  it("the connector of DSS is a no-op", () => {
    expect(nodeOf(flowOf({ key: "k", title: "t", jobType: "linkis.control.empty" }), "k").kind).toBe("noop");
  });

  it("variables: types, names that cannot be, the run's own date", () => {
    const { definition, problems } = read({
      ...flowOf(),
      props: [
        { "user.to.proxy": "bob" },
        { "a.b": "1" },
        { run_date: "20260101" },
        { plain: "x" },
        { day: "${run_date}" },
      ],
      global_variables: [
        { key: "n", type: "number", value: "0.5" },
        { key: "m", type: "model", value: { group_id: "g", model_id: "1", model_version_id: "2" } },
        { key: "bad", type: "number", value: "fast" },
      ],
    });
    expect(definition.parameters.map(({ name, type, default: value }) => [name, type, value])).toEqual([
      ["n", "number", 0.5],
      ["m", "model", { group_id: "g", model_id: "1", model_version_id: "2" }],
      ["bad", "number", undefined],
      ["plain", "string", "x"],
      ["day", "string", undefined],
    ]);
    expect(problems).toHaveLength(4);
  });
});

describe("an edited flow", () => {
  const edit = (change: (definition: WorkflowDefinition) => unknown) => {
    const { definition } = read(SAMPLE);
    return workflowDefinition.parse(change(structuredClone(definition)));
  };

  it("says the change in the flow's own words and leaves the rest", () => {
    const edited = edit(({ nodes, ...rest }) => ({
      ...rest,
      nodes: nodes.map((node) =>
        node.id === "n-train"
          ? {
              ...node,
              name: "train_big",
              position: { x: 1, y: 2 },
              allow_failure: true,
              manifest: {
                ...node.manifest,
                image_info: { url: "other:5000/img:v2" },
                code_info: { command: "python x.py" },
              },
            }
          : node,
      ),
    }));
    const expected: { nodes: object[] } = structuredClone(SAMPLE);
    const node = sampleNode("n-train");
    expected.nodes[2] = {
      ...node,
      title: "train_big",
      layout: { ...node.layout, x: 1, y: 2 },
      jobContent: {
        ...node.jobContent,
        ManiFest: {
          ...node.jobContent.ManiFest,
          framework: { name: "other:5000/img", version: "v2", command: "python x.py" },
          ignore_fail: 1,
        },
      },
    };
    expect(again(edited)).toEqual(expected);
  });

  it("carries what the flow has no words for in aiep, and reads it back", () => {
    const edited = edit(({ nodes, ...rest }) => ({
      ...rest,
      description: "ours",
      parameters: [
        { name: "lr", default: "0.01" },
        { name: "flags", type: "json", default: [1] },
      ],
      nodes: [
        ...nodes.map((node) =>
          node.id === "n-eval"
            ? { ...node, trigger_rule: "all_done", retries: { max: 2 }, enabled: false }
            : node,
        ),
        native("gate", { kind: "approval", position: { x: 0, y: 9 }, manifest: { allowed_users: ["bob"] } }),
      ],
      edges: [...rest.edges, edge("n-eval", "gate")],
      finally: { nodes: [native("bye")] },
    }));
    const flow = writeFlowJson(edited);
    expect(JSON.parse(flow)).toMatchObject({
      props: [{ "user.to.proxy": "alice" }, { lr: "0.01" }],
      aiep: { schema_version: 1, description: "ours" },
    });
    const back = read(flow).definition;
    const bare = ({ nodes, edges, foreign: _foreign, ...rest }: WorkflowDefinition) => ({
      ...rest,
      nodes: nodes.map(({ foreign: _f, job_type: _j, ...node }) => node),
      edges: edges.map(({ source, target }) => ({ source, target })),
    });
    expect(bare(back)).toEqual(bare(edited));
    expect(writeFlowJson(back)).toBe(flow);
  });
});

describe("what is no flow", () => {
  it.each([
    ["", "not JSON"],
    ["[]", "mapping"],
    ['{"nodes": {}}', "list of nodes"],
    ['{"nodes": [1]}', "no node"],
    ['{"nodes": [{"title": "x"}]}', "needs a key"],
    ['{"nodes": [], "edges": [{"source": "a"}]}', "key of its target"],
    [`${"[".repeat(5000)}${"]".repeat(5000)}`, "deeper"],
    [`{"nodes": [], "x": "${"y".repeat(9 * 1024 * 1024)}"}`, "8 MiB"],
  ])("%# is refused with the reason", (text, detail) => {
    const result = readFlowJson(text);
    expect(result.ok ? "" : result.problems[0]?.detail).toContain(detail);
  });

  it("keys that are no ids of ours are replaced, and come back in the export", () => {
    const flow = {
      edges: [{ source: "节点 1", target: "a b" }],
      nodes: [
        { key: "节点 1", title: "x" },
        { key: "a b", title: "y" },
        { key: "a_b", title: "z" },
      ],
    };
    const { definition } = read(flow);
    expect(new Set(definition.nodes.map(({ id }) => id)).size).toBe(3);
    expect(again(definition)).toEqual(flow);
  });
});
