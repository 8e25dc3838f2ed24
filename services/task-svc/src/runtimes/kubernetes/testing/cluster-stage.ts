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
import { codePackageId, type DirectoryInput, directory } from "@aiep/contracts";
import { type KubeApi, openKubeApi } from "@aiep/dev-servers";
import { connect } from "@aiep/kube";
import { openDirectoryStore } from "@aiep/objects";
import { createLogger } from "@aiep/service-kit";
import { createArtifactStore } from "../../../artifacts/artifact-store.ts";
import { openLeftRecords } from "../../../artifacts/left-records.ts";
import type { Observation, ObservationSink, Workload, WorkloadRef } from "../../../domain/runtime.ts";
import type { Stage } from "../../conformance/stage.ts";
import { decodeCri } from "../../local/logs/testing/decode-cri.ts";
import { startDownloads } from "../downloads.ts";
import { KubernetesRuntime, type KubernetesRuntimeDeps } from "../kubernetes-runtime.ts";
import { CONTAINERS, keyOf, PREPARE_CONTAINER } from "../names.ts";
import { deployedRoles, openAccount, type Role } from "./service-account.ts";

const POD_LOGS = "/var/log/pods";
const COPY_MS = 20;
const NO_LOG = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };

/** What pods are given, by the cluster's own images. */
const IMAGE = "python:3";
const PREPARE_IMAGE = "busybox:1";

export interface ClusterStage extends Stage {
  /** What somebody else than the platform does to the cluster. */
  readonly api: KubeApi;
  readonly namespace: string;
  /** The server that pods fetch from and send to ends, and comes back at the same address. */
  readonly downloads: { stop(): Promise<void>; start(): Promise<void> };
}

export interface ClusterStageOptions {
  /** Of the namespace in the directory. */
  readonly namespace?: Partial<NonNullable<DirectoryInput["namespaces"]>[number]>;
  /** Storage roots beside the stage's own. */
  readonly storageRoots?: DirectoryInput["storage_roots"];
  readonly runtime?: Partial<KubernetesRuntimeDeps>;
  /** Default: what is deployed. */
  readonly roles?: readonly Role[];
}

export async function openClusterStage(
  kubeconfig: string,
  options: ClusterStageOptions = {},
): Promise<ClusterStage> {
  await using opening = new AsyncDisposableStack();
  const namespace = `aiep-${randomBytes(4).toString("hex")}`;
  const dir = mkdtempSync(join(tmpdir(), "aiep-cluster-"));
  opening.defer(() => rmSync(dir, { recursive: true, force: true }));
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
    namespaces: [{ name: namespace, quota: { cpu: 100, memory_gb: 100 }, ...options.namespace }],
    storage_roots: [{ path: "/ceph/conformance", host_path: store }, ...(options.storageRoots ?? [])],
  });
  const api = opening.use(openKubeApi(kubeconfig));
  await api.create("/api/v1/namespaces", { metadata: { name: namespace } });
  opening.defer(async () => await api.remove(`/api/v1/namespaces/${namespace}`));
  const account = opening.use(
    await openAccount({ api, kubeconfig, namespace, dir, roles: options.roles ?? deployedRoles() }),
  );
  const objects = await openDirectoryStore(join(dir, "artifacts"));
  const artifacts = createArtifactStore({ objects, keepMs: 86_400_000 });
  const records = await openLeftRecords({ objects, dir: join(dir, "artifacts") });
  const launched = new Map<string, Workload>();
  const key = randomBytes(32).toString("hex");
  const serveDownloads = async (port: number) =>
    await startDownloads({
      host: ownAddress(),
      port,
      publicUrl: undefined,
      key,
      awaitsNodes: async (ref) => (await runtimeStates(ref)).includes("Pending"),
      mayLeave: async (ref) => {
        const live = (await runtimeStates(ref)).some((state) => state === "Pending" || state === "Running");
        return live ? launched.get(keyOf(ref))?.spec.io : undefined;
      },
      artifacts,
      limits: { bytes: 10_000_000, files: 100 },
      records,
      codePackagePath: (sum) => join(dir, `${sum}.zip`),
      log,
      now,
    });
  const runtimeStates = async (ref: WorkloadRef) => {
    const found = await runtime.observe(ref);
    return found.kind === "present" ? found.nodes.map(({ state }) => state) : [];
  };
  let server = await serveDownloads(0);
  opening.defer(async () => await server.close());
  const grantFor = (workload: Workload) => {
    launched.set(keyOf(workload), workload);
    return server.grantFor(workload);
  };
  const seen: Observation[] = [];
  const listeners: ObservationSink[] = [];
  const open = async () => {
    const opened = new KubernetesRuntime({
      connection: await connect(account.kubeconfig),
      directory: () => document,
      downloads: { grantFor },
      records,
      instance: namespace,
      prepareImage: PREPARE_IMAGE,
      log,
      now,
      requestsPerSecond: 100,
      keepSeconds: 0,
      ...options.runtime,
    });
    await opened.start((observation) => {
      seen.push(observation);
      for (const listener of listeners) listener(observation);
    });
    return opened;
  };
  let runtime = await open();
  opening.defer(async () => {
    for (const ref of await runtime.list()) await runtime.remove(ref);
    await runtime.close();
  });
  const copying = setInterval(() => keepLogs(namespace, logs), COPY_MS);
  opening.defer(() => clearInterval(copying));
  const stack = opening.move();
  const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
  const seenOf = (ref: Parameters<Stage["seen"]>[0]) =>
    seen.filter((each) => each.ref.taskId === ref.taskId && each.ref.attempt === ref.attempt);

  return {
    api,
    namespace,
    downloads: {
      stop: async () => await server.close(),
      start: async () => {
        server = await serveDownloads(server.port);
      },
    },
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
      keepLogs(namespace, logs);
      const last = seenOf(workload).findLast((each) => each.kind === "present");
      const seenNode = last?.kind === "present" ? last.nodes.find(({ name }) => name === node) : undefined;
      const ended = ["Succeeded", "Failed", "Stopped"].includes(seenNode?.state ?? "");
      const files = readdirSync(logs).filter((name) => isLogOf(name, workload, node));
      // What prepares it speaks for a node that never began.
      const file = files.find((name) => !name.endsWith(PREPARE_CONTAINER)) ?? (ended ? files[0] : undefined);
      // A container that never started has no log.
      if (file === undefined) return ended && seenNode?.startedAt === null ? NO_LOG : undefined;
      const podIsGone = !existsSync(join(POD_LOGS, file.slice(0, file.lastIndexOf("_"))));
      return ended || podIsGone ? decodeCri(readFileSync(join(logs, file))) : undefined;
    },
    listen: (sink) => void listeners.push(sink),
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
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
}

/** A second name for each log, so that it outlives the kubelet's clean-up. */
function keepLogs(namespace: string, logs: string): void {
  for (const folder of readdirSync(POD_LOGS)) {
    if (!folder.startsWith(`${namespace}_`)) continue;
    for (const container of [...Object.values(CONTAINERS), PREPARE_CONTAINER]) {
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
