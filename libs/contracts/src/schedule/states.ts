/** States of scheduling as callers see them (D25–D27). */
import * as z from "zod";

export const SCHEDULER_KINDS = ["wtss", "local"] as const;
export const schedulerKind = z.enum(SCHEDULER_KINDS);
export type SchedulerKind = z.infer<typeof schedulerKind>;

/**
 * `Failed`: the last publish or update did not come through and what it had begun was rolled back; `live_version_name` says
 * what stands in the scheduler nevertheless. The next publish starts anew from any state.
 */
export const PUBLICATION_STATES = [
  "Publishing",
  "Published",
  "Failed",
  "Unpublishing",
  "Unpublished",
] as const;
export const publicationState = z.enum(PUBLICATION_STATES);
export type PublicationState = z.infer<typeof publicationState>;

/** What a step belongs to; a rollback undoes what a failed publish had begun. */
export const STEP_PURPOSES = ["publish", "rollback", "unpublish"] as const;
export const stepPurpose = z.enum(STEP_PURPOSES);
export type StepPurpose = z.infer<typeof stepPurpose>;
export const STEP_STATES = ["Pending", "Running", "Done", "Retrying", "Failed"] as const;
export const stepState = z.enum(STEP_STATES);
export type StepState = z.infer<typeof stepState>;

/** What a missed fire becomes: nothing, one run for all, or a run each up to a bound, newest kept. */
export const MISFIRE_POLICIES = ["skip", "run_once", "catch_up"] as const;
export const misfirePolicy = z.enum(MISFIRE_POLICIES);
export type MisfirePolicy = z.infer<typeof misfirePolicy>;

/** What a fire does while an earlier run of the same schedule goes on. */
export const OVERLAP_POLICIES = ["skip", "queue", "cancel_old", "allow"] as const;
export const overlapPolicy = z.enum(OVERLAP_POLICIES);
export type OverlapPolicy = z.infer<typeof overlapPolicy>;

/** What caused a fire. `publication`: a scheduler elsewhere called our webhook. */
export const FIRE_KINDS = ["schedule", "manual", "backfill", "publication", "event"] as const;
export const fireKind = z.enum(FIRE_KINDS);
export type FireKind = z.infer<typeof fireKind>;

/**
 * One intended run. `Queued` behind others, `Ordered` when its command is written, then as its run goes. `Rejected`: the run was
 * refused; `Skipped`: it was never to run (overlap, misfire, loop guard, rate).
 */
export const FIRE_STATES = [
  "Queued",
  "Ordered",
  "Running",
  "Succeeded",
  "Failed",
  "Cancelled",
  "TimedOut",
  "Rejected",
  "Skipped",
] as const;
export const fireState = z.enum(FIRE_STATES);
export type FireState = z.infer<typeof fireState>;

export const LIVE_FIRE_STATES = ["Queued", "Ordered", "Running"] as const satisfies readonly FireState[];

export function isLiveFire(state: FireState): state is (typeof LIVE_FIRE_STATES)[number] {
  return state === "Queued" || state === "Ordered" || state === "Running";
}

export const BACKFILL_STATES = ["Running", "Paused", "Succeeded", "Failed", "Cancelled"] as const;
export const backfillState = z.enum(BACKFILL_STATES);
export type BackfillState = z.infer<typeof backfillState>;
