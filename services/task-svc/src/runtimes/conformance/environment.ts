import { expect, test } from "vitest";
import {
  dataMount,
  MASTER_LAST,
  ps0,
  run,
  type Stage,
  type StageFactory,
  untilEnded,
  untilLog,
  untilNodes,
  userText,
  type Wanted,
  worker0,
  worker1,
  workload,
} from "./stage.ts";

/** Environment of a node, as its command sees it. */
async function environmentOf(stage: Stage, wanted: Wanted, node = worker0): Promise<Record<string, string>> {
  const script = wanted.mode === "DDP" ? `env -0\n${MASTER_LAST}` : "env -0";
  const spec = wanted.mode === "DDP" ? { mounts: [dataMount(stage)] } : {};
  const task = workload(stage, script, { ...wanted, spec });
  await run(stage, task);
  const entries = userText(await untilLog(stage, task, node))
    .replace(/\n$/, "")
    .split("\0");
  return Object.fromEntries(
    entries
      .filter(Boolean)
      .map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]),
  );
}

export function describeEnvironment(openStage: StageFactory): void {
  test("a standalone node gets the documents' variables and the user's, whatever is in their values", async () => {
    await using stage = await openStage();
    const mine = { QUOTES: `it's "$HOME" \`x\` \\`, LINES: "one\ntwo", HAN: "训练", EMPTY: "" };
    const env = await environmentOf(stage, { env: mine });
    expect(env).toMatchObject({
      ...mine,
      PYTHONUNBUFFERED: "1",
      PET_NPROC_PER_NODE: "1",
      AIEP_NODE: "worker-0",
      TRACEPARENT: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      UPLOAD_CODE_DIR: expect.stringMatching(/^\//),
      HOME: expect.stringMatching(/^\//),
    });
    expect(env["MASTER_ADDR"]).toBeUndefined();
  });

  test("nothing of the platform's own environment reaches a task", async () => {
    process.env["AIEP_CONFORMANCE_SECRET"] = "not for tasks";
    try {
      await using stage = await openStage();
      const env = await environmentOf(stage, {});
      expect(env["AIEP_CONFORMANCE_SECRET"]).toBeUndefined();
      expect(env["PATH"]).not.toContain("node_modules");
    } finally {
      delete process.env["AIEP_CONFORMANCE_SECRET"];
    }
  });

  test("DDP nodes get master, rank and size; what the platform sets wins over the user", async () => {
    await using stage = await openStage();
    const env = await environmentOf(stage, { mode: "DDP", workers: 2, env: { RANK: "77" } }, worker1);
    expect(env).toMatchObject({
      MASTER_ADDR: expect.any(String),
      MASTER_PORT: expect.stringMatching(/^\d+$/),
      WORLD_SIZE: "2",
      RANK: "1",
      PET_NODE_RANK: "1",
      PET_NNODES: "2",
      PET_NPROC_PER_NODE: "1",
      PET_MASTER_ADDR: env["MASTER_ADDR"],
      PET_MASTER_PORT: env["MASTER_PORT"],
    });
  });

  test("DDP workers start when the master runs, and until then the task says what it waits for", async () => {
    await using stage = await openStage();
    const spec = { mounts: [dataMount(stage)] };
    const task = workload(stage, MASTER_LAST, { mode: "DDP", workers: 3, spec });
    const nodes = await run(stage, task);
    const master = nodes[0]?.startedAt?.getTime() ?? Number.POSITIVE_INFINITY;
    for (const node of nodes.slice(1)) expect(node.startedAt?.getTime()).toBeGreaterThanOrEqual(master);
    const reasons = stage
      .seen(task)
      .map((seen) => (seen.kind === "present" ? seen.waiting?.reason : undefined));
    expect(reasons).toContain("WaitingForMaster");
    expect((await untilLog(stage, task, worker1)).stdout.toString()).toMatch(/^\[aiep\] .*master/m);
  });

  test("workers of a master that cannot start never start", async () => {
    await using stage = await openStage();
    const missing = { id: "0".repeat(32), sha256: "0".repeat(64), size_bytes: 1 };
    const task = workload(stage, "true", {
      mode: "DDP",
      workers: 2,
      spec: { code_package: missing as never },
    });
    await stage.runtime.launch(task);
    await untilNodes(stage, task, "the master has failed", ([master]) => master?.state === "Failed");
    await stage.runtime.stop(task, { graceSeconds: 0 });
    expect((await untilEnded(stage, task)).every(({ startedAt }) => startedAt === null)).toBe(true);
  });

  test("PS-Worker nodes get TF_CONFIG in the operator's form", async () => {
    await using stage = await openStage();
    const env = await environmentOf(stage, { mode: "PS-Worker", workers: 2, ps: 1 }, ps0);
    const config = JSON.parse(env["TF_CONFIG"] ?? "null");
    expect(config).toMatchObject({ task: { type: "ps", index: 0 }, environment: "cloud" });
    expect(config.cluster.ps).toHaveLength(1);
    expect(config.cluster.worker).toHaveLength(2);
    const addresses = [...config.cluster.ps, ...config.cluster.worker];
    expect(new Set(addresses).size).toBe(3);
    expect(addresses.every((address) => /^[^:]+:\d+$/.test(address))).toBe(true);
  });
}
