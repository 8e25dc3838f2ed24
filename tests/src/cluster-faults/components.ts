/**
 * The cluster's own parts, killed and started again: where AIEP_CLUSTER_RESTART names the program that does it, and only
 * with AIEP_CLUSTER_FAULTS=1 as well, because the cluster may be others' too and it takes minutes.
 */
import { existsSync } from "node:fs";
import { type RestartPart, restarting } from "@aiep/dev-servers";

export function findRestart(kubeconfig: string): RestartPart | undefined {
  const { AIEP_CLUSTER_RESTART: program = "", AIEP_CLUSTER_FAULTS: wanted } = process.env;
  return wanted === "1" && existsSync(program) ? restarting(program, kubeconfig) : undefined;
}
