import { join } from "node:path";
import { openDirectoryStore } from "@aiep/objects";
import { createLogger } from "@aiep/service-kit";
import { createArtifactStore } from "../../../artifacts/artifact-store.ts";
import { DEFAULT_CODE_PACKAGE_LIMITS } from "../../../code-packages/limits.ts";
import { unpackCodePackage } from "../../../code-packages/unpack.ts";
import type { Host } from "../host.ts";
import type { LocalRuntimeDeps } from "../local-runtime.ts";

export async function localDeps(dir: string, host: Host): Promise<LocalRuntimeDeps> {
  const store = join(dir, "store");
  return {
    stateDir: join(dir, "state"),
    logsDir: join(dir, "logs"),
    log: createLogger({ service: "local-runtime-test", level: "warn" }),
    resolveStorage: (source) =>
      source.startsWith("/ceph/conformance")
        ? { root: store, path: join(store, source.slice("/ceph/conformance".length)) }
        : undefined,
    codePackagePath: (sha256) => join(dir, `${sha256}.zip`),
    unpackCode: (zip, target, options) =>
      unpackCodePackage(zip, target, DEFAULT_CODE_PACKAGE_LIMITS, options),
    host,
    artifacts: createArtifactStore({
      objects: await openDirectoryStore(join(dir, "artifacts")),
      keepMs: 86_400_000,
    }),
  };
}
