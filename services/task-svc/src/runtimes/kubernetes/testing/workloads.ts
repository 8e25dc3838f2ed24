/** Workloads and directory facts for the tests of the builder and the observer. */
import { type Directory, directory, groupId, type TaskSpec, taskId, taskSpec } from "@aiep/contracts";
import type { Workload } from "../../../domain/runtime.ts";
import type { Grant } from "../downloads.ts";
import type { BuildFacts } from "../job-builder/build.ts";

export const TASK = taskId.parse("7f3a9c21000000000000000000000001");

export const DIRECTORY: Directory = directory.parse({
  users: [],
  groups: [],
  namespaces: [
    { name: "ns-plain", quota: { cpu: 100, memory_gb: 100 } },
    {
      name: "ns-gpu",
      quota: { cpu: 100, memory_gb: 100, gpu: 8 },
      node_selector: { pool: "gpu" },
      tolerations: [{ key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" }],
    },
    { name: "ns-volcano", quota: { cpu: 100, memory_gb: 100 }, gang: "volcano", queue: "research" },
    { name: "ns-cosched", quota: { cpu: 100, memory_gb: 100 }, gang: "scheduler-plugins" },
    { name: "ns-kueue", quota: { cpu: 100, memory_gb: 100 }, gang: "kueue", queue: "research" },
  ],
  storage_roots: [
    { path: "/ceph", host_path: "/mnt/ceph" },
    { path: "/ceph/team", volume: { kind: "pvc", claim: "team", sub_path: "data" } },
    { path: "/nfs", volume: { kind: "nfs", server: "10.0.0.9", path: "/export" } },
  ],
  gpu_types: [
    { name: "A100", resource: "nvidia.com/gpu" },
    { name: "Ascend910", resource: "huawei.com/Ascend910" },
  ],
});

/** Of a task that fetches nothing and leaves nothing. */
export const NO_GRANT: Grant = {
  downloads: { code: undefined, material: undefined, given: undefined },
  downloadToken: "",
  sending: undefined,
};
export const NO_RECORDS = { read: async () => undefined, remove: async () => undefined };

export function factsOf(namespace: string, changes: Partial<BuildFacts> = {}): BuildFacts {
  const found = DIRECTORY.namespaces.find(({ name }) => name === namespace);
  if (found === undefined) throw new TypeError(`no namespace ${namespace}`);
  return {
    namespace: found,
    storageRoots: DIRECTORY.storage_roots,
    gpuTypes: DIRECTORY.gpu_types,
    instance: "aiep-test",
    prepareImage: "registry.example/aiep-prepare:1",
    ...NO_GRANT,
    ...changes,
  };
}

type Role = TaskSpec["roles"][number];

export function role(name: Role["role"], count: number, changes: Partial<Role> = {}): Role {
  return { role: name, count, cpu: 1, memory_gb: 2, gpu: 0, gpu_type: null, ...changes };
}

export function workloadOf(spec: Partial<TaskSpec> = {}, changes: Partial<Workload> = {}): Workload {
  return {
    taskId: TASK,
    attempt: 1,
    groupId: groupId.parse("vision"),
    taskName: "first steps",
    createdBy: "ana",
    labels: {},
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    spec: taskSpec.parse({
      mode: "Standalone",
      namespace: "ns-plain",
      image: { url: "registry.example/torch:1", name: null },
      command: "python train.py",
      env: {},
      identity: { user: "ana", uid: 4242, gid: 4343 },
      roles: [role("worker", 1)],
      mounts: [],
      code_package: null,
      material: null,
      run_limit_seconds: 3600,
      ...spec,
    }),
    ...changes,
  };
}
