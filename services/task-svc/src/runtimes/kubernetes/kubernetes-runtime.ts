/**
 * The `kubernetes` runtime (D14): a task is one batch/v1 Job, PyTorchJob or TFJob, made once under a name that follows
 * from (task, attempt), watched by its pods, and kept as the record of its end until the platform lets it go.
 *
 *   kubernetes-runtime  the Runtime: launches, stops, removes     workload-cache  what the watches told
 *   job-builder/        TaskSpec → objects                        observe/        objects → nodes and reasons
 *   client/             connection, requests, watches, rate       downloads       code and material for prepare containers
 *   names, plan         what is written on the objects            launch-errors   an API server's no in our words
 *
 * K1 Calls for one workload never overlap: a stop during a launch waits for it, and then finds what it made (R3).
 * K2 A stop is written on the job (annotation and `suspend`) before any pod is deleted. Whoever comes later, also
 *    another process, pursues it until no pod is left; a controller that makes one more pod meanwhile changes nothing.
 * K3 Under Kueue `suspend` is Kueue's, so a stop deletes the job.
 * K4 A workload is absent only when the API server says so by name.
 */
import { AiepError, type Directory } from "@aiep/contracts";
import {
  ApiError,
  type Connection,
  createKubeClient,
  createRateLimiter,
  type KubeClient,
  pathOf,
  type Reflector,
  type ReflectorOptions,
  startReflector,
} from "@aiep/kube";
import type { Logger } from "@aiep/service-kit";
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
import { buildJob, specHash } from "./job-builder/build.ts";
import { JOB_KINDS, kindOf, placeOf, placeOfJob } from "./job-place.ts";
import { KINDS } from "./kinds.ts";
import { launchError } from "./launch-errors.ts";
import { ANNOTATIONS, keyOf, LABELS, refOfName, selectorOf } from "./names.ts";
import { observe } from "./observe/observe.ts";
import { type Job, job as jobSchema } from "./observe/resources.ts";
import { plan } from "./plan.ts";
import { isOpen, Stops, writtenOn } from "./stopping.ts";
import { type Entry, WorkloadCache } from "./workload-cache.ts";

export interface KubernetesRuntimeDeps {
  readonly connection: Connection;
  readonly directory: () => Directory;
  readonly downloads: Pick<DownloadServer, "grantFor">;
  /** This installation, told apart from others in the same cluster. */
  readonly instance: string;
  readonly prepareImage: string;
  readonly log: Logger;
  readonly now: () => Date;
  readonly requestsPerSecond: number;
  /** How long a removed workload's objects stay. */
  readonly keepSeconds: number;
  /** Limits of the watches, when not the reflector's own. */
  readonly watching?: Pick<ReflectorOptions, "stallMs" | "serverTimeoutSeconds" | "backoff">;
}

const TICK_MS = 5_000;
const START_TIMEOUT_MS = 60_000;
export class KubernetesRuntime implements Runtime {
  readonly kind = "kubernetes";
  private readonly deps: KubernetesRuntimeDeps;
  private readonly client: KubeClient;
  private readonly cache: WorkloadCache;
  private readonly closing = new AbortController();
  private readonly reflectors = new Map<string, Reflector>();
  /** Per workload, the end of the last call (K1). */
  private readonly turns = new Map<string, Promise<unknown>>();
  private readonly stops: Stops;
  private readonly removed = new Set<string>();
  private readonly reports = new Map<string, string>();
  private readonly due = new Set<string>();
  /** By uid: missing in a list, and the API server could not be asked for them yet. */
  private readonly suspects = new Map<string, Job>();
  private sink: ObservationSink = () => {};
  private ticking: NodeJS.Timeout | undefined;

  constructor(deps: KubernetesRuntimeDeps) {
    this.deps = deps;
    const limiter = createRateLimiter({ perSecond: deps.requestsPerSecond, burst: deps.requestsPerSecond });
    this.client = createKubeClient({ connection: deps.connection, limiter, signal: this.closing.signal });
    this.cache = new WorkloadCache({
      changed: (key) => this.moved(key),
      suspectedGone: (_key, job) => this.background(async () => await this.confirmGone(job)),
    });
    this.stops = new Stops({ client: this.client, cache: this.cache, now: deps.now });
  }

