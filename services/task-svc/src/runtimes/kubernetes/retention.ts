/** Removed workloads: gone for the platform at once, their objects after the time they are kept for people to look at. */
import type { KubeClient } from "@aiep/kube";
import { kindOf, placeOfJob } from "./job-place.ts";
import { ANNOTATIONS, keyOf } from "./names.ts";
import type { Job } from "./observe/resources.ts";
import type { Entry, WorkloadCache } from "./workload-cache.ts";

export interface RetentionDeps {
  readonly client: KubeClient;
  readonly cache: WorkloadCache;
  readonly now: () => Date;
  /** 0: their objects go with them. */
  readonly keepSeconds: number;
}

export class Retention {
  readonly #deps: RetentionDeps;
  /** Removed by this process, and perhaps still in the cache. */
  readonly #removed = new Set<string>();

  constructor(deps: RetentionDeps) {
    this.#deps = deps;
  }

  isRemoved(key: string): boolean {
    return this.#removed.has(key);
  }

  /** It is there, and nobody has removed it. */
  isKnown({ ref, job }: Entry): boolean {
    return job !== undefined && !this.#removed.has(keyOf(ref)) && keptUntil(job) === undefined;
  }

  async letGo(job: Job): Promise<void> {
    const { client, cache, now, keepSeconds } = this.#deps;
    if (keepSeconds > 0) {
      const until = new Date(now().getTime() + keepSeconds * 1000).toISOString();
      const patch = { metadata: { annotations: { [ANNOTATIONS.keepUntil]: until } } };
      const patched = await client.patch(placeOfJob(job), patch);
      if (patched !== undefined) cache.putJob(kindOf(job), patched);
    } else {
      this.#removed.add(job.metadata.name);
      await this.remove(job);
    }
  }

  async remove(job: Job): Promise<void> {
    await this.#deps.client.remove(placeOfJob(job), { uid: job.metadata.uid });
  }

  /** Kept long enough. */
  expired(): readonly Job[] {
    const now = this.#deps.now();
    return [...this.#deps.cache.entries.values()].flatMap(({ job }) => {
      const until = job && keptUntil(job);
      return job !== undefined && until !== undefined && until <= now ? [job] : [];
    });
  }

  /** Forgets what the cache has forgotten. */
  sweep(key: string): void {
    if (!this.#deps.cache.entries.has(key)) this.#removed.delete(key);
  }
}

function keptUntil({ metadata }: Job): Date | undefined {
  const text = metadata.annotations[ANNOTATIONS.keepUntil];
  return text === undefined ? undefined : new Date(text);
}
