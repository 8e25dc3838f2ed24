/**
 * Whose log a folder below `/var/log/pods` is, and when it is whole, by the pods of the Kubernetes API (D17).
 *
 * C1 Only pods of this installation; a folder's name alone says whether it can be one, and is enough to ask.
 * C2 A container's log is whole when its end is in the pod's status: the runtime reports it after the last byte is
 *    written. A pod that was deleted without that (by force) may still write: then the end is the folder's, or a bound.
 * C3 What a pod was stays known here as long as its folder is looked at; over restarts the checkpoint knows.
 */
import { basename } from "node:path";
import {
  NODE_CONTAINERS,
  nodeOfPod,
  POD_GROUP_ANNOTATION,
  POD_LABELS,
  POD_MANAGER,
  type PodFile,
  PREPARE_CONTAINER,
  podFile,
  podSelector,
  TASK_POD_NAME,
  type TaskMode,
} from "@aiep/contracts";
import { ApiError, type Connection, type Reflector, requestJson, startReflector } from "@aiep/kube";
import type { Logger } from "@aiep/service-kit";
import * as z from "zod";
import type { ContainerRole, PodResolver } from "./pod-resolver.ts";

const containerState = z.object({
  name: z.string(),
  state: z
    .object({ running: z.unknown(), terminated: z.unknown(), waiting: z.unknown() })
    .partial()
    .default({}),
});
const strings = z.record(z.string(), z.string()).default({});

const podSchema = z.object({
  metadata: z.object({
    name: z.string(),
    namespace: z.string(),
    uid: z.string(),
    labels: strings,
    annotations: strings,
  }),
  spec: z.object({
    restartPolicy: z.string().default("Always"),
    containers: z.array(z.object({ name: z.string() })),
  }),
  status: z
    .object({
      phase: z.string().default("Pending"),
      containerStatuses: z.array(containerState).default([]),
      initContainerStatuses: z.array(containerState).default([]),
    })
    .default({ phase: "Pending", containerStatuses: [], initContainerStatuses: [] }),
});
export type ClusterPod = z.infer<typeof podSchema>;

export interface ClusterPodsDeps {
  readonly connection: Connection;
  readonly instance: string;
  /** Only pods of this node; undefined: of all. */
  readonly nodeName: string | undefined;
  readonly log: Logger;
  /** Something about a pod is new. */
  readonly changed?: (pod: ClusterPod, gone: boolean) => void;
  readonly goneGraceMs?: number;
}

interface Known {
  readonly pod: ClusterPod;
  /** Not in the API any more, since. */
  readonly goneSince: number | undefined;
}

const ASK_AGAIN_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;
const GONE_GRACE_MS = 120_000;
/** Pods that are gone and whose folders nobody looks at any more. */
const MAX_GONE = 2_000;

export class ClusterPods implements PodResolver, AsyncDisposable {
  readonly forgetful = true;
  readonly #deps: ClusterPodsDeps;
  readonly #closing = new AbortController();
  readonly #byUid = new Map<string, Known>();
  readonly #askedAt = new Map<string, number>();
  readonly #reflector: Reflector;
  #synced = false;