  async start(sink: ObservationSink): Promise<void> {
    this.sink = sink;
    const watch = (
      name: keyof typeof KINDS,
      handler: Parameters<typeof startReflector>[0]["handler"],
      query = {},
    ) => {
      if (this.reflectors.has(name)) return; // an earlier start that was too impatient left it at work
      const { connection, log, watching } = this.deps;
      const path = pathOf(KINDS[name]);
      const { signal } = this.closing;
      this.reflectors.set(
        name,
        startReflector({ connection, path, query, handler, log, signal, ...watching }),
      );
    };
    const ours = { labelSelector: selectorOf(this.deps.instance) };
    for (const kind of JOB_KINDS) watch(kind, this.cache.jobs(kind), ours);
    watch("Pod", this.cache.pods, ours);
    watch("Event", this.cache.events, { fieldSelector: "type=Warning" });
    for (const kind of this.gangKinds()) watch(kind, this.cache.podGroups, ours);
    const needed = [...JOB_KINDS, "Pod"].flatMap((name) => this.reflectors.get(name) ?? []);
    await within(START_TIMEOUT_MS, Promise.all(needed.map(({ synced }) => synced)), () => this.unavailable());
    this.ticking ??= setInterval(() => this.tick(), TICK_MS).unref();
  }

  async launch(workload: Workload): Promise<void> {
    this.refuseIfClosed();
    await this.inTurn(workload, async () => {
      const directory = this.deps.directory();
      const namespace = directory.namespaces.find(({ name }) => name === workload.spec.namespace);
      if (namespace === undefined)
        throw new AiepError(
          "LAUNCH_REFUSED",
          `The namespace ${workload.spec.namespace} is not in the directory any more.`,
        );
      const stopped = this.stops.of(keyOf(workload));
      const { job, podGroup } = buildJob(workload, {
        namespace,
        storageRoots: directory.storage_roots,
        gpuTypes: directory.gpu_types,
        instance: this.deps.instance,
        prepareImage: this.deps.prepareImage,
        ...this.deps.downloads.grantFor(workload),
        ...(stopped === undefined ? {} : { stopped }),
      });
      try {
        const made = await this.client.create(placeOf(job.kind, namespace.name, keyOf(workload)), job);
        const found = { ...jobSchema.parse(made.object), kind: job.kind };
        if (made.existed) refuseStranger(workload, found);
        this.cache.putJob(job.kind, made.object);
        // From here on its absence is news, even before its presence was.
        if (!this.reports.has(keyOf(workload))) this.reports.set(keyOf(workload), "");
        if (podGroup !== undefined && writtenOn(found) === undefined)
          await this.createPodGroup(podGroup, found);
      } catch (error) {
        throw launchError(error, job.kind, namespace.name);
      }
    });
  }

  async observe(ref: WorkloadRef): Promise<Observation> {
    const known = this.observeKnown(keyOf(ref));
    if (known !== undefined) return known;
    if (this.removed.has(keyOf(ref))) return { kind: "absent", ref };
    await this.locate(ref);
    return this.observeKnown(keyOf(ref)) ?? { kind: "absent", ref };
  }

  async stop(ref: WorkloadRef, { graceSeconds }: { readonly graceSeconds: number }): Promise<void> {
    const key = keyOf(ref);
    this.stops.order(key, graceSeconds); // at once: a launch under way sees it
    await this.inTurn(ref, async () => {
      const job = await this.find(ref);
      const order = this.stops.of(key);
      if (job === undefined || order === undefined) return;
      await this.reaching(async () => {
        await this.stops.write(job, order);
        await this.stops.pursue(key);
      });
    });
  }

  async remove(ref: WorkloadRef): Promise<void> {
    const key = keyOf(ref);
    await this.inTurn(ref, async () => {
      const job = await this.find(ref);
      if (job !== undefined && !this.removed.has(key)) {
        this.stops.order(key, 0);
        const order = this.stops.of(key);
        await this.reaching(async () => {
          if (isOpen(job) && order !== undefined) await this.stops.write(job, order);
          await this.stops.pursue(key);
          await this.letGo(job);
        });
      }
      this.stops.forget(key);
      this.reports.delete(key);
    });
  }

  async list(): Promise<readonly WorkloadRef[]> {
    return [...this.cache.entries.values()].filter((entry) => this.isKnown(entry)).map(({ ref }) => ref);
  }

