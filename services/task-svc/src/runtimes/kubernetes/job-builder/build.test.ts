import { execFileSync } from "node:child_process";
import { taskIo, taskSpec } from "@aiep/contracts";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import type { Workload } from "../../../domain/runtime.ts";
import { LABELS } from "../names.ts";
import { problemsOf, type Schema } from "../testing/schemas.ts";
import { factsOf, role, workloadOf } from "../testing/workloads.ts";
import { type BuildFacts, buildJob, type JobObject, specHash } from "./build.ts";
import { cpuQuantity, memoryQuantity } from "./resources.ts";
import { storageOf } from "./volumes.ts";

const mount = (source: string, target: string, readOnly = false, envName: string | null = null) => ({
  source,
  target,
  read_only: readOnly,
  env_name: envName,
});

const sha = (digit: string) => digit.repeat(64);
const everything = {
  command: 'cat "$DATA"/in.txt; echo $(date) $$',
  env: { GREETING: "it costs $(PRICE) or $5", HAN: "训练" },
  mounts: [
    mount("/ceph/team/set 1", "/data", true, "DATA"),
    mount("/ceph/ana", "/ceph/ana"),
    mount("/nfs/x", "/out"),
  ],
  code_package: { id: "c".repeat(32), sha256: sha("a"), size_bytes: 7 } as never,
  material: { url: "https://files.example/m", sha256: sha("b"), filename: "model v1.zip" },
};
const IO = taskIo.parse({
  input_directories: [{ name: "data", digest: `sha256:${sha("d")}`, path: "/given/data" }],
  output_directories: [{ name: "model", path: "/work/model" }],
  output_values: true,
});
const downloads: Partial<BuildFacts> = {
  downloads: {
    code: { url: "https://aiep.example/c" },
    material: { url: "https://aiep.example/m" },
    given: undefined,
  },
  downloadToken: "short-lived",
};
const standalone = (spec = {}) => workloadOf(spec);
const ddp = (nodes: number, spec = {}) =>
  workloadOf({ mode: "DDP", roles: [role("worker", nodes)], ...spec });
const psWorker = (spec = {}) =>
  workloadOf({ mode: "PS-Worker", roles: [role("worker", 3), role("ps", 2, { cpu: 0.5 })], ...spec });

interface Case {
  readonly name: string;
  readonly workload: Workload;
  readonly facts: BuildFacts;
}
const gpu = { gpu: 2, gpu_type: "Ascend910", cpu: 8, memory_gb: 64 };
const CASES: readonly Case[] = [
  { name: "standalone", workload: standalone(), facts: factsOf("ns-plain") },
  { name: "standalone-everything", workload: standalone(everything), facts: factsOf("ns-plain", downloads) },
  {
    name: "standalone-io",
    workload: standalone({ io: IO }),
    facts: factsOf("ns-plain", {
      downloads: { code: undefined, material: undefined, given: { url: "http://10.0.0.9:8081/given" } },
      downloadToken: "for fetching",
      sending: { url: "http://10.0.0.9:8081/left", token: "for sending" },
    }),
  },
  {
    name: "ps-worker-io",
    workload: psWorker({ io: IO }),
    facts: factsOf("ns-plain", { sending: { url: "https://aiep.example/left", token: "for sending" } }),
  },
  { name: "standalone-kueue", workload: standalone(), facts: factsOf("ns-kueue") },
  { name: "standalone-volcano", workload: standalone(), facts: factsOf("ns-volcano") },
  { name: "ddp-one-node", workload: ddp(1), facts: factsOf("ns-plain") },
  {
    name: "ddp-gpu",
    workload: ddp(3, { roles: [role("worker", 3, gpu)] }),
    facts: factsOf("ns-gpu"),
  },
  { name: "ddp-volcano", workload: ddp(2), facts: factsOf("ns-volcano") },
  { name: "ddp-scheduler-plugins", workload: ddp(2), facts: factsOf("ns-cosched") },
  { name: "ps-worker", workload: psWorker(), facts: factsOf("ns-plain") },
  { name: "ps-worker-everything", workload: psWorker(everything), facts: factsOf("ns-volcano", downloads) },
  {
    name: "ddp-stopped",
    workload: ddp(2),
    facts: factsOf("ns-plain", { stopped: { at: "2026-01-01T00:00:00.000Z", grace_seconds: 30 } }),
  },
];

function schemaProblems(job: JobObject): string[] {
  if (job.kind === "Job") return problemsOf("pod template", job.spec?.template);
  return problemsOf(job.kind, job);
}

const templatesOf = (job: JobObject) => {
  switch (job.kind) {
    case "Job":
      return job.spec === undefined ? [] : [job.spec.template];
    case "PyTorchJob":
      return Object.values(job.spec.pytorchReplicaSpecs).map(({ template }) => template);
    case "TFJob":
      return Object.values(job.spec.tfReplicaSpecs).map(({ template }) => template);
    default: {
      const unknown: never = job;
      throw new TypeError(String(unknown));
    }
  }
};

