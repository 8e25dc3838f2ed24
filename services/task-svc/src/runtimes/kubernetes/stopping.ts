/**
 * Stops of workloads (K2, K3): written on the job, then pursued until no pod is left and no controller makes another.
 * Each step may be repeated, and by another process.
 *
 * S1 Pods are deleted before the job is suspended. A controller that suspends ends pods with the time of their own, and
 *    a kubelet that is at it does not hear of a shorter one.
 */
import type { KubeClient } from "@aiep/kube";
import { kindOf, placeOfJob } from "./job-place.ts";
import { KINDS } from "./kinds.ts";
import { ANNOTATIONS } from "./names.ts";
import { holds, type Job, type Pod } from "./observe/resources.ts";
import { type StopOrder, stopOrder } from "./plan.ts";
import type { WorkloadCache } from "./workload-cache.ts";

export interface StopsDeps {
  readonly client: KubeClient;
  readonly cache: WorkloadCache;
  readonly now: () => Date;
}

/** The kubelet gets this long beyond the grace before a pod's object is removed without its word. */
const FORCE_AFTER_MS = 60_000;
/** 0 would remove the object at once, and with it what the node's end was. */
const MIN_GRACE_SECONDS = 1;
const STRAY_GRACE_SECONDS = 10;
/** Two clocks, and the way there. */
const SLACK_MS = 2_000;

export class Stops {
  private readonly deps: StopsDeps;
  /** Ordered by this process, also of workloads that are still being made; those of others are on the jobs. */
  private readonly ordered = new Map<string, StopOrder>();

  constructor(deps: StopsDeps) {
    this.deps = deps;
  }

  /** Remembers the order; of several the earliest deadline counts. */
  order(key: string, graceSeconds: number): void {
    const order: StopOrder = { at: this.deps.now().toISOString(), grace_seconds: graceSeconds };
    const earlier = this.of(key);
    if (earlier === undefined) this.ordered.set(key, order);
    else if (deadlineOf(order) < deadlineOf(earlier)) {
      const leftMs = Math.max(0, deadlineOf(order) - new Date(earlier.at).getTime());
      this.ordered.set(key, { at: earlier.at, grace_seconds: Math.ceil(leftMs / 1000) });
    }
  }

  of(key: string): StopOrder | undefined {
    const job = this.deps.cache.entries.get(key)?.job;
    return this.ordered.get(key) ?? (job && writtenOn(job));
  }

  forget(key: string): void {
    this.ordered.delete(key);
  }

  /** Puts the order on the job, unless it is there. */
  async write(job: Job, order: StopOrder): Promise<void> {
    const written = writtenOn(job);
    if (written !== undefined && deadlineOf(written) <= deadlineOf(order)) return;
    await this.patch(job, { metadata: { annotations: { [ANNOTATIONS.stop]: JSON.stringify(order) } } });
  }

  /** Deletes the pods that are there, with the order's grace, by force those that do not go; then nobody makes more (S1). */
  async pursue(key: string): Promise<void> {
    const { client } = this.deps;
    await Promise.all(
      this.remaining(key).map(async ({ pod, graceSeconds }) => {
        const { namespace, name, uid } = pod.metadata;
        await client.remove({ kind: KINDS.Pod, namespace, name }, { uid, graceSeconds });
      }),
    );
    const job = this.unsuspended(key);
    if (job === undefined) return;
    if (isQueued(job)) await client.remove(placeOfJob(job), { uid: job.metadata.uid });
    else
      await this.patch(job, {
        spec: job.kind === "Job" ? { suspend: true } : { runPolicy: { suspend: true } },
      });
  }

  /** Pods whose job is gone, e.g. deleted with its pods left alone: nobody else would end them (I10). */
  strays(key: string): Pod[] {
    const entry = this.deps.cache.entries.get(key);
    if (entry === undefined || entry.job !== undefined) return [];
    return [...entry.pods.values()]
      .filter(({ gone, pod }) => !gone && pod.metadata.deletionTimestamp === null)
      .map(({ pod }) => pod);
  }

  async endStrays(key: string): Promise<void> {
    const { client } = this.deps;
    await Promise.all(
      this.strays(key).map(async ({ metadata: { namespace, name, uid } }) => {
        await client.remove({ kind: KINDS.Pod, namespace, name }, { uid, graceSeconds: STRAY_GRACE_SECONDS });
      }),
    );
  }

  isPursued(key: string): boolean {
    return this.remaining(key).length > 0 || this.unsuspended(key) !== undefined;
  }

  private async patch(job: Job, patch: object): Promise<void> {
    const { client, cache } = this.deps;
    const patched = await client.patch(placeOfJob(job), patch);
    if (patched !== undefined) cache.putJob(kindOf(job), patched);
  }

  /** The job, if its controller may still make pods; under Kueue until it is gone: `suspend` is Kueue's. */
  private unsuspended(key: string): Job | undefined {
    const job = this.deps.cache.entries.get(key)?.job;
    if (job === undefined || this.of(key) === undefined || !isOpen(job)) return undefined;
    if (isQueued(job)) return job.metadata.deletionTimestamp === null ? job : undefined;
    const suspended = job.kind === "Job" ? job.spec.suspend : job.spec.runPolicy?.suspend;
    return suspended === true ? undefined : job;
  }

  private remaining(key: string): { readonly pod: Pod; readonly graceSeconds: number }[] {
    const order = this.of(key);
    const pods = this.deps.cache.entries.get(key)?.pods.values() ?? [];
    if (order === undefined) return [];
    const now = this.deps.now().getTime();
    const overdue = now > deadlineOf(order) + FORCE_AFTER_MS;
    const graceSeconds = Math.max(MIN_GRACE_SECONDS, Math.ceil((deadlineOf(order) - now) / 1000));
    return [...pods]
      .filter(({ gone }) => !gone)
      .map(({ pod }) => pod)
      .filter((pod) => (overdue ? pod.metadata.deletionTimestamp !== null : needsDelete(pod, order, now)))
      .map((pod) => ({ pod, graceSeconds: overdue ? 0 : hasBegun(pod) ? graceSeconds : MIN_GRACE_SECONDS }));
  }
}

export function writtenOn({ metadata }: Job): StopOrder | undefined {
  const text = metadata.annotations[ANNOTATIONS.stop];
  return text === undefined ? undefined : stopOrder.parse(JSON.parse(text));
}

export function isOpen({ status }: Job): boolean {
  return ["Failed", "Succeeded", "Complete"].every((type) => holds(status.conditions, type) === undefined);
}

const isQueued = ({ metadata }: Job) => metadata.labels["kueue.x-k8s.io/queue-name"] !== undefined;
const deadlineOf = ({ at, grace_seconds }: StopOrder) => new Date(at).getTime() + grace_seconds * 1000;

/** Before its command runs there is nothing to clean up, and an init container may not listen. */
const hasBegun = ({ status }: Pod): boolean =>
  status.containerStatuses.some(({ state }) => state.running != null);

/** Still there without an order to go, or with more time than it was to have: controllers delete with the pod's own grace. */
function needsDelete({ metadata, status }: Pod, order: StopOrder, now: number): boolean {
  if (metadata.deletionTimestamp === null) return status.phase === "Pending" || status.phase === "Running";
  const latest = Math.max(deadlineOf(order), now + MIN_GRACE_SECONDS * 1000);
  return metadata.deletionTimestamp.getTime() > latest + SLACK_MS;
}