  async checks(): Promise<readonly RuntimeCheck[]> {
    return await runtimeChecks({
      client: this.client,
      namespaces: this.deps.directory().namespaces,
      watches: new Map([...this.reflectors].map(([name, { trouble }]) => [name, trouble])),
    });
  }

  async close(): Promise<void> {
    clearInterval(this.ticking);
    this.closing.abort(new AiepError("RUNTIME_UNAVAILABLE", "The kubernetes runtime is closed."));
    await Promise.all([...this.reflectors.values()].map(({ done }) => done));
    await Promise.allSettled([...this.turns.values()]);
    this.deps.connection.agent.destroy();
  }

  // Observing

  private observeKnown(key: string): Observation | undefined {
    const entry = this.cache.entries.get(key);
    if (entry?.job === undefined || !this.isKnown(entry)) return undefined;
    const { job, ref, pods, events, podGroup } = entry;
    const planned = plan.parse(JSON.parse(job.metadata.annotations[ANNOTATIONS.plan] ?? "null"));
    const own = [...pods.values()].filter(({ pod }) => pod.metadata.namespace === job.metadata.namespace);
    const stop = this.stops.of(key);
    return observe({ ref, plan: planned, job, stop, pods: own, events, podGroup, now: this.deps.now() });
  }

  private isKnown({ ref, job }: Entry): boolean {
    return (
      job !== undefined &&
      !this.removed.has(keyOf(ref)) &&
      job.metadata.annotations[ANNOTATIONS.keepUntil] === undefined
    );
  }

  /** Coalesces: one report for everything that came in one go. */
  private moved(key: string): void {
    if (this.due.size === 0) setImmediate(() => this.reportDue());
    this.due.add(key);
  }

  private reportDue(): void {
    const keys = [...this.due];
    this.due.clear();
    if (this.closing.signal.aborted) return;
    for (const key of keys) {
      try {
        this.report(key);
        this.pursueLater(key);
      } catch (error) {
        this.deps.log.error({ err: error, workload: key }, "a workload cannot be observed");
      }
    }
  }

  private report(key: string): void {
    const observation = this.observeKnown(key);
    if (observation === undefined) {
      const ref = refOfName(key);
      if (this.reports.delete(key) && ref !== undefined) this.sink({ kind: "absent", ref });
      if (!this.cache.entries.has(key)) this.removed.delete(key);
      return;
    }
    const text = JSON.stringify(observation);
    if (this.reports.get(key) === text) return;
    this.reports.set(key, text);
    this.sink(observation);
  }

  private tick(): void {
    const now = this.deps.now();
    const suspects = [...this.suspects.values()];
    this.suspects.clear();
    for (const job of suspects) this.background(async () => await this.confirmGone(job));
    for (const [key, { job }] of this.cache.entries) {
      const until = job?.metadata.annotations[ANNOTATIONS.keepUntil];
      if (job !== undefined && until !== undefined && new Date(until) <= now)
        this.background(
          async () => void (await this.client.remove(placeOfJob(job), { uid: job.metadata.uid })),
        );
      else this.moved(key);
    }
  }

  /** K4: by name in the API server; the cache then has it. */
  private async locate(ref: WorkloadRef): Promise<Job | undefined> {
    const labelSelector = `${selectorOf(this.deps.instance)},${LABELS.taskId}=${ref.taskId},${LABELS.attempt}=${ref.attempt}`;
    for (const kind of JOB_KINDS) {
      const path = pathOf(KINDS[kind]);
      try {
        const answer = await this.client.ask({ method: "GET", path, query: { labelSelector } });
        const items = typeof answer === "object" && answer !== null && "items" in answer ? answer.items : [];
        if (!Array.isArray(items) || items[0] === undefined) continue;
        this.cache.putJob(kind, items[0]);
        return this.cache.entries.get(keyOf(ref))?.job;
      } catch (error) {
        if (!ApiError.is(error, "missing")) throw this.unavailable(error);
      }
    }
    return undefined;
  }

  private async confirmGone(job: Job): Promise<void> {
    try {
      const found = await this.client.find(placeOfJob(job));
      if (found === undefined || jobSchema.parse(found).metadata.uid !== job.metadata.uid)
        this.cache.dropJob(job);
    } catch (error) {
      this.suspects.set(job.metadata.uid, job); // the next list may be far away
      throw error;
    }
  }

  // Stopping and removing

