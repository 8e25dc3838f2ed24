/**
 * What happens to a fire while earlier ones of the same schedule are live.
 *
 * O1 With `skip`, `queue` and `cancel_old` never two runs at once: with `cancel_old` the new one waits until the old one's run has
 *    ended, since a cancelled run may still be writing. O2 A queue keeps its order and its bound. O3 `cancel_old` leaves the newest
 *    alone: what waits is superseded, what runs is cancelled once. O4 Back-fills are not counted; they have their own bound.
 */
import type { OverlapPolicy } from "@aiep/contracts";

export interface LiveFire<Id> {
  readonly id: Id;
  readonly state: "Queued" | "Ordered" | "Running";
  /** Its run was asked to end. */
  readonly cancelling: boolean;
}

export interface Overlap<Id> {
  readonly policy: OverlapPolicy;
  readonly maxQueued: number;
  /** Oldest first. */
  readonly live: readonly LiveFire<Id>[];
}

export type Admission<Id> =
  | { readonly kind: "order" }
  | { readonly kind: "queue"; readonly cancel: readonly Id[]; readonly supersede: readonly Id[] }
  | { readonly kind: "skip"; readonly reason: "Overlap" | "QueueFull"; readonly message: string };

const ids = <Id>(fires: readonly LiveFire<Id>[]) => fires.map(({ id }) => id);
const waits = ({ state }: LiveFire<unknown>) => state === "Queued";
const goes = (fire: LiveFire<unknown>) => !waits(fire);

export function admit<Id>({ policy, maxQueued, live }: Overlap<Id>): Admission<Id> {
  if (policy === "allow" || live.length === 0) return { kind: "order" };
  switch (policy) {
    case "skip":
      return {
        kind: "skip",
        reason: "Overlap",
        message: "An earlier run of this schedule has not ended; the overlap policy is skip.",
      };
    case "queue": {
      if (live.filter(waits).length < maxQueued) return { kind: "queue", cancel: [], supersede: [] };
      const message = `${maxQueued} fires of this schedule wait already, as many as max_queued allows.`;
      return { kind: "skip", reason: "QueueFull", message };
    }
    case "cancel_old":
      return {
        kind: "queue",
        cancel: ids(live.filter((fire) => goes(fire) && !fire.cancelling)),
        supersede: ids(live.filter(waits)),
      };
  }
}

export interface Release<Id> {
  readonly order: readonly Id[];
  readonly supersede: readonly Id[];
}

/** Which of those that wait go now: asked whenever a live fire ended, or the policy was changed. */
export function release<Id>({ policy, live }: Pick<Overlap<Id>, "policy" | "live">): Release<Id> {
  const waiting = live.filter(waits);
  if (policy === "allow") return { order: ids(waiting), supersede: [] };
  if (live.some(goes)) return { order: [], supersede: [] };
  if (policy !== "cancel_old") return { order: ids(waiting.slice(0, 1)), supersede: [] };
  return { order: ids(waiting.slice(-1)), supersede: ids(waiting.slice(0, -1)) };
}