  constructor(deps: ClusterPodsDeps) {
    this.#deps = deps;
    const { connection, log, instance, nodeName } = deps;
    this.#reflector = startReflector({
      connection,
      log,
      path: "/api/v1/pods",
      query: {
        labelSelector: podSelector(instance),
        ...(nodeName === undefined ? {} : { fieldSelector: `spec.nodeName=${nodeName}` }),
      },
      handler: {
        replace: (items) => this.#replace(items.map((item) => podSchema.parse(item))),
        changed: (item) => this.#put(podSchema.parse(item)),
        deleted: (item) => this.#gone(podSchema.parse(item)),
      },
      signal: this.#closing.signal,
    });
    void this.#reflector.synced.then(() => {
      this.#synced = true;
    });
  }

  /** Why pods cannot be seen just now; null when they can. */
  get trouble(): string | null {
    return this.#reflector.trouble;
  }

  /** The first list is in. */
  get synced(): Promise<void> {
    return this.#reflector.synced;
  }

  mayBeOurs(name: string): boolean {
    const [, pod = "", uid] = name.split("_");
    return uid !== undefined && TASK_POD_NAME.test(pod);
  }

  roleOf(container: string): ContainerRole {
    return roleOf(container);
  }

  async resolve(folder: string): Promise<PodFile | "foreign" | undefined> {
    const name = basename(folder);
    const [namespace = "", pod = "", uid = ""] = name.split("_");
    const known = this.#byUid.get(uid) ?? (await this.#ask({ namespace, pod, uid }));
    if (known === undefined) return undefined;
    return known === "foreign" ? "foreign" : podFileOf(known.pod);
  }

  async isComplete(folder: string, container?: string): Promise<boolean> {
    const uid = basename(folder).split("_")[2] ?? "";
    const known = this.#byUid.get(uid);
    if (known === undefined) {
      // A pod of an earlier life of this agent, gone meanwhile: only a list that is true can say so.
      return this.#synced && this.#reflector.trouble === null;
    }
    if (
      container === undefined
        ? isOver(known.pod, known.goneSince !== undefined)
        : hasEnded(known.pod, container)
    )
      return true;
    const { goneGraceMs = GONE_GRACE_MS } = this.#deps;
    return known.goneSince !== undefined && performance.now() - known.goneSince >= goneGraceMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#reflector.done;
  }

  async #ask(at: { namespace: string; pod: string; uid: string }): Promise<Known | "foreign" | undefined> {
    const askedAt = this.#askedAt.get(at.uid);
    if (askedAt !== undefined && performance.now() - askedAt < ASK_AGAIN_MS) return undefined;
    this.#askedAt.set(at.uid, performance.now());
    try {
      const found = podSchema.parse(
        await requestJson(this.#deps.connection, {
          method: "GET",
          path: `/api/v1/namespaces/${encodeURIComponent(at.namespace)}/pods/${encodeURIComponent(at.pod)}`,
          timeoutMs: REQUEST_TIMEOUT_MS,
          signal: this.#closing.signal,
        }),
      );
      if (found.metadata.uid !== at.uid) return undefined;
      this.#askedAt.delete(at.uid);
      if (!this.#isOurs(found)) return "foreign";
      if (!this.#byUid.has(at.uid)) this.#put(found);
      return this.#byUid.get(at.uid);
    } catch (error) {
      if (!ApiError.is(error, "missing") && !this.#closing.signal.aborted)
        this.#deps.log.debug({ err: error, pod: at.pod }, "a pod cannot be asked for");
      return undefined;
    }
  }

  #isOurs({ metadata: { labels } }: ClusterPod): boolean {
    return (
      labels[POD_LABELS.managedBy] === POD_MANAGER && labels[POD_LABELS.instance] === this.#deps.instance
    );
  }

  #replace(pods: readonly ClusterPod[]): void {
    const there = new Set(pods.map(({ metadata }) => metadata.uid));
    for (const { pod, goneSince } of [...this.#byUid.values()])
      if (goneSince === undefined && !there.has(pod.metadata.uid)) this.#gone(pod);
    for (const pod of pods) this.#put(pod);
  }

  #put(pod: ClusterPod): void {
    this.#byUid.set(pod.metadata.uid, { pod, goneSince: undefined });
    this.#deps.changed?.(pod, false);
  }

  #gone(pod: ClusterPod): void {
    const { uid } = pod.metadata;
    this.#byUid.delete(uid); // to the end of the map: the oldest are at its beginning
    this.#byUid.set(uid, { pod, goneSince: performance.now() });
    this.#deps.changed?.(pod, true);
    let surplus =
      [...this.#byUid.values()].filter(({ goneSince }) => goneSince !== undefined).length - MAX_GONE;
    for (const [oldest, { goneSince }] of this.#byUid) {
      if (surplus <= 0) break;
      if (goneSince === undefined) continue;
      this.#byUid.delete(oldest);
      surplus -= 1;
    }
  }
}

/** The task's container ended; every other one ended, or the pod is over without it. */
export function hasEnded({ spec, status }: ClusterPod, container: string): boolean {
  const init = status.initContainerStatuses.find(({ name }) => name === container);
  const own = init ?? status.containerStatuses.find(({ name }) => name === container);
  const terminated = own?.state.terminated !== undefined;
  if (isTerminal(status.phase)) return own === undefined || own.state.running === undefined;
  return terminated && (init !== undefined || spec.restartPolicy === "Never");
}

const isTerminal = (phase: string): boolean => phase === "Succeeded" || phase === "Failed";

/** Nothing of the pod runs any more, nor will. */
export function isOver({ status }: ClusterPod, gone: boolean): boolean {
  const running = [...status.initContainerStatuses, ...status.containerStatuses].some(
    ({ state }) => state.running !== undefined,
  );
  return !running && (isTerminal(status.phase) || gone);
}

export function roleOf(container: string): ContainerRole {
  if (modeOf(container) !== undefined) return "node";
  return container === PREPARE_CONTAINER ? "prepare" : "other";
}

function modeOf(container: string): TaskMode | undefined {
  const found = Object.entries(NODE_CONTAINERS).find(([, name]) => name === container);
  return found?.[0] as TaskMode | undefined; // the keys of NODE_CONTAINERS are the modes
}

/** Undefined for a pod whose labels do not say enough. */
export function podFileOf({ metadata, spec }: ClusterPod): PodFile | undefined {
  const { labels, annotations, uid } = metadata;
  const mode = spec.containers.map(({ name }) => modeOf(name)).find((each) => each !== undefined);
  if (mode === undefined) return undefined;
  return podFile.safeParse({
    task_id: labels[POD_LABELS.taskId],
    group_id: annotations[POD_GROUP_ANNOTATION] ?? labels[POD_LABELS.groupId],
    node: nodeOfPod(mode, labels),
    attempt: Number(labels[POD_LABELS.attempt]),
    pod_uid: uid,
  }).data;
}
