/**
 * What the watches have told, by workload. Holds objects, decides nothing; `changed` says whose facts moved.
 *
 * A job that is missing from a list is only suspected to be gone: it may have been made while the list was read. Who
 * owns the cache asks for it by name before anybody is told (K4 of kubernetes-runtime.ts).
 */

import type { ReflectorHandler } from "@aiep/kube";
import type { WorkloadRef } from "../../domain/runtime.ts";
import type { JobKind } from "./job-place.ts";
import { keyOf, refOfName } from "./names.ts";
import type { SeenPod } from "./observe/observe.ts";
import {
  endOf,
  event,
  type Job,
  job,
  type KubeEvent,
  type PodGroup,
  pod,
  podGroup,
  type Queued,
  queued,
} from "./observe/resources.ts";

export interface Entry {
  readonly ref: WorkloadRef;
  job: Job | undefined;
  /** When this process first heard that the job has ended. */
  endHeardAt: Date | undefined;
  podGroup: PodGroup | undefined;
  queued: Queued | undefined;
  readonly pods: Map<string, SeenPod>;
  events: KubeEvent[];
}

export interface WorkloadCacheDeps {
  readonly changed: (key: string) => void;
  readonly suspectedGone: (key: string, job: Job) => void;
  readonly now: () => Date;
}

const MAX_EVENTS = 30;

export class WorkloadCache {
  readonly entries = new Map<string, Entry>();
  private readonly deps: WorkloadCacheDeps;

  constructor(deps: WorkloadCacheDeps) {
    this.deps = deps;
  }

  jobs(kind: JobKind): ReflectorHandler {
    return {
      replace: (items) => {
        const there = new Set(items.map((item) => this.putJob(kind, item)));
        for (const [key, { job }] of this.entries)
          if (job?.kind === kind && !there.has(key)) this.deps.suspectedGone(key, job);
      },
      changed: (object) => void this.putJob(kind, object),
      deleted: (object) => this.dropJob(job.parse(object)),
    };
  }

  readonly pods: ReflectorHandler = {
    replace: (items) => {
      const there = new Set(items.map((item) => this.putPod(item, false)));
      for (const [key, { pods }] of this.entries)
        for (const [uid, seen] of pods) {
          if (seen.gone || there.has(uid)) continue;
          pods.set(uid, { ...seen, gone: true });
          this.moved(key);
        }
    },
    changed: (object) => void this.putPod(object, false),
    deleted: (object) => void this.putPod(object, true),
  };

  readonly events: ReflectorHandler = {
    replace: (items) => {
      for (const item of items) this.putEvent(item);
    },
    changed: (object) => this.putEvent(object),
    deleted: () => undefined,
  };

  /** All of the cluster's: they do not carry our labels, their owners' names say whose they are. */
  readonly queued: ReflectorHandler = {
    replace: (items) => {
      for (const item of items) this.putQueued(item, false);
    },
    changed: (object) => this.putQueued(object, false),
    deleted: (object) => this.putQueued(object, true),
  };

  readonly podGroups: ReflectorHandler = {
    replace: (items) => {
      for (const item of items) this.putPodGroup(item);
    },
    changed: (object) => this.putPodGroup(object),
    deleted: (object) => {
      const { metadata } = podGroup.parse(object);
      const entry = this.entries.get(metadata.name);
      if (entry?.podGroup?.metadata.uid !== metadata.uid) return;
      entry.podGroup = undefined;
      this.moved(metadata.name);
    },
  };

  /** The workload's key; undefined for what is not ours. */
  putJob(kind: JobKind, object: unknown): string | undefined {
    const parsed = { ...job.parse(object), kind };
    const entry = this.entryOf(parsed.metadata.name);
    if (entry === undefined) return undefined;
    if (entry.job?.metadata.uid !== parsed.metadata.uid) entry.endHeardAt = undefined;
    const { failed, succeeded } = endOf(parsed);
    if (failed !== undefined || succeeded !== undefined) entry.endHeardAt ??= this.deps.now();
    entry.job = parsed;
    this.moved(keyOf(entry.ref));
    return keyOf(entry.ref);
  }

  dropJob({ metadata }: Job): void {
    const entry = this.entries.get(metadata.name);
    if (entry?.job?.metadata.uid !== metadata.uid) return; // an earlier object of that name
    entry.job = undefined;
    this.moved(metadata.name);
    this.forgetIfOver(metadata.name, entry);
  }

  private putPod(object: unknown, gone: boolean): string {
    const parsed = pod.parse(object);
    const { name, uid } = parsed.metadata;
    const entry = this.entryOf(name);
    if (entry === undefined) return uid;
    entry.pods.set(uid, { pod: parsed, gone });
    const key = keyOf(entry.ref);
    this.moved(key);
    if (gone) this.forgetIfOver(key, entry);
    return uid;
  }

  private putEvent(object: unknown): void {
    const parsed = event.parse(object);
    const ref = refOfName(parsed.involvedObject.name);
    const entry = ref && this.entries.get(keyOf(ref)); // events of the past make no workload
    if (ref === undefined || entry === undefined) return;
    const others = entry.events.filter(({ metadata }) => metadata.uid !== parsed.metadata.uid);
    entry.events = [...others, parsed].slice(-MAX_EVENTS);
    this.moved(keyOf(ref));
  }

  private putQueued(object: unknown, gone: boolean): void {
    const parsed = queued.parse(object);
    const ref = parsed.metadata.ownerReferences.map(({ name }) => refOfName(name)).find(Boolean);
    const entry = ref && this.entries.get(keyOf(ref)); // other people's make no workload
    if (ref === undefined || entry === undefined) return;
    entry.queued = gone ? undefined : parsed;
    this.moved(keyOf(ref));
  }

  private putPodGroup(object: unknown): void {
    const parsed = podGroup.parse(object);
    const entry = this.entryOf(parsed.metadata.name);
    if (entry === undefined) return;
    entry.podGroup = parsed;
    this.moved(keyOf(entry.ref));
  }

  private entryOf(name: string): Entry | undefined {
    const ref = refOfName(name);
    if (ref === undefined) return undefined;
    const key = keyOf(ref);
    const known = this.entries.get(key);
    if (known !== undefined) return known;
    const entry: Entry = {
      ref,
      job: undefined,
      endHeardAt: undefined,
      podGroup: undefined,
      queued: undefined,
      pods: new Map(),
      events: [],
    };
    this.entries.set(key, entry);
    return entry;
  }

  private forgetIfOver(key: string, entry: Entry): void {
    if (entry.job === undefined && [...entry.pods.values()].every(({ gone }) => gone))
      this.entries.delete(key);
  }

  private moved(key: string): void {
    this.deps.changed(key);
  }
}
