import { submitTaskBody } from "@aiep/contracts";
import { describe, expect, it } from "vitest";
import type { ManifestObject } from "../component.ts";
import { contextOf } from "../testing/context.ts";
import { generalTraining } from "./component.ts";

const resources = { namespace: "ns-demo", node_info: { worker: { cpu_num: 2, memory: 4 } } };
const settings = {
  image_info: { name: "torch" },
  compute_resource_info: resources,
  code_info: { command: "python train.py" },
};

function taskOf(manifest: ManifestObject, changes: Parameters<typeof contextOf>[1] = {}) {
  const prepared = generalTraining.toTask(contextOf(manifest, changes));
  if (prepared.kind === "failed") throw new Error(prepared.message);
  return submitTaskBody.parse(prepared.value);
}

describe("a training node", () => {
  it("becomes a task of the run that carries its names", () => {
    const {
      task_config: config,
      code_files,
      code_package_id,
    } = taskOf(settings, { node: { description: "fit" } });
    expect(config.metadata).toEqual({
      name: "first",
      group_id: "g1",
      description: "fit",
      experiment_id: "e".repeat(32),
      experiment_run_id: "a".repeat(32),
      experiment_version_name: "v3",
    });
    expect(config.compute_resource_info).toEqual({
      ...resources,
      model: "Standalone",
      node_info: { worker: { nums: 1, cpu_num: 2, memory: 4 } },
    });
    expect(config.data_info).toBeUndefined();
    expect([code_files, code_package_id]).toEqual([undefined, undefined]);
  });

  it("names the child of a for_each, within the length of a task's name", () => {
    const child = { key: "n1[12]", name: "x".repeat(256) };
    expect(taskOf(settings, { node: child }).task_config.metadata.name).toBe(`${"x".repeat(249)}[12]`);
  });

  it("runs as the workflow's proxy user unless it has its own", () => {
    const run = { proxyUser: "svc-train" };
    const proxyOf = (manifest: ManifestObject) => {
      const { proxy_user, proxy_user_id } = taskOf(manifest, { run }).task_config.metadata;
      return [proxy_user, proxy_user_id];
    };
    expect(proxyOf(settings)).toEqual(["svc-train", undefined]);
    expect(proxyOf({ ...settings, metadata: { proxy_user: "own" } })).toEqual(["own", undefined]);
    expect(proxyOf({ ...settings, metadata: { proxy_user_id: "p7" } })).toEqual([undefined, "p7"]);
  });

  it("finds its folders in DATA_DIR, RESULT_DIR and CODE_DIR, before its own mounts", () => {
    const mounts = taskOf({
      ...settings,
      directories: {
        storage_root: "/data/alice",
        data_sub_dir: "features",
        result_sub_dir: "",
        code_root: "/data/public",
        code_sub_dir: "src",
      },
      data_info: [{ mlss_platform_parent_dir: "/data/alice", mapping_path: "/extra" }],
    }).task_config.data_info;
    const told = mounts?.map((each) => [
      each.mapping_path_name,
      `${each.mlss_platform_parent_dir}+${each.mlss_platform_sub_dir ?? ""}`,
      each.mapping_path,
      each.access_mode,
    ]);
    expect(told).toEqual([
      ["RESULT_DIR", "/data/alice+", "/workspace/result", "ReadWrite"],
      ["DATA_DIR", "/data/alice+features", "/workspace/data", "Read"],
      ["CODE_DIR", "/data/public+src", "/workspace/code", "Read"],
      [undefined, "/data/alice+", "/extra", "Read"],
    ]);
  });

  it("runs as DDP and PS-Worker with the task file's words, code package, material and variables", () => {
    const worker = { nums: 2, cpu_num: 1, memory: 1 };
    const material = { type: "Model", model_id: "m", model_version_id: "1" };
    const whole = taskOf({
      ...settings,
      compute_resource_info: {
        ...resources,
        model: "PS-Worker",
        node_info: { worker, ps: { ...worker, nums: 1 } },
      },
      code_info: { command: "sh run.sh", code_package_id: "c".repeat(32) },
      material_info: material,
      set_envs: { A: "1" },
    });
    expect(whole).toMatchObject({
      task_config: { compute_resource_info: { model: "PS-Worker" }, material_info: material },
      set_envs: { A: "1" },
      code_package_id: "c".repeat(32),
    });
  });
});

describe("what does not fit together", () => {
  const worker = { nums: 2, cpu_num: 1, memory: 1 };
  it.each<[string, ManifestObject, (string | number)[], string]>([
    [
      "several nodes alone",
      { compute_resource_info: { ...resources, node_info: { worker } } },
      ["compute_resource_info", "node_info", "worker", "nums"],
      "1",
    ],
    ["no image", { image_info: {} }, ["image_info"], "one of"],
    [
      "a folder without a root",
      { directories: { data_sub_dir: "x" } },
      ["directories", "storage_root"],
      "data_sub_dir",
    ],
    [
      "a second writable root",
      {
        directories: { storage_root: "/data/alice", result_sub_dir: "out" },
        data_info: [{ mlss_platform_parent_dir: "/data/bob", access_mode: "ReadWrite" }],
      },
      ["data_info", 0, "mlss_platform_parent_dir"],
      "first entry",
    ],
  ])("%s is refused at its field", (_what, change, path, detail) => {
    const manifest = { ...settings, ...change };
    expect(generalTraining.checkRules(manifest)).toEqual([{ path, detail: expect.stringContaining(detail) }]);
    expect(generalTraining.toTask(contextOf(manifest))).toMatchObject({
      kind: "failed",
      failure: "validation",
    });
  });
});
