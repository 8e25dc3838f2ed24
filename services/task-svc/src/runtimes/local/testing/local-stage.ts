/** The local runtime on a stage of its own: temporary folders, and a successor over the same ones on demand. */
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { codePackageId, LOG_COMPLETE_FILE, MAIN_CONTAINER } from "@aiep/contracts";
import type { Observation, ObservationSink, Runtime } from "../../../domain/runtime.ts";
import type { Stage } from "../../conformance/stage.ts";
import type { Host } from "../host.ts";
import { folderOf, Layout } from "../layout.ts";
import { createLocalRuntime, type LocalRuntimeDeps } from "../local-runtime.ts";
import { decodeCri } from "../logs/testing/decode-cri.ts";
import { localDeps } from "./local-deps.ts";

export interface LocalStage extends Stage {
  /** Folder of the storage on this machine. */
  readonly store: string;
  readonly dir: string;
  readonly deps: LocalRuntimeDeps;
}

export async function openLocalStage(
  host: Host,
  changes: Partial<LocalRuntimeDeps> = {},
): Promise<LocalStage> {
  const dir = mkdtempSync(join(tmpdir(), "aiep-local-"));
  chmodSync(dir, host.namespaces ? 0o700 : 0o755);
  const store = join(dir, "store");
  mkdirSync(store);
  const own = { uid: host.uid, gid: process.getgid?.() ?? 0 };
  const identity = { user: "conformance", ...(host.switchUser ? { uid: 4242, gid: 4343 } : own) };
  if (host.switchUser) chownSync(store, identity.uid, identity.gid);

  const deps = { ...(await localDeps(dir, host)), ...changes };
  const layout = new Layout(deps.stateDir, deps.logsDir);
  const seen: Observation[] = [];
  const listeners: ObservationSink[] = [];
  const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
  const open = async () => {
    const opened = await createLocalRuntime(deps);
    await opened.start((observation) => {
      seen.push(observation);
      for (const listener of listeners) listener(observation);
    });
    return opened;
  };
  let runtime: Runtime = await open();
  return {
    dir,
    store,
    deps,
    identity,
    can: {
      readOnlyMounts: host.namespaces,
      switchUser: host.switchUser,
      limitMemory: host.memory !== undefined,
    },
    get runtime() {
      return runtime;
    },
    restart: async () => {
      await runtime.close();
      runtime = await open();
    },
    seen: ({ taskId }) => seen.filter(({ ref }) => ref.taskId === taskId),
    logOf: (workload, node) => {
      const { podDir } = layout.node(folderOf(workload), workload.spec.namespace, node);
      if (!existsSync(join(podDir, LOG_COMPLETE_FILE))) return undefined;
      return decodeCri(readFileSync(join(podDir, MAIN_CONTAINER, "0.log")));
    },
    listen: (sink) => void listeners.push(sink),
    storage: {
      source: "/ceph/conformance",
      target: host.namespaces ? "/ceph/conformance/target" : join(dir, "target"),
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
      for (const ref of await runtime.list()) await runtime.remove(ref);
      await runtime.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
