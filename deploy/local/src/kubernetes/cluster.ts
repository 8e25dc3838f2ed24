/*
 * A cluster as the local stack meets it: checked, given the stack's namespaces, and asked what it shares with this
 * machine. Loaded only where a cluster is used.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { connect as openSocket } from "node:net";
import { networkInterfaces } from "node:os";
import { podSelector } from "@aiep/contracts";
import { ApiError, type Connection, connect, requestJson } from "@aiep/kube";
import * as z from "zod";
import type { KubernetesStack } from "../home/runtime.ts";

/** Where a kubelet keeps the logs of its pods. */
export const POD_LOGS = "/var/log/pods";
const TIMEOUT_MS = 20_000;
const JOBS = [
  "/apis/batch/v1/namespaces/NS/jobs",
  "/apis/kubeflow.org/v1/namespaces/NS/pytorchjobs",
  "/apis/kubeflow.org/v1/namespaces/NS/tfjobs",
];

export class ClusterError extends Error {
  override readonly name = "ClusterError";
}

export type ClusterChoice = Pick<
  KubernetesStack,
  "kubeconfig" | "instance" | "namespaces" | "image" | "prepare_image"
>;

/** Makes the namespaces where they are missing, and finds out what the stack has to know. */
export async function prepareCluster(
  choice: ClusterChoice,
  say: (line: string) => void,
): Promise<KubernetesStack> {
  const connection = await connectTo(choice.kubeconfig);
  try {
    for (const name of Object.values(choice.namespaces)) await ensureNamespace(connection, name, say);
    if (!(await isThere(connection, "/apis/kubeflow.org/v1")))
      say("the Kubeflow training operator is not installed: only Standalone tasks will run");
    return {
      kind: "kubernetes",
      ...choice,
      same_machine: await isThisMachine(connection),
      downloads_host: await ownAddress(connection.server),
    };
  } finally {
    connection.agent.destroy();
  }
}

/** Jobs of this stack; the cluster removes their pods in the background. */
export async function removeWorkloads({ kubeconfig, instance, namespaces }: ClusterChoice): Promise<void> {
  const connection = await connectTo(kubeconfig);
  try {
    for (const namespace of Object.values(namespaces))
      for (const path of JOBS)
        await unlessMissing(
          requestJson(connection, {
            method: "DELETE",
            path: path.replace("NS", namespace),
            query: { labelSelector: podSelector(instance) },
            body: { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: "Background" },
            timeoutMs: TIMEOUT_MS,
          }),
        );
  } finally {
    connection.agent.destroy();
  }
}

async function connectTo(kubeconfig: string): Promise<Connection> {
  try {
    const connection = await connect(kubeconfig);
    await get(connection, "/version");
    return connection;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ClusterError(`the cluster of ${kubeconfig} cannot be used: ${why}`);
  }
}

async function ensureNamespace(
  connection: Connection,
  name: string,
  say: (line: string) => void,
): Promise<void> {
  try {
    if ((await unlessMissing(get(connection, `/api/v1/namespaces/${name}`))) !== undefined) return;
    const body = { metadata: { name, labels: { "app.kubernetes.io/part-of": "aiep" } } };
    await requestJson(connection, {
      method: "POST",
      path: "/api/v1/namespaces",
      body,
      timeoutMs: TIMEOUT_MS,
    });
    say(`made the namespace ${name}`);
  } catch (error) {
    if (ApiError.is(error, "conflict")) return;
    if (!ApiError.is(error, "refused")) throw error;
    throw new ClusterError(
      `the namespace ${name} is needed and may not be made by you (${error.message}); ask an administrator for: kubectl create namespace ${name}`,
    );
  }
}

const nodeList = z.object({
  items: z.array(
    z.object({
      spec: z.object({ taints: z.array(z.object({ effect: z.string() })).default([]) }),
      status: z.object({ nodeInfo: z.object({ bootID: z.string() }) }),
    }),
  ),
});

/** True when every node that takes our pods runs on this very kernel, and its kubelet's folder is this machine's own. */
async function isThisMachine(connection: Connection): Promise<boolean> {
  if (!existsSync(POD_LOGS)) return false;
  const bootId = (await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "")).trim();
  try {
    const { items } = nodeList.parse(await get(connection, "/api/v1/nodes"));
    const open = items.filter(({ spec }) => spec.taints.every(({ effect }) => effect === "PreferNoSchedule"));
    return open.length > 0 && open.every(({ status }) => status.nodeInfo.bootID === bootId);
  } catch (error) {
    if (ApiError.is(error, "refused")) return false; // may not look at nodes
    throw error;
  }
}

/** The address from which this machine speaks with the cluster; with one on loopback, any of its own. */
async function ownAddress(server: URL): Promise<string> {
  const speaks = await new Promise<string>((resolve, reject) => {
    const socket = openSocket(Number(server.port || 443), server.hostname);
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new ClusterError(`${server.host} does not answer`)));
    socket.once("error", reject);
    socket.once("connect", () => {
      const { localAddress = "127.0.0.1" } = socket;
      socket.destroy();
      resolve(localAddress);
    });
  });
  if (!/^(127\.|::1$)/.test(speaks)) return speaks;
  for (const addresses of Object.values(networkInterfaces()))
    for (const { family, internal, address } of addresses ?? [])
      if (family === "IPv4" && !internal) return address;
  throw new ClusterError("this machine has no address that pods could reach");
}

async function get(connection: Connection, path: string): Promise<unknown> {
  return await requestJson(connection, { method: "GET", path, timeoutMs: TIMEOUT_MS });
}

async function isThere(connection: Connection, path: string): Promise<boolean> {
  return (await unlessMissing(get(connection, path))) !== undefined;
}

async function unlessMissing<T>(asking: Promise<T>): Promise<T | undefined> {
  try {
    return await asking;
  } catch (error) {
    if (ApiError.is(error, "missing")) return undefined;
    throw error;
  }
}
