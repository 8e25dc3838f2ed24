/** The runtime that the settings name. The Kubernetes one is loaded only where it is used: its client costs 80 MB. */
import type { TaskIo } from "@aiep/contracts";
import type { DirectorySource, Logger, Scope } from "@aiep/service-kit";
import { type ArtifactStore, DEFAULT_ARTIFACT_LIMITS } from "../artifacts/artifact-store.ts";
import type { LeftRecords } from "../artifacts/left-records.ts";
import type { CodePackageFiles } from "../code-packages/package-files.ts";
import { unpackCodePackage } from "../code-packages/unpack.ts";
import type { TaskConfig } from "../config.ts";
import type { Runtime, WorkloadRef } from "../domain/runtime.ts";
import { createLocalRuntime } from "./local/local-runtime.ts";
import { storageResolver } from "./local/storage.ts";

export interface OpenRuntimeDeps {
  readonly config: TaskConfig;
  readonly directory: DirectorySource;
  readonly packages: CodePackageFiles;
  readonly artifacts: ArtifactStore;
  readonly records: LeftRecords;
  /** Some node of the workload has yet to begin. */
  readonly awaitsNodes: (ref: WorkloadRef) => Promise<boolean>;
  /** What the workload may leave just now; undefined when it is over. */
  readonly mayLeave: (ref: WorkloadRef) => Promise<TaskIo | undefined>;
  readonly log: Logger;
  readonly scope: Scope;
}

export async function openRuntime(deps: OpenRuntimeDeps): Promise<Runtime> {
  const runtime = deps.config.kubernetes === undefined ? await openLocal(deps) : await openKubernetes(deps);
  deps.scope.defer("release", "runtime", async () => await runtime.close());
  return runtime;
}

async function openLocal({ config, directory, packages, artifacts, log }: OpenRuntimeDeps): Promise<Runtime> {
  return await createLocalRuntime({
    stateDir: config.AIEP_LOCAL_STATE_DIR,
    logsDir: config.AIEP_LOCAL_LOGS_DIR,
    log,
    resolveStorage: storageResolver(() => directory.current().document),
    codePackagePath: (sha256) => packages.pathOf(sha256),
    unpackCode: async (zip, target, options) =>
      await unpackCodePackage(zip, target, config.codePackageLimits, options),
    artifacts,
    unsafeRandomNames: config.unsafe.has("deterministic-names"),
  });
}

async function openKubernetes({
  config,
  directory,
  packages,
  artifacts,
  records,
  awaitsNodes,
  mayLeave,
  log,
  scope,
}: OpenRuntimeDeps): Promise<Runtime> {
  const settings = config.kubernetes;
  if (settings === undefined) throw new TypeError("no settings for Kubernetes");
  const [{ connect }, { startDownloads }, { KubernetesRuntime }] = await Promise.all([
    import("@aiep/kube"),
    import("./kubernetes/downloads.ts"),
    import("./kubernetes/kubernetes-runtime.ts"),
  ]);
  const now = () => new Date();
  const connection = await connect(config.KUBECONFIG);
  const downloads = await startDownloads({
    host: config.AIEP_DOWNLOADS_HOST,
    port: config.AIEP_DOWNLOADS_PORT,
    publicUrl: config.AIEP_DOWNLOADS_URL,
    key: settings.downloadsKey,
    codePackagePath: (sha256) => packages.pathOf(sha256),
    awaitsNodes,
    mayLeave,
    artifacts,
    limits: DEFAULT_ARTIFACT_LIMITS,
    records,
    log,
    now,
  });
  scope.defer("release", "downloads", async () => await downloads.close());
  return new KubernetesRuntime({
    connection,
    directory: () => directory.current().document,
    downloads,
    records,
    instance: config.AIEP_KUBERNETES_INSTANCE ?? config.AIEP_ENV,
    prepareImage: settings.prepareImage,
    requestsPerSecond: config.AIEP_KUBERNETES_REQUESTS_PER_SECOND,
    keepSeconds: config.AIEP_KUBERNETES_KEEP_SECONDS,
    log,
    now,
  });
}
