/**
 * What keeps triggers from feeding themselves: a fire that its own earlier fire caused, a chain of fires that goes on and on, and
 * more fires than an hour may have. The lineage of an event is known through runs: the run that told it, its parents
 * and the run it is a rerun of, up to the fires that ordered them.
 *
 * G1 In one chain no trigger stands twice, so a loop of triggers ends after each fired once.
 * G2 What is held back is a fire that says so (Skipped), never silence.
 */
import type { EventTriggerId, FireId } from "@aiep/contracts";

/** Fires of event triggers in one chain, the last one included. */
export const MAX_CHAIN = 5;

/** A fire of an event trigger upstream of an event. */
export interface Ancestor {
  readonly fireId: FireId;
  readonly triggerId: EventTriggerId;
}

export interface GuardInput {
  readonly triggerId: EventTriggerId;
  readonly maxPerHour: number;
  /** Of the event, nearest first. */
  readonly lineage: readonly Ancestor[];
  /** Fires of this trigger that ordered a run within the last hour. */
  readonly firedInLastHour: number;
}

export type GuardVerdict =
  | { readonly ok: true }
  | {
      readonly ok: false;
      /** Machine word of the skipped fire. */
      readonly reason: "loop" | "chain_too_long" | "rate_exceeded";
      readonly message: string;
    };

export function guardFire(input: GuardInput): GuardVerdict {
  const { triggerId, maxPerHour, lineage, firedInLastHour } = input;
  const earlier = lineage.find((ancestor) => ancestor.triggerId === triggerId);
  if (earlier !== undefined)
    return skipped(
      "loop",
      `The event goes back to fire ${earlier.fireId.slice(0, 8)} of this trigger: it would start itself for ever. Narrow its condition so that its own runs do not match.`,
    );
  if (lineage.length >= MAX_CHAIN)
    return skipped(
      "chain_too_long",
      `The event is the end of a chain of ${lineage.length} triggers; ${MAX_CHAIN} are allowed. Chain the workflows by sub-workflow nodes instead.`,
    );
  if (firedInLastHour >= maxPerHour)
    return skipped(
      "rate_exceeded",
      `The trigger fired ${firedInLastHour} times within an hour; max_per_hour is ${maxPerHour}. Narrow its condition, or raise max_per_hour.`,
    );
  return { ok: true };
}

const skipped = (reason: Extract<GuardVerdict, { ok: false }>["reason"], message: string): GuardVerdict => ({
  ok: false,
  reason,
  message,
});
