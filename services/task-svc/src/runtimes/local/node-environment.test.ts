import { groupId, nodeName, taskId, taskSpec } from "@aiep/contracts";
import { expect, test } from "vitest";
import { nodesOf } from "./layout.ts";
import { nodeEnvironment, SYSTEM_PATH } from "./node-environment.ts";

const paths = {
  code: "/aiep/code",
  resource: "/aiep/resource",
  home: "/aiep/home",
  left: "/aiep/left",
  run: "/aiep/run",
};

function environment(changes: object, node = "worker-0") {
  const spec = taskSpec.parse({
    mode: "Standalone",
    namespace: "ns",
    image: { url: "i", name: null },
    command: "true",
    env: {},
    identity: { user: "alice", uid: 1, gid: 1 },
    roles: [{ role: "worker", count: 1, cpu: 1, memory_gb: 1, gpu: 0, gpu_type: null }],
    mounts: [],
    code_package: null,
    material: null,
    run_limit_seconds: 1,
    ...changes,
  });
  const slot = nodesOf(spec).find(({ name }) => name === nodeName.parse(node));
  if (slot === undefined) throw new Error(`no node ${node}`);
  const workload = {
    taskId: taskId.parse("a".repeat(32)),
    attempt: 1,
    groupId: groupId.parse("g"),
    taskName: "t",
    createdBy: "alice",
    labels: {},
    spec,
    traceparent: undefined,
  };
  return nodeEnvironment({
    workload,
    node: slot,
    uid: "u",
    paths,
    ports: [1001, 1002, 1003],
    seen: (path) => path,
  });
}

const gpus = (count: number) => [{ role: "worker", count, cpu: 1, memory_gb: 1, gpu: 4, gpu_type: "A100" }];

test("PET_NPROC_PER_NODE is the number of GPUs of a node, and 1 without", () => {
  expect(environment({})["PET_NPROC_PER_NODE"]).toBe("1");
  expect(environment({ roles: gpus(1) })["PET_NPROC_PER_NODE"]).toBe("4");
});

test("WORLD_SIZE counts nodes, not GPUs", () => {
  expect(environment({ mode: "DDP", roles: gpus(2) }, "worker-1")).toMatchObject({
    WORLD_SIZE: "2",
    RANK: "1",
    MASTER_PORT: "1001",
    PET_NPROC_PER_NODE: "4",
  });
});

test("a user may set PATH and HOME, but none of the platform's variables", () => {
  const mine = {
    PATH: "/mine",
    HOME: "/home/alice",
    UPLOAD_CODE_DIR: "/x",
    AIEP_TASK_ID: "y",
    PET_NPROC_PER_NODE: "9",
  };
  expect(environment({ env: mine })).toMatchObject({
    PATH: "/mine",
    HOME: "/home/alice",
    UPLOAD_CODE_DIR: "/aiep/code",
    AIEP_TASK_ID: "a".repeat(32),
    PET_NPROC_PER_NODE: "1",
  });
  expect(environment({})["PATH"]).toBe(SYSTEM_PATH);
});

test("a mount's variable holds its target, and material has its two variables only when there is some", () => {
  const mounts = [{ source: "/ceph/a", target: "/data", read_only: true, env_name: "DATA_DIR" }];
  const env = environment({ mounts, material: { url: "file:///m", sha256: "0", filename: "m.zip" } });
  expect(env).toMatchObject({
    DATA_DIR: "/data",
    DEPEND_RESOURCE_PATH: "/aiep/resource",
    DEPEND_RESROUCE_FILENAME: "m.zip",
  });
  expect(environment({})["DEPEND_RESOURCE_PATH"]).toBeUndefined();
});

test("TF_CONFIG names every replica by its own loopback port", () => {
  const roles = [
    { role: "worker", count: 2, cpu: 1, memory_gb: 1, gpu: 0, gpu_type: null },
    { role: "ps", count: 1, cpu: 1, memory_gb: 1, gpu: 0, gpu_type: null },
  ];
  expect(JSON.parse(environment({ mode: "PS-Worker", roles }, "worker-1")["TF_CONFIG"] ?? "")).toEqual({
    cluster: { ps: ["127.0.0.1:1003"], worker: ["127.0.0.1:1001", "127.0.0.1:1002"] },
    task: { type: "worker", index: 1 },
    environment: "cloud",
  });
});

test("directories and values between tasks are named by variables", () => {
  const io = {
    input_directories: [{ name: "data", digest: `sha256:${"a".repeat(64)}`, path: "/in" }],
    output_directories: [{ name: "model", path: "/out" }],
    output_values: true,
  };
  expect(environment({ io })).toMatchObject({
    AIEP_INPUT_DATA: "/in",
    AIEP_OUTPUT_MODEL: "/out",
    AIEP_OUTPUTS: "/aiep/left/values.json",
  });
  expect(environment({})).not.toHaveProperty("AIEP_OUTPUTS");
});
