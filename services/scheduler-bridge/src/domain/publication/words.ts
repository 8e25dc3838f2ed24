/** What people read of a publication that does not stand as it was wanted: what happened, what is there now, what to do. */
import type { SchedulerKind } from "@aiep/contracts";
import type { FailureKind, Publication, Wanted } from "./publication.ts";

export const REASONS = {
  unavailable: "scheduler_unavailable",
  busy: "scheduler_busy",
  refused: "scheduler_refused",
  taken: "name_taken",
  unauthorized: "scheduler_unauthorized",
} as const satisfies Record<FailureKind, string>;

export const failedAt = (step: string, message: string): string => `At ${step}: ${message}`;

export const triedAgain = (step: string, message: string): string =>
  `${failedAt(step, message)} It is tried again.`;

export function nothingChanged(failure: string, live: Wanted | null): string {
  return `${failure} ${live === null ? "Nothing was made there." : `${live.versionName} stands there as before.`}`;
}

export function rolledBack(failure: string | null, live: Wanted | null): string {
  const now =
    live === null
      ? "Nothing of it is left there."
      : `${live.versionName} was put back and stands there as before.`;
  return `${failure ?? ""} ${now}`.trimStart();
}

export function notRolledBack(publication: Publication, step: string, message: string): string {
  return `${publication.message ?? ""} ${leftThere(publication)} It could not be rolled back. ${failedAt(step, message)} Publish or unpublish it again.`.trimStart();
}

export function notTakenAway({ standing, live }: Publication, step: string, message: string): string {
  const failure = failedAt(step, message);
  if (standing === "settled") return `${nothingChanged(failure, live)} Unpublish it again.`;
  return `${failure} Some or all of it may still be there. Unpublish it again.`;
}

export function noScheduler(publication: Publication, scheduler: SchedulerKind): string {
  const left = publication.standing === "settled" ? "" : ` ${leftThere(publication)}`;
  return `This installation knows no scheduler ${scheduler} any more.${left} Ask a platform administrator to configure it, then publish or unpublish it again.`;
}

function leftThere({ remote }: Publication): string {
  const where = remote.project === undefined ? "" : `, project ${remote.project},`;
  return `What had begun${where} may still be there.`;
}
