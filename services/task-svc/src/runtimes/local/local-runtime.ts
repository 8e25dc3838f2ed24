/**
 * The `local` runtime (D14): every node of a task is a process group on this machine that survives task-svc, with the
 * environment, folders, user and log that a cluster would give it.
 *
 *   local-runtime   the Runtime: takes on, adopts, stops, removes workloads
 *   local-workload  one (task, attempt): its folder, its nodes   local-node   one node's life
 *   layout          names and places                            node-files   what the wrapper said, and what it means
 *   prepare         code, material, mounts, scripts             wrapper      the sh scripts that outlive us
 *   storage, root-plan   mounts and the root a task sees        node-environment   the documents' variables
 *   host, cgroup, processes   this machine                      logs/        raw output → CRI
 *
 * One started runtime per state folder (task-svc's controller lease sees to it); `launch` alone is safe from several.
 */
import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { AiepError } from "@aiep/contracts";
import { createLimiter, type Logger } from "@aiep/service-kit";
import type { Observation, ObservationSink, Runtime, Workload, WorkloadRef } from "../../domain/runtime.ts";
import { findHost, type Host, hostChecks } from "./host.ts";
import { folderOf, Layout, nodesOf, refOfFolder } from "./layout.ts";
import type { LocalNodeDeps } from "./local-node.ts";
import { choosePorts, LocalWorkload, loadWorkload, storeWorkload, sweepStaging } from "./local-workload.ts";
import type { PrepareDeps } from "./prepare.ts";
import type { StorageResolver } from "./storage.ts";

export interface LocalRuntimeDeps {
  /** Working folders of tasks; may be readable by nobody else. */
  readonly stateDir: string;
  /** CRI logs in the kubelet's layout; the log agent's folder. */
  readonly logsDir: string;
  readonly log: Logger;
  readonly resolveStorage: StorageResolver;
  readonly codePackagePath: (sha256: string) => string;
  readonly unpackCode: PrepareDeps["unpackCode"];
  readonly artifacts: PrepareDeps["artifacts"];
  /** Negative control of R1: folders get random names, so that a second launch runs a second time. Tests only. */
  readonly unsafeRandomNames?: boolean;
  /** What this machine can do; default: looked at. */
  readonly host?: Host;
}

/** inotify tells changes at once; this finds wrappers that were killed and what inotify lost. */
const TICK_MS = 1000;
const PREPARING_AT_ONCE = 4;
/** What was ended may still be writing its last file. */
const GONE = { recursive: true, force: true, maxRetries: 10, retryDelay: 50 } as const;

export async function createLocalRuntime(deps: LocalRuntimeDeps): Promise<Runtime> {
  const host = deps.host ?? (await findHost());
  return new LocalRuntime(deps, host);
}

class LocalRuntime implements Runtime {
  readonly kind = "local";
  private readonly deps: LocalRuntimeDeps;
  private readonly host: Host;
  private readonly layout: Layout;
  private readonly nodeDeps: LocalNodeDeps;
  private readonly workloads = new Map<string, LocalWorkload>();
  /** Launches under way; who stops or removes waits for them (R3). */
  private readonly launching = new Map<string, Promise<void>>();
  private sink: ObservationSink = () => {};
  private ticking: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(deps: LocalRuntimeDeps, host: Host) {
    this.deps = deps;
    this.host = host;
    this.layout = new Layout(deps.stateDir, deps.logsDir);
    this.nodeDeps = {
      host,
      log: deps.log,
      resolveStorage: deps.resolveStorage,
      codePackagePath: deps.codePackagePath,
      unpackCode: deps.unpackCode,
      artifacts: deps.artifacts,
      preparing: createLimiter(PREPARING_AT_ONCE),
    };
  }

  async start(sink: ObservationSink): Promise<void> {
    this.sink = sink;
    await this.makeFolders();
    for (const name of await readdir(this.layout.trashDir)) await rm(join(this.layout.trashDir, name), GONE);
    for (const folder of await readdir(this.layout.tasksDir)) {
      if (refOfFolder(folder) === undefined) {
        if (folder.startsWith(".new-"))
          await rm(this.layout.taskDir(folder), { recursive: true, force: true });
        continue;
      }
      await this.adopt(folder, { sweep: true }).catch((error: unknown) =>
        this.deps.log.error({ err: error, folder }, "a workload's folder cannot be read and is left alone"),
      );
    }
    this.ticking = setInterval(() => {
      for (const workload of this.workloads.values()) workload.tick();
    }, TICK_MS);
    this.ticking.unref();
  }

