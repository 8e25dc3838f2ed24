/**
 * The kubernetes runtime on a stage of its own: a namespace of a real cluster whose only real node is this machine, so
 * that storage is a folder here and logs lie in the kubelet's own.
 */
import { createHash, randomBytes } from "node:crypto";
import {
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { codePackageId, directory } from "@aiep/contracts";
import { connect, requestJson } from "@aiep/kube";
import { createLogger } from "@aiep/service-kit";
import type { Observation, Workload } from "../../../domain/runtime.ts";
import type { Stage } from "../../conformance/stage.ts";
import { decodeCri } from "../../local/logs/testing/decode-cri.ts";
import { startDownloads } from "../downloads.ts";
import { KubernetesRuntime } from "../kubernetes-runtime.ts";
import { CONTAINERS, keyOf } from "../names.ts";

const POD_LOGS = "/var/log/pods";
const COPY_MS = 20;

/** What pods are given, by the cluster's own images. */
const IMAGE = "python:3";
const PREPARE_IMAGE = "busybox:1";

export async function openClusterStage(kubeconfig: string): Promise<Stage> {
  const namespace = `aiep-${randomBytes(4).toString("hex")}`;
  const dir = mkdtempSync(join(tmpdir(), "aiep-cluster-"));
  const [store, logs] = [join(dir, "store"), join(dir, "logs")];
  mkdirSync(store);
  mkdirSync(logs);
  const identity = { user: "conformance", uid: 4242, gid: 4343 };
  chownSync(store, identity.uid, identity.gid);
  const log = createLogger({ service: "task-svc", level: "warn" });
  const now = () => new Date();
  const document = directory.parse({
    users: [],
    groups: [],
    namespaces: [{ name: namespace, quota: { cpu: 100, memory_gb: 100 } }],
    storage_roots: [{ path: "/ceph/conformance", host_path: store }],
  });
  const admin = await connect(kubeconfig);
  const ask = async (method: "POST" | "DELETE", path: string, body?: object) =>
    await requestJson(admin, { method, path, body, timeoutMs: 30_000 });
  await ask("POST", "/api/v1/namespaces", { metadata: { name: namespace } });
  const downloads = await startDownloads({
    host: ownAddress(),
    port: 0,
    publicUrl: undefined,
    key: randomBytes(32).toString("hex"),
    codePackagePath: (sum) => join(dir, `${sum}.zip`),
    log,
    now,
  });
  const seen: Observation[] = [];
  const open = async () => {
    const opened = new KubernetesRuntime({
      connection: await connect(kubeconfig),
      directory: () => document,
      downloads,
      instance: namespace,
      prepareImage: PREPARE_IMAGE,
      log,
      now,
      requestsPerSecond: 100,
      keepSeconds: 0,
    });
    await opened.start((observation) => seen.push(observation));
    return opened;
  };
  let runtime = await open();
  const copying = setInterval(() => keepLogs(namespace, logs), COPY_MS);
  const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
  const seenOf = (ref: Parameters<Stage["seen"]>[0]) =>
    seen.filter((each) => each.ref.taskId === ref.taskId && each.ref.attempt === ref.attempt);

  return {
    get runtime() {
      return runtime;
    },
    restart: async () => {
      await runtime.close();
      runtime = await open();
    },
    seen: seenOf,
    identity,
    spec: { namespace, image: { url: IMAGE, name: null } },
    cpu: 0.1,
    can: { readOnlyMounts: true, switchUser: true, limitMemory: true },
    logOf: (workload, node) => {
      const last = seenOf(workload).at(-1);
      const seenNode = last?.kind === "present" ? last.nodes.find(({ name }) => name === node) : undefined;
      const ended =
        last?.kind === "absent" || ["Succeeded", "Failed", "Stopped"].includes(seenNode?.state ?? "");
      if (!ended) return undefined;
      keepLogs(namespace, logs);
      const file = readdirSync(logs).find((name) => isLogOf(name, workload, node));
      if (file !== undefined) return decodeCri(readFileSync(join(logs, file)));
      // A container that never started has no log.
      return seenNode?.startedAt === null ? { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) } : undefined;
    },
    storage: {
      source: "/ceph/conformance",
      target: "/data",
      read: (file) => (existsSync(join(store, file)) ? readFileSync(join(store, file), "utf8") : ""),
      write: (file, content) => writeFileSync(join(store, file), content),
    },
    processExists: (word) =>
      readdirSync("/proc").some((pid) => {
        try {
          return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(word);
        } catch {
          return false; // ended meanwhile
        }
      }),
    registerCode: (zip) => {
      const sum = sha256(zip);
      writeFileSync(join(dir, `${sum}.zip`), zip);
      return { id: codePackageId.parse(sum.slice(0, 32)), sha256: sum, size_bytes: zip.length };
    },
    registerMaterial: (content) => {
      const file = join(dir, "material.zip");
      writeFileSync(file, content);
      return { url: pathToFileURL(file).href, sha256: sha256(content), filename: "model v1.zip" };
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(copying);
      for (const ref of await runtime.list()) await runtime.remove(ref);
      await runtime.close();
      await downloads.close();
      await ask("DELETE", `/api/v1/namespaces/${namespace}`);
      admin.agent.destroy();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A second name for each log, so that it outlives the kubelet's clean-up. */
function keepLogs(namespace: string, logs: string): void {
  for (const folder of readdirSync(POD_LOGS)) {
    if (!folder.startsWith(`${namespace}_`)) continue;
    for (const container of Object.values(CONTAINERS)) {
      const kept = join(logs, `${folder}_${container}`);
      const file = join(POD_LOGS, folder, container, "0.log");
      if (existsSync(kept) || !existsSync(file)) continue;
      try {
        linkSync(file, kept);
      } catch {
        // removed between the two
      }
    }
  }
}

function isLogOf(name: string, workload: Workload, node: string): boolean {
  const [, pod = ""] = name.split("_");
  const key = keyOf(workload);
  if (!pod.startsWith(`${key}-`)) return false;
  const [role = "", index = ""] = node.split("-");
  switch (workload.spec.mode) {
    case "Standalone":
      return true;
    case "PS-Worker":
      return pod === `${key}-${node}`;
    case "DDP":
      return pod === `${key}-${index === "0" ? "master-0" : `${role}-${Number(index) - 1}`}`;
    default: {
      const unknown: never = workload.spec.mode;
      throw new TypeError(`unknown mode ${String(unknown)}`);
    }
  }
}

/** An address of this machine that pods reach. */
function ownAddress(): string {
  for (const addresses of Object.values(networkInterfaces()))
    for (const { family, internal, address } of addresses ?? [])
      if (family === "IPv4" && !internal) return address;
  throw new Error("this machine has no address that pods could reach");
}
