/** The runtime in front of a fake cluster, with what it told its sink. */
import { createLogger } from "@aiep/service-kit";
import type { Observation } from "../../../domain/runtime.ts";
import { KubernetesRuntime, type KubernetesRuntimeDeps } from "../kubernetes-runtime.ts";
import type { FakeCluster } from "./fake-cluster.ts";
import { DIRECTORY, NO_GRANT, NO_RECORDS } from "./workloads.ts";

export const INSTANCE = "aiep-test";

export async function openTestRuntime(cluster: FakeCluster, changes: Partial<KubernetesRuntimeDeps> = {}) {
  const seen: Observation[] = [];
  const runtime = new KubernetesRuntime({
    connection: cluster.api.connection,
    directory: () => DIRECTORY,
    downloads: { grantFor: () => NO_GRANT },
    records: NO_RECORDS,
    instance: INSTANCE,
    prepareImage: "busybox:1",
    log: createLogger({ service: "task-svc", level: "silent" }),
    now: () => new Date(),
    requestsPerSecond: 1000,
    keepSeconds: 0,
    ...changes,
  });
  await runtime.start((observation) => seen.push(observation));
  return { runtime, seen, [Symbol.asyncDispose]: async () => await runtime.close() };
}
