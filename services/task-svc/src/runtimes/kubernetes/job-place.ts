/** Where a job lies in the API. */
import { KINDS } from "./kinds.ts";
import type { Job } from "./observe/resources.ts";

export const JOB_KINDS = ["Job", "PyTorchJob", "TFJob"] as const;
export type JobKind = (typeof JOB_KINDS)[number];

export const placeOf = (kind: JobKind, namespace: string, name: string) => ({
  kind: KINDS[kind],
  namespace,
  name,
});

export const placeOfJob = (job: Job) => placeOf(kindOf(job), job.metadata.namespace, job.metadata.name);

export function kindOf({ kind }: Job): JobKind {
  const found = JOB_KINDS.find((each) => each === kind);
  if (found === undefined) throw new TypeError(`${kind} is no job kind`);
  return found;
}
