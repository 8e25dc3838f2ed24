/** What leaves an installation and what comes in: files, bundles, compiled versions, and how large and deep they may be. */
import { MAX_WORKFLOW_BYTES } from "@aiep/contracts";
import { zipTextFiles } from "@aiep/service-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SAMPLE } from "../domain/flowjson/testing/sample.ts";
import { chain, startWorkflowApi, type WorkflowApi } from "./testing/workflow-api.ts";

let api: WorkflowApi;
beforeAll(async () => {
  api = await startWorkflowApi();
});
afterAll(async () => {
  await api?.[Symbol.asyncDispose]();
});

const zipOf = (files: Record<string, string>) => new Uint8Array(zipTextFiles(files));
const training = (over: object = {}) => ({
  nodes: [
    {
      id: "train",
      name: "train",
      kind: "general-training",
      manifest: {
        image_info: { name: "python" },
        compute_resource_info: { namespace: "ns-vision", node_info: { worker: { cpu_num: 1, memory: 1 } } },
        directories: { storage_root: "/data/ada", result_sub_dir: "models/${run_date}" },
        code_info: { command: "true" },
        ...over,
      },
    },
  ],
});

async function frozen(definition: unknown): Promise<string> {
  const id = await api.create(definition);
  await api.ok("freezeVersion", { params: { experiment_id: id } });
  return id;
}

describe("flowjson", () => {
  it("comes in as text and as a zip, and goes out as it came", async () => {
    const text = JSON.stringify(SAMPLE);
    const asText = await api.ok("createExperiment", { body: { name: "flow", flowjson: text } });
    const zip = zipOf({ "flowjson/flowjson.json": text });
    const asZip = await api.ok("importExperiment", { zip, query: { name: "zipped" } });
    expect(asZip.body.definition).toEqual(asText.body.definition);
    const params = { experiment_id: asText.body.id };
    const out = await api.ok("exportExperiment", { params, query: { format: "flowjson" } });
    expect(JSON.parse(out.text)).toEqual(SAMPLE);
    const again = await api.ok("createExperiment", { body: { name: "again", flowjson: out.text } });
    expect(again.body.definition).toEqual(asText.body.definition);
  });

  it("a zip without a flow, with two, or that is none is refused by what is wrong with it", async () => {
    for (const zip of [
      zipOf({ "other.json": "{}" }),
      zipOf({ "flowjson/flowjson.json": "{}", "b/flowjson.json": "{}" }),
      new Uint8Array(Buffer.from("PK\x03\x04 no zip")),
    ])
      expect((await api.refused("importExperiment", { zip })).code).toBe("FLOWJSON_ARCHIVE_INVALID");
    const broken = await api.refused("importExperiment", { zip: zipOf({ "flowjson/flowjson.json": "{" }) });
    expect(broken.code).toBe("WORKFLOW_INVALID");
  });
});

describe("limits", () => {
  it.each([
    [
      "10 001 nodes",
      { nodes: Array.from({ length: 10_001 }, (_, at) => ({ id: `n${at}`, name: `n${at}`, kind: "noop" })) },
    ],
    ["a name of 100 000 characters", { nodes: [{ id: "a", name: "x".repeat(100_000), kind: "noop" }] }],
    ["JSON nested 10 000 deep", `{"definition":${'{"nodes":['.repeat(5_000)}${"]}".repeat(5_000)}}`],
  ])("%s is refused with its place, and nothing is kept", async (name, definition) => {
    const body = typeof definition === "string" ? definition : { name: "huge", definition };
    // With a key, as every command line sends one: its fingerprint looks at the whole body.
    const headers = { "idempotency-key": `huge ${name}`.replaceAll(" ", "-") };
    const problem = await api.refused("createExperiment", { body, headers });
    expect(problem.status).toBe(422);
    expect(problem.errors?.length).toBeGreaterThan(0);
    const { body: list } = await api.ok("listExperiments", { query: { name_prefix: "huge" } });
    expect(list.items).toEqual([]);
  });

  it("a body far over the limit is refused before it is read", async () => {
    const body = `{"yaml":"${"x".repeat(2 * MAX_WORKFLOW_BYTES)}"}`;
    expect((await api.refused("validateDefinition", { body })).code).toBe("PAYLOAD_TOO_LARGE");
  });
});

