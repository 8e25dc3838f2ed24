/** Asking the API server itself, where the cache does not know or must not be believed (K4). */
import { ApiError, type KubeClient, pathOf } from "@aiep/kube";
import * as z from "zod";
import type { WorkloadRef } from "../../domain/runtime.ts";
import { JOB_KINDS, placeOfJob } from "./job-place.ts";
import { KINDS } from "./kinds.ts";
import { keyOf, LABELS, selectorOf } from "./names.ts";
import { type Job, job as jobSchema } from "./observe/resources.ts";
import type { WorkloadCache } from "./workload-cache.ts";

export interface LookerDeps {
  readonly client: KubeClient;
  readonly cache: WorkloadCache;
  readonly instance: string;
}

const list = z.object({ items: z.array(z.unknown()).nullish() });

export class Looker {
  readonly #deps: LookerDeps;
  /** By uid: missing in a list, and the API server could not be asked for them yet. */
  readonly #suspects = new Map<string, Job>();

  constructor(deps: LookerDeps) {
    this.#deps = deps;
  }

  /** The cache has it afterwards. */
  async find(ref: WorkloadRef): Promise<Job | undefined> {
    const { client, cache, instance } = this.#deps;
    const key = keyOf(ref);
    const known = cache.entries.get(key)?.job;
    if (known !== undefined) return known;
    const labelSelector = `${selectorOf(instance)},${LABELS.taskId}=${ref.taskId},${LABELS.attempt}=${ref.attempt}`;
    for (const kind of JOB_KINDS) {
      try {
        const request = { method: "GET", path: pathOf(KINDS[kind]), query: { labelSelector } } as const;
        const found = list.parse(await client.ask(request)).items?.[0];
        if (found === undefined) continue;
        cache.putJob(kind, found);
        return cache.entries.get(key)?.job;
      } catch (error) {
        if (!ApiError.is(error, "missing")) throw error;
      }
    }
    return undefined;
  }

  /** A list did not have it: it is gone if its name is. Throws when that cannot be known; asked again by `confirmAll`. */
  async confirmGone(job: Job): Promise<void> {
    const { client, cache } = this.#deps;
    try {
      const found = await client.find(placeOfJob(job));
      if (found === undefined || jobSchema.parse(found).metadata.uid !== job.metadata.uid) cache.dropJob(job);
    } catch (error) {
      this.#suspects.set(job.metadata.uid, job); // the next list may be far away
      throw error;
    }
  }

  takeSuspects(): readonly Job[] {
    const suspects = [...this.#suspects.values()];
    this.#suspects.clear();
    return suspects;
  }
}
