/**
 * The cluster's own parts, killed and started again. AIEP_CLUSTER_TOOLS names a folder with a program `restart` that takes
 * a part's name, `--kill` and `--down SECONDS`; without it the tests that need it are skipped.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

export type Part = "kube-apiserver" | "etcd" | "operator" | "kubelet" | "kube-controller-manager";

export type Restart = (part: Part, downSeconds?: number) => Promise<void>;

const run = promisify(execFile);

export function findRestart(folder = process.env["AIEP_CLUSTER_TOOLS"] ?? ""): Restart | undefined {
  const program = join(folder, "restart");
  if (folder === "" || !existsSync(program)) return undefined;
  return async (part, downSeconds = 0) =>
    void (await run(program, [part, "--kill", "--down", String(downSeconds)]));
}
