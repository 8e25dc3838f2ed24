/**
 * Where no agent may run on the nodes: follows the logs of this installation's pods over the Kubernetes API and writes
 * them as the local runtime does, pod folders with `aiep.json` and `complete`, which the agent then ships (D17).
 *
 * Knows what the API cannot give: which of a node's two streams a line was on, and what the kubelet rotated away before it
 * was read. A folder that is not complete and whose pod is gone is completed with a gap.
 */
import { mkdir, readdir, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LOG_COMPLETE_FILE, POD_FILE, podFolder } from "@aiep/contracts";
import type { Connection } from "@aiep/kube";
import type { Logger } from "@aiep/service-kit";
import { type ClusterPod, hasEnded, isOver, podFileOf, roleOf } from "../cluster-pods.ts";
import { unlessMissing } from "../pod-resolver.ts";
import { type ContainerPhase, followContainer } from "./container-follower.ts";

export interface PodFollowerDeps {
  readonly connection: Connection;
  readonly podsDir: string;
  readonly log: Logger;
  readonly now: () => Date;
  readonly idleMs?: number;
}

interface Followed {
  readonly container: string;
  pod: ClusterPod;
  gone: boolean;
}

export class PodFollower implements AsyncDisposable {
  readonly #deps: PodFollowerDeps;
  readonly #closing = new AbortController();
  readonly #followed = new Map<string, Followed>();
  readonly #following = new Set<Promise<void>>();

  constructor(deps: PodFollowerDeps) {
    this.#deps = deps;
  }

  podChanged(pod: ClusterPod, gone: boolean): void {
    const known = this.#followed.get(pod.metadata.uid);
    if (known !== undefined) {
      known.pod = pod;
      known.gone = gone;
      return;
    }
    const container = containerToRead(pod, gone);
    if (container !== undefined) this.#begin({ container, pod, gone });
  }

  /** All pods are known: folders of pods that went while nobody looked have an end, too. */
  async completeForgotten(): Promise<void> {
    for (const name of (await unlessMissing(readdir(this.#deps.podsDir))) ?? []) {
      const [namespace = "", pod = "", uid = ""] = name.split("_");
      if (uid === "" || this.#followed.has(uid)) continue;
      const folder = join(this.#deps.podsDir, name);
      for (const container of (await isComplete(folder)) ? [] : await readdir(folder))
        if (roleOf(container) !== "other")
          this.#begin({ container, pod: unknownPod({ namespace, name: pod, uid }), gone: true });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#following);
  }

  #begin(followed: Followed): void {
    const { uid, name } = followed.pod.metadata;
    this.#followed.set(uid, followed);
    const following = this.#follow(followed)
      .catch((error: unknown) => {
        this.#deps.log.error(
          { err: error, pod: name },
          "a log cannot be followed; trying again when its pod changes",
        );
        this.#followed.delete(uid);
      })
      .finally(() => this.#following.delete(following));
    this.#following.add(following);
  }

  async #follow(followed: Followed): Promise<void> {
    const { signal } = this.#closing;
    const { metadata } = followed.pod;
    const { namespace, name, uid } = metadata;
    const folder = join(this.#deps.podsDir, podFolder({ namespace, pod: name, uid }));
    if (await isComplete(folder)) return;
    await mkdir(folder, { recursive: true });
    const owner = podFileOf(followed.pod);
    if (owner !== undefined) await writeWhole(join(folder, POD_FILE), JSON.stringify(owner));
    await followContainer({
      ...this.#deps,
      pod: { namespace, name },
      container: followed.container,
      folder: join(folder, followed.container),
      phase: () => phaseOf(followed),
      signal,
    });
    if (!signal.aborted) await writeWhole(join(folder, LOG_COMPLETE_FILE), "");
  }
}

/** The node's container once it began; of a pod that is over without it, the one that prepared it. */
function containerToRead(pod: ClusterPod, gone: boolean): string | undefined {
  const begun = (role: "node" | "prepare") =>
    [...pod.status.containerStatuses, ...pod.status.initContainerStatuses].find(
      ({ name, state }) => roleOf(name) === role && (state.running ?? state.terminated) !== undefined,
    )?.name;
  return begun("node") ?? (isOver(pod, gone) ? begun("prepare") : undefined);
}

function phaseOf({ pod, gone, container }: Followed): ContainerPhase {
  if (gone) return "gone";
  return hasEnded(pod, container) ? "ended" : "running";
}

/** Of a pod that went while nobody looked, only the folder's name is left; who it belongs to stands in the folder. */
const unknownPod = (metadata: { namespace: string; name: string; uid: string }): ClusterPod => ({
  metadata: { ...metadata, labels: {}, annotations: {} },
  spec: { restartPolicy: "Never", containers: [] },
  status: { phase: "Failed", containerStatuses: [], initContainerStatuses: [] },
});

async function isComplete(folder: string): Promise<boolean> {
  return (await unlessMissing(stat(join(folder, LOG_COMPLETE_FILE)))) !== undefined;
}

async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o640 });
  await rename(`${path}.new`, path);
}
