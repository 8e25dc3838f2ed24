/** Making a workload's objects, or finding them made (R1): the job first, and what it owns after it. */
import { AiepError } from "@aiep/contracts";
import { ApiError, type KubeClient } from "@aiep/kube";
import type { Workload } from "../../domain/runtime.ts";
import { type BuildFacts, buildJob, specHash } from "./job-builder/build.ts";
import type { PodGroup } from "./job-builder/gang.ts";
import { placeOf, placeOfJob } from "./job-place.ts";
import { KINDS } from "./kinds.ts";
import { launchError } from "./launch-errors.ts";
import { ANNOTATIONS, keyOf, LABELS } from "./names.ts";
import { type Job, job as jobSchema } from "./observe/resources.ts";
import { writtenOn } from "./stopping.ts";
import type { WorkloadCache } from "./workload-cache.ts";

export interface LaunchDeps {
  readonly client: KubeClient;
  readonly cache: WorkloadCache;
}

/** Throws LAUNCH_REFUSED or RUNTIME_UNAVAILABLE. */
export async function makeJob(
  { client, cache }: LaunchDeps,
  workload: Workload,
  facts: BuildFacts,
): Promise<void> {
  const { job, podGroup } = buildJob(workload, facts);
  const namespace = facts.namespace.name;
  try {
    const made = await client.create(placeOf(job.kind, namespace, keyOf(workload)), job);
    const found = { ...jobSchema.parse(made.object), kind: job.kind };
    if (made.existed) refuseStranger(workload, found);
    cache.putJob(job.kind, made.object);
    if (podGroup !== undefined && writtenOn(found) === undefined) await makePodGroup(client, podGroup, found);
  } catch (error) {
    throw launchError(error, job.kind, namespace);
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

async function makePodGroup(client: KubeClient, group: PodGroup, job: Job): Promise<void> {
  const { name, uid } = job.metadata;
  const apiVersion = job.kind === "Job" ? "batch/v1" : "kubeflow.org/v1";
  const owner = { apiVersion, kind: job.kind, name, uid, controller: true, blockOwnerDeletion: false };
  const kind = group.apiVersion.includes("volcano") ? KINDS.VolcanoPodGroup : KINDS.CoschedulingPodGroup;
  const place = { kind, namespace: group.metadata.namespace, name };
  try {
    await client.create(place, { ...group, metadata: { ...group.metadata, ownerReferences: [owner] } });
  } catch (error) {
    // Without its gang the job's pods would wait for ever.
    if (ApiError.is(error, "missing") || ApiError.is(error, "refused"))
      await client.remove(placeOfJob(job), { uid });
    throw error;
  }
}
