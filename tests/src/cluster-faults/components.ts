/**
 * The cluster's own parts, killed and started again. AIEP_CLUSTER_RESTART names a program that takes a part's name, `--kill`
 * and `--down SECONDS`; only with AIEP_CLUSTER_FAULTS=1 as well, because the cluster may be others' too and it takes minutes.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";

export type Part = "kube-apiserver" | "etcd" | "operator" | "kubelet" | "kube-controller-manager";

export type Restart = (part: Part, downSeconds?: number) => Promise<void>;

const run = promisify(execFile);

export function findRestart(): Restart | undefined {
  const { AIEP_CLUSTER_RESTART: program = "", AIEP_CLUSTER_FAULTS: wanted } = process.env;
  if (wanted !== "1" || !existsSync(program)) return undefined;
  return async (part, downSeconds = 0) =>
    void (await run(program, [part, "--kill", "--down", String(downSeconds)]));
}