describe.each(CASES)("$name", ({ name, workload, facts }) => {
  const { job, podGroup } = buildJob(workload, facts);

  test("is what it was", async () => {
    const text = [job, podGroup]
      .filter((each) => each !== undefined)
      .map((each) => stringify(each, { lineWidth: 0 }))
      .join("---\n");
    await expect(text).toMatchFileSnapshot(`../testing/golden/${name}.yaml`);
  });

  test("breaks no published schema", () => {
    expect(schemaProblems(job)).toEqual([]);
    if (podGroup === undefined) return;
    const schema: Schema = podGroup.apiVersion.includes("volcano")
      ? "volcano PodGroup"
      : "scheduler-plugins PodGroup";
    expect(problemsOf(schema, podGroup)).toEqual([]);
  });

  test("its scripts are scripts", () => {
    for (const template of templatesOf(job)) {
      const { initContainers = [], containers = [] } = template.spec ?? {};
      for (const container of [...initContainers, ...containers]) {
        const script = (container.command?.[2] ?? "").replaceAll("$$", "$");
        expect(() => execFileSync("sh", ["-n"], { input: script, stdio: "pipe" })).not.toThrow();
      }
    }
  });

  test("gives nothing away: no token of the cluster, no privilege, the task's own user", () => {
    for (const { spec } of templatesOf(job)) {
      expect(spec?.automountServiceAccountToken).toBe(false);
      expect(spec?.securityContext).toMatchObject({ runAsUser: 4242, runAsGroup: 4343, fsGroup: 4343 });
      for (const container of [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])])
        expect(container.securityContext).toMatchObject({
          allowPrivilegeEscalation: false,
          capabilities: { drop: ["ALL"] },
        });
    }
  });
});

test("the schemas find what an API server would refuse or drop", () => {
  const { job } = buildJob(ddp(2), factsOf("ns-plain"));
  const withField = (field: object) => ({ kind: job.kind, spec: Object.assign({}, job.spec, field) });
  expect(problemsOf("PyTorchJob", withField({ jobRestartLimit: 1 }))[0]).toContain("jobRestartLimit");
  expect(problemsOf("PyTorchJob", withField({ nprocPerNode: 2 }))[0]).toContain("nprocPerNode");
});

test("the user's labels are on job and pods, and never in the place of the platform's", () => {
  const labels = { team: "vision", "example.org/run": "7", [LABELS.taskId]: "somebody else's" };
  const { job } = buildJob(workloadOf({}, { labels }), factsOf("ns-plain"));
  for (const metadata of [job.metadata, ...templatesOf(job).map((template) => template.metadata)])
    expect(metadata?.labels).toMatchObject({
      team: "vision",
      "example.org/run": "7",
      [LABELS.taskId]: workloadOf().taskId,
    });
});

test("of N DDP nodes one is the master, and a lonely master has no worker entry", () => {
  const replicas = (nodes: number) => {
    const { job } = buildJob(ddp(nodes), factsOf("ns-plain"));
    if (job.kind !== "PyTorchJob") throw new TypeError(job.kind);
    const { Master, Worker } = job.spec.pytorchReplicaSpecs;
    return [Master.replicas, Worker?.replicas];
  };
  expect(replicas(1)).toEqual([1, undefined]);
  expect(replicas(2)).toEqual([1, 1]);
  expect(replicas(64)).toEqual([1, 63]);
});

test("the hash of a spec does not depend on the order of its keys, and differs when the spec does", () => {
  const task = standalone(everything);
  const reversed = Object.fromEntries(Object.entries(task.spec).reverse());
  expect(specHash({ ...task, spec: taskSpec.parse(reversed) })).toBe(specHash(task));
  expect(specHash({ ...task, spec: { ...task.spec, command: "other" } })).not.toBe(specHash(task));
});

test("quantities are exact: cores to the thousandth, GB as GiB", () => {
  expect([1, 0.5, 2.25, 0.0001].map(cpuQuantity)).toEqual(["1", "500m", "2250m", "1m"]);
  expect([4, 0.5, 0.1].map(memoryQuantity)).toEqual(["4Gi", "512Mi", "107374183"]);
});

test("a mount uses the longest root, and roots are mounted once", () => {
  const { volumes, mounts, roots, folders } = storageOf(
    [mount("/ceph/team/a", "/a"), mount("/ceph/teams", "/b"), mount("/ceph/team", "/c", true)],
    factsOf("ns-plain").storageRoots,
  );
  expect(roots).toEqual([
    { name: "storage-0", mountPath: "/aiep-roots/storage-0", readOnly: true },
    { name: "storage-1", mountPath: "/aiep-roots/storage-1", readOnly: true },
  ]);
  expect(folders.map(({ path }) => path)).toEqual([
    "/aiep-roots/storage-0/data/a",
    "/aiep-roots/storage-1/teams",
    "/aiep-roots/storage-0/data",
  ]);
  expect(volumes).toEqual([
    { name: "storage-0", persistentVolumeClaim: { claimName: "team" } },
    { name: "storage-1", hostPath: { path: "/mnt/ceph", type: "Directory" } },
  ]);
  expect(mounts).toEqual([
    { name: "storage-0", mountPath: "/a", readOnly: false, subPath: "data/a" },
    { name: "storage-1", mountPath: "/b", readOnly: false, subPath: "teams" },
    { name: "storage-0", mountPath: "/c", readOnly: true, subPath: "data" },
  ]);
});

test.each([
  [
    "a storage root that left the directory",
    { mounts: [mount("/gone/a", "/a")] },
    /\/gone\/a .*administrator/,
  ],
  [
    "a GPU type that left the directory",
    { roles: [role("worker", 1, { gpu: 1, gpu_type: "H200" })] },
    /H200/,
  ],
  ["a PS-Worker task without ps", { mode: "PS-Worker" as const }, /ps nodes/],
])("%s is refused in words", (_, spec, words) => {
  expect(() => buildJob(workloadOf(spec), factsOf("ns-plain"))).toThrow(words);
});
