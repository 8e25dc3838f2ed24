/**
 * One turn of a schedule's fires: what is new is let in by the overlap policy, what waits is let go, and every change is kept in
 * the order in which it is to be written. Pure; whoever writes it holds the schedule's row, so that turns follow one another.
 */
import { type FireId, isLiveFire } from "@aiep/contracts";
import {
  type Cause,
  cancelFire,
  type Fire,
  type FireChange,
  orderFire,
  queueFire,
  skipFire,
} from "./fire.ts";
import { admit, type LiveFire, release } from "./overlap.ts";
import type { Schedule } from "./schedule.ts";

/** Why nothing can be run, e.g. since no version is frozen. */
export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

/** What a fire that pins none would run now. */
export type Version = { readonly ok: true; readonly name: string } | ({ readonly ok: false } & Refusal);

const SUPERSEDED: Refusal = {
  reason: "Superseded",
  message: "A newer fire of this schedule took its place; the overlap policy is cancel_old.",
};
const WAITS = "An earlier run of this schedule has not ended; it starts after it.";
const CANCELLED_FOR_NEWER = "A newer fire of this schedule is due; the overlap policy is cancel_old.";

export class Turn {
  readonly #policy: Pick<Schedule, "overlap" | "maxQueued">;
  readonly #version: Version;
  readonly #at: Date;
  readonly #changes: FireChange[] = [];
  #live: readonly Fire[];

  /** `live`: without back-fills, oldest first. `version`: what a run of it would run now. */
  constructor(
    policy: Pick<Schedule, "overlap" | "maxQueued">,
    live: readonly Fire[],
    { version, at }: { readonly version: Version; readonly at: Date },
  ) {
    this.#policy = policy;
    this.#live = live;
    this.#version = version;
    this.#at = at;
  }

  get changes(): readonly FireChange[] {
    return this.#changes;
  }

  admit(cause: Cause): Fire {
    if (!this.#version.ok) return this.#keep(skipFire(cause, refusalOf(this.#version), this.#at));
    const { overlap: policy, maxQueued } = this.#policy;
    const decision = admit({ policy, maxQueued, live: this.#live.map(liveFire) });
    switch (decision.kind) {
      case "order":
        return this.#keep(orderFire(cause, cause.versionName ?? this.#version.name, this.#at));
      case "skip":
        return this.#keep(skipFire(cause, refusalOf(decision), this.#at));
      case "queue":
        for (const fire of this.#those(decision.cancel)) this.#cancel(fire, CANCELLED_FOR_NEWER);
        for (const fire of this.#those(decision.supersede)) this.#keep(skipFire(fire, SUPERSEDED, this.#at));
        return this.#keep(queueFire(cause, WAITS));
    }
  }

  skip(cause: Cause, why: Refusal): Fire {
    return this.#keep(skipFire(cause, why, this.#at));
  }

  /** Lets go what waits, as far as the policy allows; what cannot run makes way for the next. */
  release(): void {
    for (;;) {
      const { order, supersede } = release({ policy: this.#policy.overlap, live: this.#live.map(liveFire) });
      for (const fire of this.#those(supersede)) this.#keep(skipFire(fire, SUPERSEDED, this.#at));
      const gone = this.#those(order).map((fire) => this.#keep(this.#orderQueued(fire)));
      if (gone.every(({ state }) => state === "Ordered")) return;
    }
  }

  /** Nothing of it will run any more. */
  skipQueued(why: Refusal): void {
    for (const fire of this.#live.filter(({ state }) => state === "Queued"))
      this.#keep(skipFire(fire, why, this.#at));
  }

  #orderQueued(fire: Fire): FireChange {
    return this.#version.ok
      ? orderFire(fire, fire.versionName ?? this.#version.name, this.#at)
      : skipFire(fire, refusalOf(this.#version), this.#at);
  }

  #cancel(fire: Fire, reason: string): void {
    const change = cancelFire(fire, reason, this.#at);
    if (change !== undefined) this.#keep(change);
  }

  #those(ids: readonly FireId[]): readonly Fire[] {
    return this.#live.filter(({ id }) => ids.includes(id));
  }

  #keep(change: FireChange): Fire {
    this.#changes.push(change);
    const { fire } = change;
    const others = this.#live.filter(({ id }) => id !== fire.id);
    const place = this.#live.findIndex(({ id }) => id === fire.id);
    if (!isLiveFire(fire.state)) this.#live = others;
    else if (place === -1) this.#live = [...this.#live, fire];
    else this.#live = this.#live.with(place, fire);
    return fire;
  }
}

/** skipFire keeps all that it is given. */
const refusalOf = ({ reason, message }: Refusal): Refusal => ({ reason, message });

/** What of a fire counts for its overlap. */
function liveFire({ id, state, reason }: Fire): LiveFire<FireId> {
  if (!isLiveFire(state)) throw new TypeError(`fire ${id} has ended`);
  return { id, state, cancelling: reason === "Cancelling" };
}