  /** What a successor, or a controller that made one more pod, leaves to do (K2). */
  private pursueLater(key: string): void {
    const ref = refOfName(key);
    if (ref === undefined || this.turns.has(key) || !this.stops.isPursued(key)) return;
    this.background(async () => await this.inTurn(ref, async () => await this.stops.pursue(key)));
  }

  private async letGo(job: Job): Promise<void> {
    const { keepSeconds, now } = this.deps;
    if (keepSeconds > 0) {
      const until = new Date(now().getTime() + keepSeconds * 1000).toISOString();
      const patch = { metadata: { annotations: { [ANNOTATIONS.keepUntil]: until } } };
      const patched = await this.client.patch(placeOfJob(job), patch);
      if (patched !== undefined) this.cache.putJob(kindOf(job), patched);
    } else {
      this.removed.add(job.metadata.name);
      await this.client.remove(placeOfJob(job), { uid: job.metadata.uid });
    }
  }

  private async createPodGroup(
    group: NonNullable<ReturnType<typeof buildJob>["podGroup"]>,
    job: Job,
  ): Promise<void> {
    const { name, uid } = job.metadata;
    const apiVersion = job.kind === "Job" ? "batch/v1" : "kubeflow.org/v1";
    const owner = { apiVersion, kind: job.kind, name, uid, controller: true, blockOwnerDeletion: false };
    const kind = group.apiVersion.includes("volcano") ? KINDS.VolcanoPodGroup : KINDS.CoschedulingPodGroup;
    const place = { kind, namespace: group.metadata.namespace, name };
    try {
      await this.client.create(place, {
        ...group,
        metadata: { ...group.metadata, ownerReferences: [owner] },
      });
    } catch (error) {
      // Without its gang the job's pods would wait for ever.
      if (ApiError.is(error, "missing") || ApiError.is(error, "refused"))
        await this.client.remove(placeOfJob(job), { uid });
      throw error;
    }
  }

  // Order

  private async inTurn<T>(ref: WorkloadRef, work: () => Promise<T>): Promise<T> {
    const key = keyOf(ref);
    const before = this.turns.get(key) ?? Promise.resolve();
    const turn = before.catch(() => undefined).then(work);
    this.turns.set(key, turn);
    try {
      return await turn;
    } finally {
      if (this.turns.get(key) === turn) this.turns.delete(key);
    }
  }

  private background(work: () => Promise<void>): void {
    work().catch((error: unknown) => {
      if (!this.closing.signal.aborted) this.deps.log.warn({ err: error }, "a step is tried again later");
    });
  }

  private gangKinds(): (keyof typeof KINDS)[] {
    const gangs = new Set(this.deps.directory().namespaces.map(({ gang }) => gang));
    return [
      ...(gangs.has("volcano") ? (["VolcanoPodGroup"] as const) : []),
      ...(gangs.has("scheduler-plugins") ? (["CoschedulingPodGroup"] as const) : []),
    ];
  }

  private async find(ref: WorkloadRef): Promise<Job | undefined> {
    return this.cache.entries.get(keyOf(ref))?.job ?? (await this.locate(ref));
  }

  private async reaching(work: () => Promise<void>): Promise<void> {
    await work().catch((error: unknown) => {
      throw this.unavailable(error);
    });
  }

  private refuseIfClosed(): void {
    if (this.closing.signal.aborted)
      throw new AiepError("RUNTIME_UNAVAILABLE", "The kubernetes runtime is closed.");
  }

  private unavailable(cause?: unknown): AiepError {
    if (AiepError.is(cause)) return cause;
    const said =
      cause instanceof Error
        ? cause.message
        : [...this.reflectors.values()].find(({ trouble }) => trouble)?.trouble;
    const message = `The Kubernetes API cannot be used${said == null ? "" : `: ${said}`}.`;
    return new AiepError("RUNTIME_UNAVAILABLE", message, { cause });
  }
}

function refuseStranger(workload: Workload, job: Job): void {
  const same =
    job.metadata.labels[LABELS.taskId] === workload.taskId &&
    job.metadata.annotations[ANNOTATIONS.specHash] === specHash(workload);
  if (same) return;
  throw new AiepError(
    "LAUNCH_REFUSED",
    `The namespace already has a ${job.kind} named ${job.metadata.name} that is not this task's; a platform administrator can remove it.`,
  );
}

async function within<T>(ms: number, waiting: Promise<T>, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), ms);
  });
  return await Promise.race([waiting, timeout]).finally(() => clearTimeout(timer));
}
