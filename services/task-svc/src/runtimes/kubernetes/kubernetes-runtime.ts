/**
 * The `kubernetes` runtime (D14): a task is one batch/v1 Job, PyTorchJob or TFJob, made once under a name that follows
 * from (task, attempt), watched by its pods, and kept as the record of its end until the platform lets it go.
 *
 *   kubernetes-runtime  the Runtime: which step when              turns          one step of a workload at a time
 *   job-builder/        TaskSpec → objects                        launching      objects → API, launch-errors: its no in our words
 *   watches             what is watched, workload-cache: told     looking        asked, where the cache must not be believed
 *   observe/            objects → nodes and reasons               reports        observations → sink
 *   stopping            stop orders, pursued                      retention      removed, kept for a while
 *   names, plan         what is written on the objects            rooms          how full the machines are
 *   downloads           what pods fetch and send                  outputs        what worker-0 left, told with its end
 *   checks              what a cluster must have
 *
 * K1 Calls for one workload never overlap: a stop during a launch waits for it, and then finds what it made (R3).
 * K2 A stop is written on the job before any pod is deleted. Whoever comes later, also another process, pursues it until
 *    no pod is left and the job is suspended; a controller that makes one more pod meanwhile changes nothing.
 * K3 Under Kueue `suspend` is Kueue's, so a stop deletes the job.
 * K4 A workload is absent only when the API server says so by name.
 */
import { AiepError, type Directory } from "@aiep/contracts";
import { type Connection, createKubeClient, createRateLimiter, type KubeClient } from "@aiep/kube";
import { type Logger, within } from "@aiep/service-kit";
import type { LeftRecords } from "../../artifacts/left-records.ts";
import type {
  Observation,
  ObservationSink,
  Runtime,
  RuntimeCheck,
  Workload,
  WorkloadRef,
} from "../../domain/runtime.ts";
import { runtimeChecks } from "./checks.ts";
import type { DownloadServer } from "./downloads.ts";
import type { BuildFacts } from "./job-builder/build.ts";
import { JOB_KINDS } from "./job-place.ts";
import { makeJob } from "./launching.ts";
import { Looker } from "./looking.ts";
import { ANNOTATIONS, keyOf, refOfName, selectorOf } from "./names.ts";
import { observe } from "./observe/observe.ts";
import { Outputs } from "./outputs.ts";
import { plan } from "./plan.ts";
import { Reports } from "./reports.ts";
import { Retention } from "./retention.ts";
import { Rooms } from "./rooms.ts";
import { isOpen, Stops } from "./stopping.ts";
import { Turns } from "./turns.ts";
import { Watches, type WatchesDeps } from "./watches.ts";
import { WorkloadCache } from "./workload-cache.ts";

export interface KubernetesRuntimeDeps {
  readonly connection: Connection;
  readonly directory: () => Directory;
  readonly downloads: Pick<DownloadServer, "grantFor">;
  /** What tasks have left, written by the download server of any replica. */
  readonly records: Pick<LeftRecords, "read" | "remove">;
  /** This installation, told apart from others in the same cluster. */
  readonly instance: string;
  readonly prepareImage: string;
  readonly log: Logger;
  readonly now: () => Date;
  readonly requestsPerSecond: number;
  /** How long a removed workload's objects stay. */
  readonly keepSeconds: number;
  readonly watching?: WatchesDeps["limits"];
}

const TICK_MS = 5_000;
const START_TIMEOUT_MS = 60_000;

export class KubernetesRuntime implements Runtime {
  readonly kind = "kubernetes";
  readonly #deps: KubernetesRuntimeDeps;
  readonly #closing = new AbortController();
  readonly #client: KubeClient;
  readonly #cache: WorkloadCache;
  readonly #watches: Watches;
  readonly #turns = new Turns();
  readonly #looker: Looker;
  readonly #reports: Reports;
  readonly #stops: Stops;
  readonly #retention: Retention;
  readonly #rooms: Rooms;
  readonly #outputs: Outputs;
  #ticking: NodeJS.Timeout | undefined;