describe("a bundle", () => {
  it("is signed, comes back whole, and a changed one is refused", async () => {
    const id = await frozen(training());
    const params = { experiment_id: id, version_name: "v1" };
    const { body: bundle } = await api.ok("exportBundle", { params });
    expect(bundle).toMatchObject({
      format: "aiep.workflow-bundle/1",
      version_name: "v1",
      exported_by: "ada",
    });
    const made = await api.ok("importBundle", { body: { bundle, name: "from there" } });
    expect(made.body.experiment).toMatchObject({ name: "from there", copied_from: `bundle test ${id} v1` });
    const changed = { ...bundle, definition: chain("a") };
    expect((await api.refused("importBundle", { body: { bundle: changed } })).code).toBe("BUNDLE_INVALID");
    const foreign = { ...bundle, signature: { ...bundle.signature, key_id: "0000000000000000" } };
    expect((await api.refused("importBundle", { body: { bundle: foreign } })).code).toBe("BUNDLE_UNTRUSTED");
    expect((await api.refused("importBundle", { body: { bundle: { format: "x" } } })).code).toBe(
      "BUNDLE_INVALID",
    );
  });

  it("is mapped to the names of here; what leads nowhere is listed first and nothing is created", async () => {
    const id = await frozen(training());
    const { body: bundle } = await api.ok("exportBundle", {
      params: { experiment_id: id, version_name: "v1" },
    });
    const eve = { user: "eve", body: { bundle, name: "mapped" } };
    const dry = await api.ok("importBundle", { ...eve, query: { dry_run: "true" } });
    expect(dry.body.references.map(({ kind, from, to }) => [kind, from, to])).toEqual([
      ["namespace", "ns-vision", null],
      ["image", "python", "python"],
      ["storage_root", "/data/ada", "/data/ada"],
    ]);
    const problem = await api.refused("importBundle", eve);
    expect(problem.code).toBe("BUNDLE_UNMAPPED");
    expect(problem.errors?.map(({ pointer }) => pointer)).toEqual(["/mapping/namespaces/ns-vision"]);
    expect((await api.ok("listExperiments", { user: "eve" })).body.items).toEqual([]);
    const mapping = { namespaces: { "ns-vision": "ns-speech" } };
    const made = await api.ok("importBundle", { user: "eve", body: { bundle, name: "mapped", mapping } });
    const params = { experiment_id: made.body.experiment?.id ?? "" };
    const { body } = await api.ok("getExperiment", { params, user: "eve" });
    expect(body.definition.nodes[0]?.manifest["compute_resource_info"]).toMatchObject({
      namespace: "ns-speech",
    });
    expect(body.definition.nodes[0]?.manifest["directories"]).toMatchObject({
      result_sub_dir: "models/${run_date}",
    });
  });
});

describe("compiling", () => {
  it("gives the target's document; what it cannot say is refused unless the loss is taken", async () => {
    const plain = { params: { experiment_id: await api.create(chain("a", "b")) } };
    const kfp = await api.ok("compileExperiment", { ...plain, body: { target: "kfp" } });
    expect(kfp.body.document).toContain("schemaVersion: 2.1.0");
    const argo = await api.ok("compileExperiment", { ...plain, body: { target: "argo" } });
    expect(argo.body.document).toContain("kind: Workflow");
    const approval = {
      nodes: [{ id: "ask", name: "ask", kind: "approval", manifest: { message: "go?" } }],
    };
    const params = { experiment_id: await api.create(approval) };
    const problem = await api.refused("compileExperiment", { params, body: { target: "kfp" } });
    expect(problem).toMatchObject({ code: "NOT_COMPILABLE" });
    const lossy = await api.ok("compileExperiment", { params, body: { target: "kfp", allow_loss: true } });
    expect(lossy.body.inexpressible.some(({ severity }) => severity === "refusal")).toBe(true);
  });
});