  async launch(workload: Workload): Promise<void> {
    this.refuseIfClosed();
    if (nodesOf(workload.spec).length === 0) throw new AiepError("LAUNCH_REFUSED", "The task has no node.");
    const folder = this.deps.unsafeRandomNames
      ? `${folderOf(workload)}-${randomBytes(4).toString("hex")}`
      : folderOf(workload);
    const earlier = this.launching.get(folder);
    if (earlier !== undefined) return await earlier;
    if (this.workloads.has(folder)) return;
    const launching = this.takeOn(folder, workload).finally(() => this.launching.delete(folder));
    this.launching.set(folder, launching);
    await launching;
  }

  private async takeOn(folder: string, workload: Workload): Promise<void> {
    try {
      await this.makeFolders();
      const taken = new Set([...this.workloads.values()].flatMap(({ ports }) => ports));
      const ports =
        workload.spec.mode === "Standalone" ? [] : await choosePorts(nodesOf(workload.spec).length, taken);
      await storeWorkload(this.layout, folder, { workload, ports });
      await this.adopt(folder, { sweep: false });
    } catch (cause) {
      throw new AiepError("RUNTIME_UNAVAILABLE", "The local runtime's folder cannot be used.", { cause });
    }
  }

  async observe(ref: WorkloadRef): Promise<Observation> {
    const workload = this.find(ref);
    if (workload !== undefined) return workload.observeNow();
    return { kind: "absent", ref };
  }

  async stop(ref: WorkloadRef, options: { readonly graceSeconds: number }): Promise<void> {
    await this.launched(ref);
    await Promise.all(this.all(ref).map((workload) => workload.stop(options.graceSeconds)));
  }

  async remove(ref: WorkloadRef): Promise<void> {
    await this.launched(ref);
    for (const workload of this.all(ref)) {
      if (!workload.ended) await workload.stop(0);
      await workload.finished();
      if (this.closed) return;
      workload.close();
      this.workloads.delete(workload.folder);
      workload.release();
      const trash = join(this.layout.trashDir, `${workload.folder}-${randomBytes(4).toString("hex")}`);
      await rename(this.layout.taskDir(workload.folder), trash);
      await rm(trash, GONE);
    }
  }

  async list(): Promise<readonly WorkloadRef[]> {
    return [...this.workloads.values()].map(({ ref }) => ref);
  }

  async checks() {
    return await hostChecks(this.host, this.deps.stateDir);
  }

  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.ticking);
    const closing = [...this.workloads.values()];
    for (const workload of closing) workload.close();
    await Promise.all(closing.map((workload) => workload.finished()));
    this.workloads.clear();
  }

  /** Makes the in-memory side of a folder; whatever has to be done for it goes on from what the folder says. */
  private async adopt(folder: string, { sweep }: { readonly sweep: boolean }): Promise<void> {
    const stored = await loadWorkload(this.layout, folder);
    if (this.workloads.has(folder) || this.closed) return;
    // While `start` adopts, nobody prepares nodes here: what is half made is an earlier process's.
    if (sweep) await sweepStaging(this.layout, folder);
    const report: ObservationSink = (observation) => this.sink(observation);
    this.workloads.set(folder, new LocalWorkload(this.nodeDeps, this.layout, folder, stored, report));
  }

  private async makeFolders(): Promise<void> {
    // Others may pass but not list: without namespaces a task's user reaches its own folder through these.
    await mkdir(this.layout.tasksDir, { recursive: true, mode: 0o711 });
    await mkdir(this.layout.trashDir, { recursive: true, mode: 0o700 });
    await mkdir(this.deps.logsDir, { recursive: true, mode: 0o750 });
  }

  /** No launch of this workload is under way any more. One that fails tells its own caller. */
  private async launched(ref: WorkloadRef): Promise<void> {
    await this.launching.get(folderOf(ref))?.catch(() => undefined);
  }

  private find(ref: WorkloadRef): LocalWorkload | undefined {
    return this.all(ref)[0];
  }

  private all(ref: WorkloadRef): LocalWorkload[] {
    return [...this.workloads.values()].filter(
      (workload) => workload.ref.taskId === ref.taskId && workload.ref.attempt === ref.attempt,
    );
  }

  private refuseIfClosed(): void {
    if (this.closed) throw new AiepError("RUNTIME_UNAVAILABLE", "The local runtime is closed.");
  }
}