  constructor(deps: KubernetesRuntimeDeps) {
    const { connection, requestsPerSecond, instance, now, log, keepSeconds } = deps;
    const { signal } = this.#closing;
    this.#deps = deps;
    const limiter = createRateLimiter({ perSecond: requestsPerSecond, burst: requestsPerSecond });
    const client = createKubeClient({ connection, limiter, signal });
    const cache = new WorkloadCache({
      changed: (key) => this.#reports.moved(key),
      suspectedGone: (_key, job) => this.#background(async () => await this.#looker.confirmGone(job)),
      now,
    });
    this.#client = client;
    this.#cache = cache;
    this.#watches = new Watches({ connection, log, signal, limits: deps.watching });
    this.#looker = new Looker({ client, cache, instance });
    this.#stops = new Stops({ client, cache, now });
    this.#retention = new Retention({ client, cache, now, keepSeconds });
    this.#rooms = new Rooms({
      client,
      seen: (keys) => {
        for (const key of keys) this.#reports.moved(key);
      },
      failed: (error) => this.#later(error),
      now,
    });
    this.#outputs = new Outputs({
      records: deps.records,
      read: (key) => this.#reports.moved(key),
      failed: (error) => this.#later(error),
      now,
    });
    this.#reports = new Reports({
      observe: (key) => this.#observeKnown(key),
      looked: (key) => {
        this.#retention.sweep(key);
        if (!cache.entries.has(key)) this.#outputs.forget(key);
        this.#pursueLater(key);
      },
      log,
      signal,
    });
  }

  async start(sink: ObservationSink): Promise<void> {
    this.#reports.to(sink);
    const ours = { labelSelector: selectorOf(this.#deps.instance) };
    for (const kind of JOB_KINDS) this.#watches.open(kind, this.#cache.jobs(kind), ours);
    this.#watches.open("Pod", this.#cache.pods, ours);
    this.#watches.open("Event", this.#cache.events, { fieldSelector: "type=Warning" });
    const synced = this.#watches.synced([...JOB_KINDS, "Pod"]).then(() => true);
    if (!(await within(START_TIMEOUT_MS, synced, false))) throw this.#unavailable();
    this.#watchGangs(); // what they tell is of jobs that are known
    this.#ticking ??= setInterval(() => this.#tick(), TICK_MS).unref();
  }

  async launch(workload: Workload): Promise<void> {
    if (this.#closing.signal.aborted)
      throw new AiepError("RUNTIME_UNAVAILABLE", "The kubernetes runtime is closed.");
    const key = keyOf(workload);
    await this.#turns.take(key, async () => {
      const facts = this.#factsFor(workload);
      await makeJob({ client: this.#client, cache: this.#cache }, workload, facts);
      this.#reports.expect(key);
    });
  }

  async observe(ref: WorkloadRef): Promise<Observation> {
    const key = keyOf(ref);
    if (this.#observeKnown(key) === undefined && !this.#retention.isRemoved(key)) {
      await this.#reaching(async () => await this.#looker.find(ref));
      this.#observeKnown(key);
    }
    await this.#outputs.settled(ref);
    return this.#observeKnown(key) ?? { kind: "absent", ref };
  }

  async stop(ref: WorkloadRef, { graceSeconds }: { readonly graceSeconds: number }): Promise<void> {
    const key = keyOf(ref);
    this.#stops.order(key, graceSeconds); // at once: a launch under way sees it
    await this.#turns.take(key, async () => {
      await this.#reaching(async () => {
        const job = await this.#looker.find(ref);
        const order = this.#stops.of(key);
        if (job === undefined || order === undefined) return;
        await this.#stops.write(job, order);
        await this.#stops.pursue(key);
      });
    });
  }

  async remove(ref: WorkloadRef): Promise<void> {
    const key = keyOf(ref);
    await this.#turns.take(key, async () => {
      await this.#reaching(async () => {
        const job = await this.#looker.find(ref);
        if (job === undefined || this.#retention.isRemoved(key)) return;
        this.#stops.order(key, 0);
        const order = this.#stops.of(key);
        if (isOpen(job) && order !== undefined) await this.#stops.write(job, order);
        await this.#stops.pursue(key);
        await this.#retention.letGo(job);
      });
      await this.#outputs.remove(ref);
      this.#stops.forget(key);
      this.#reports.forget(key);
    });
  }

  async list(): Promise<readonly WorkloadRef[]> {
    const known = [...this.#cache.entries.values()].filter((entry) => this.#retention.isKnown(entry));
    return known.map(({ ref }) => ref);
  }

  async checks(): Promise<readonly RuntimeCheck[]> {
    return await runtimeChecks({
      client: this.#client,
      directory: this.#deps.directory(),
      watches: this.#watches.troubles(),
    });
  }

  async close(): Promise<void> {
    clearInterval(this.#ticking);
    this.#closing.abort(new AiepError("RUNTIME_UNAVAILABLE", "The kubernetes runtime is closed."));
    await this.#watches.closed();
    await this.#turns.idle();
    this.#deps.connection.agent.destroy();
  }

  #factsFor(workload: Workload): BuildFacts {
    const { directory, instance, prepareImage, downloads } = this.#deps;
    const { namespaces, storage_roots: storageRoots, gpu_types: gpuTypes } = directory();
    const namespace = namespaces.find(({ name }) => name === workload.spec.namespace);
    if (namespace === undefined)
      throw new AiepError(
        "LAUNCH_REFUSED",
        `The namespace ${workload.spec.namespace} is not in the directory any more.`,
      );
    const stopped = this.#stops.of(keyOf(workload));
    return {
      namespace,
      storageRoots,
      gpuTypes,
      instance,
      prepareImage,
      ...downloads.grantFor(workload),
      ...(stopped === undefined ? {} : { stopped }),
    };
  }

  #observeKnown(key: string): Observation | undefined {
    const entry = this.#cache.entries.get(key);
    if (entry?.job === undefined || !this.#retention.isKnown(entry)) return undefined;
    const { job, endHeardAt, ref, pods, events, podGroup, queued } = entry;
    const planned = plan.parse(JSON.parse(job.metadata.annotations[ANNOTATIONS.plan] ?? "null"));
    const own = [...pods.values()].filter(({ pod }) => pod.metadata.namespace === job.metadata.namespace);
    const stop = this.#stops.of(key);
    const now = this.#deps.now();
    const rooms = this.#rooms.known;
    const told = { pods: own, events, podGroup, queued, rooms };
    const seen = observe({ ref, plan: planned, job, endHeardAt, stop, ...told, now });
    if (seen.waiting?.reason === "Unschedulable") this.#rooms.want(key);
    return planned.leaves === true ? this.#outputs.complete(seen) : seen;
  }

  #tick(): void {
    this.#watchGangs();
    for (const job of this.#looker.takeSuspects())
      this.#background(async () => await this.#looker.confirmGone(job));
    for (const job of this.#retention.expired())
      this.#background(async () => await this.#retention.remove(job));
    for (const key of this.#cache.entries.keys()) {
      this.#reports.moved(key);
      this.#endStraysLater(key);
    }
  }

  /** Those that the directory names; it may have changed. */
  #watchGangs(): void {
    const gangs = new Set(this.#deps.directory().namespaces.map(({ gang }) => gang));
    const ours = { labelSelector: selectorOf(this.#deps.instance) };
    if (gangs.has("volcano")) this.#watches.open("VolcanoPodGroup", this.#cache.podGroups, ours);
    if (gangs.has("scheduler-plugins"))
      this.#watches.open("CoschedulingPodGroup", this.#cache.podGroups, ours);
    if (gangs.has("kueue")) this.#watches.open("KueueWorkload", this.#cache.queued);
  }

  /** What a successor, or a controller that made one more pod, leaves to do (K2). */
  #pursueLater(key: string): void {
    if (refOfName(key) === undefined || this.#turns.isTaken(key) || !this.#stops.isPursued(key)) return;
    this.#background(async () => {
      await this.#turns.take(key, async () => await this.#stops.pursue(key));
    });
  }

  /** Of pods without a job; a job that the cache has not heard of yet is asked for first (K4). */
  #endStraysLater(key: string): void {
    const ref = refOfName(key);
    if (ref === undefined || this.#turns.isTaken(key) || this.#stops.strays(key).length === 0) return;
    this.#background(async () => {
      await this.#turns.take(key, async () => {
        if ((await this.#looker.find(ref)) === undefined) await this.#stops.endStrays(key);
      });
    });
  }

  #background(work: () => Promise<void>): void {
    work().catch((error: unknown) => this.#later(error));
  }

  #later(error: unknown): void {
    if (!this.#closing.signal.aborted) this.#deps.log.warn({ err: error }, "a step is tried again later");
  }

  async #reaching(work: () => Promise<unknown>): Promise<void> {
    await work().catch((error: unknown) => {
      throw this.#unavailable(error);
    });
  }

  #unavailable(cause?: unknown): AiepError {
    if (AiepError.is(cause)) return cause;
    const said =
      cause instanceof Error
        ? cause.message
        : [...this.#watches.troubles().values()].find((trouble) => trouble !== null);
    const message = `The Kubernetes API cannot be used${said == null ? "" : `: ${said}`}.`;
    return new AiepError("RUNTIME_UNAVAILABLE", message, { cause });
  }
}
