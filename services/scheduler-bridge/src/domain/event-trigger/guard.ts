/**
 * What keeps triggers from feeding themselves: a fire that its own earlier fire caused, a chain of fires that goes on and on, and
 * more fires than an hour may have. Where an event comes from is known through runs: the run that told it, its parents and
 * the run it is a rerun of, up to the fire that ordered them.
 *
 * G1 In one chain no trigger stands twice, so a loop of triggers ends after each fired once.
 * G2 What is held back is a fire that says so (Skipped), never silence. One for each cause and reason, so that a flood of events
 *    is no flood of fires: `skippedKey` is what its key ends with.
 */
import type { EventTriggerId, FireId } from "@aiep/contracts";

/** Fires of any kind that may stand before a fire of an event trigger. */
export const MAX_DEPTH = 5;

/** The fire that an event goes back to. */
export interface Upstream {
  readonly fireId: FireId;
  /** Fires before it. */
  readonly depth: number;
  /** Event triggers in its chain, its own included. */
  readonly lineage: readonly string[];
}

export interface GuardInput {
  readonly triggerId: EventTriggerId;
  readonly maxPerHour: number;
  readonly upstream: Upstream | undefined;
  /** Fires of this trigger that ordered a run within the last hour. */
  readonly firedInLastHour: number;
  readonly now: Date;
}

export type GuardVerdict =
  | { readonly ok: true; readonly depth: number; readonly lineage: readonly string[] }
  | {
      readonly ok: false;
      /** Machine word of the skipped fire. */
      readonly reason: "Loop" | "ChainTooLong" | "RateExceeded";
      readonly message: string;
      readonly skippedKey: string;
    };

export function guardFire({
  triggerId,
  maxPerHour,
  upstream,
  firedInLastHour,
  now,
}: GuardInput): GuardVerdict {
  const depth = upstream === undefined ? 0 : upstream.depth + 1;
  if (upstream?.lineage.includes(triggerId) === true)
    return {
      ok: false,
      reason: "Loop",
      message: `Its events go back to an earlier fire of this trigger, through fire ${upstream.fireId.slice(0, 9)}: it would start itself for ever. Narrow its condition so that its own runs do not match.`,
      skippedKey: `loop:${upstream.fireId}`,
    };
  if (upstream !== undefined && depth > MAX_DEPTH)
    return {
      ok: false,
      reason: "ChainTooLong",
      message: `Fire ${upstream.fireId.slice(0, 9)} is the last of a chain of ${depth}; ${MAX_DEPTH} may stand before a fire. Chain the workflows by sub-workflow nodes instead.`,
      skippedKey: `chain:${upstream.fireId}`,
    };
  if (firedInLastHour >= maxPerHour)
    return {
      ok: false,
      reason: "RateExceeded",
      message: `The trigger fired ${firedInLastHour} times within an hour and max_per_hour is ${maxPerHour}: events are passed over until it is less. Narrow its condition, or raise max_per_hour.`,
      skippedKey: `rate:${now.toISOString().slice(0, 13)}`,
    };
  return { ok: true, depth, lineage: [...(upstream?.lineage ?? []), triggerId] };
}
