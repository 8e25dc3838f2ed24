/**
 * Machines that are not there: nodes and the lives of their pods, played by kwok against a real API server, so that
 * thousands of pods cost next to nothing. Each caller has nodes, label, taint and kwok process of its own.
 *
 * A pod says how it lives in the environment of its first container, which is what a submitted task decides:
 * AIEP_SIM_START_AFTER and AIEP_SIM_RUN_FOR (durations; without the second it runs until it is deleted), AIEP_SIM_EXIT_CODE.
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadConfig } from "../config.ts";
import { freePort } from "../port.ts";
import { findOnPath } from "../run.ts";
import { ServerProcess } from "../server-process.ts";
import { makeTempDir } from "../temp-dir.ts";
import { waitFor } from "../wait.ts";
import { openKubeApi } from "./kube-api.ts";
import { SIMULATED_LIVES } from "./simulated-lives.ts";

const LABEL = "aiep.test/simulated-by";
const CPUS = 64;
const MEMORY_GB = 256;
const PODS = 110;
const LEASE_SECONDS = 40;

export interface SimulatedNodes extends AsyncDisposable {
  /** For the namespace in the directory: its pods land here, and nobody else's. */
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly tolerations: readonly Readonly<Record<string, string>>[];
  readonly names: readonly string[];
  readonly capacity: { readonly cpu: number; readonly memoryGb: number; readonly pods: number };
}

/** The program, or undefined where there is none. */
export async function findKwok(): Promise<string | undefined> {
  const { kwok, clusterPrograms, searchPath } = loadConfig();
  return kwok ?? (await findOnPath(["kwok"], [clusterPrograms, ...searchPath]));
}

export async function startSimulatedNodes(options: {
  readonly kubeconfig: string;
  readonly kwok: string;
  readonly count: number;
}): Promise<SimulatedNodes> {
  await using opening = new AsyncDisposableStack();
  const { childEnv, tempDir } = loadConfig();
  const id = randomBytes(4).toString("hex");
  const dir = await makeTempDir(tempDir);
  opening.defer(async () => await rm(dir, { recursive: true, force: true }));
  await mkdir(dir, { recursive: true });
  const stages = join(dir, "stages.yaml");
  await writeFile(stages, SIMULATED_LIVES);
  const port = await freePort();
  const process = new ServerProcess({
    name: "kwok",
    command: options.kwok,
    args: [
      ...["--kubeconfig", options.kubeconfig, "--config", stages, "--manage-all-nodes=false"],
      `--manage-nodes-with-label-selector=${LABEL}=${id}`,
      ...["--node-ip", "127.0.0.1", "--node-port", String(port), "--server-address", `127.0.0.1:${port}`],
      ...["--cidr", "10.99.0.0/16", "--node-lease-duration-seconds", String(LEASE_SECONDS)],
    ],
    env: { ...childEnv, HOME: dir },
    cwd: dir,
    logFile: join(dir, "kwok.log"),
    port,
    setpriv: existsSync("/usr/bin/setpriv") ? "/usr/bin/setpriv" : undefined,
  });
  const answers = async () => (await fetch(`http://127.0.0.1:${port}/healthz`)).ok;
  await process.start(answers, 30_000);
  opening.defer(async () => await process.kill9());
  const api = opening.use(openKubeApi(options.kubeconfig));
  const names = Array.from({ length: options.count }, (_, index) => `simulated-${id}-${index}`);
  opening.defer(async () => {
    for (const name of names) await api.remove(`/api/v1/nodes/${name}`);
  });
  for (const name of names) await api.create("/api/v1/nodes", node(name, id));
  await waitFor(
    "the simulated nodes are ready",
    async () => {
      const found = await Promise.all(names.map(async (name) => await api.get(`/api/v1/nodes/${name}`)));
      return found.every(isReady);
    },
    { timeoutMs: 60_000, intervalMs: 200 },
  );
  const stack = opening.move();
  return {
    nodeSelector: { [LABEL]: id },
    tolerations: [{ key: LABEL, operator: "Exists", effect: "NoSchedule" }],
    names,
    capacity: { cpu: CPUS * names.length, memoryGb: MEMORY_GB * names.length, pods: PODS * names.length },
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
}

function node(name: string, id: string): object {
  const room = { cpu: String(CPUS), memory: `${MEMORY_GB}Gi`, pods: String(PODS) };
  const labels = {
    [LABEL]: id,
    "kubernetes.io/hostname": name,
    "kubernetes.io/os": "linux",
    "kubernetes.io/arch": "amd64",
  };
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels },
    spec: { taints: [{ key: LABEL, value: id, effect: "NoSchedule" }] },
    status: { allocatable: room, capacity: room },
  };
}

function isReady(found: unknown): boolean {
  const { status } = found as { status?: { conditions?: readonly { type: string; status: string }[] } }; // a Node
  return status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
}
