/**
 * The parts of a cluster of ours, killed and started again by a program that takes a part's name, `--kill` and
 * `--down SECONDS`. In a real cluster a kubelet looks after the training operator; here nobody does: it is waited for, and
 * started once more when it ends at its start. What it wrote stands in the error when it never comes back.
 */
import { execFile, spawn } from "node:child_process";
import { openSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { DevServerError } from "../errors.ts";
import { waitFor } from "../wait.ts";
import { openKubeApi } from "./kube-api.ts";

export type ClusterPart = "kube-apiserver" | "etcd" | "operator" | "kubelet" | "kube-controller-manager";

/** Kills the part, keeps it away, starts it; comes back when it was started, for the operator when it works again. */
export type RestartPart = (part: ClusterPart, downSeconds?: number) => Promise<void>;

const STARTS = 3;
const TO_ANSWER = { timeoutMs: 30_000, intervalMs: 100 };
const TOLD_BYTES = 3_000;
const run = promisify(execFile);

/** The program keeps the parts' process ids in `pid/` and what they write in `log/`, beside the kubeconfig. */
export function restarting(program: string, kubeconfig: string): RestartPart {
  const pidFile = join(dirname(kubeconfig), "pid/operator");
  const logFile = join(dirname(kubeconfig), "log/operator.log");
  return async (part, downSeconds = 0) => {
    const operator = part === "operator" ? processOf(pidFile) : undefined;
    await run(program, [part, "--kill", "--down", String(downSeconds)]);
    if (operator === undefined) return;
    const told: string[] = [];
    for (let starts = 1; ; starts += 1) {
      try {
        await untilItAnswers(kubeconfig);
        return;
      } catch (error) {
        told.push(`${String(error)}\n${readFileSync(logFile, "utf8").slice(-TOLD_BYTES)}`);
        if (starts === STARTS)
          throw new DevServerError(
            "operator_away",
            `the training operator does not come back:\n${told.join("\n")}`,
          );
      }
      if (processOf(pidFile) !== undefined) await run(program, [part, "--kill"]);
      else writeFileSync(pidFile, `${startAgain(operator, logFile)}\n`);
    }
  };
}

interface Command {
  readonly line: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Undefined when it is not there any more. */
function processOf(pidFile: string): Command | undefined {
  const pid = readFileSync(pidFile, "utf8").trim();
  const read = (name: string) => readFileSync(`/proc/${pid}/${name}`, "utf8").split("\0").filter(Boolean);
  try {
    const line = read("cmdline");
    if (line.length === 0) return undefined; // ended, and nobody has asked how
    const env = read("environ").map((each) => each.split(/=(.*)/s, 2));
    return { line, env: Object.fromEntries(env) };
  } catch {
    return undefined;
  }
}

function startAgain({ line: [program = "", ...args], env }: Command, logFile: string): number | undefined {
  const log = openSync(logFile, "a");
  const child = spawn(program, args, { env, detached: true, stdio: ["ignore", log, log] });
  child.unref();
  return child.pid;
}

/** Every job passes its webhook; one that is only tried out does too, and is not kept. */
async function untilItAnswers(kubeconfig: string): Promise<void> {
  using api = openKubeApi(kubeconfig);
  const container = { name: "pytorch", image: "none" };
  await waitFor(
    "the training operator's webhook answers",
    async () =>
      await api.create("/apis/kubeflow.org/v1/namespaces/default/pytorchjobs?dryRun=All", {
        apiVersion: "kubeflow.org/v1",
        kind: "PyTorchJob",
        metadata: { name: "is-the-operator-there" },
        spec: {
          pytorchReplicaSpecs: { Master: { replicas: 1, template: { spec: { containers: [container] } } } },
        },
      }),
    TO_ANSWER,
  );
}
