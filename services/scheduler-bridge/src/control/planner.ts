/**
 * Plans schedules as their times come; only where this replica leads (leader.ts).
 *
 * P1 Sleeps until the earliest next time, woken by changes of schedules; a wake that was lost costs `LOOK_AGAIN_MS`. P2 A schedule
 *    that cannot be planned rests for a while, the others go on (I12). P3 Truth is the database: two planners at once decide each
 *    time once (schedule-turns.ts, T1), and one that was killed is gone on from where its last commit stands.
 */
import type { ScheduleId } from "@aiep/contracts";
import { createLimiter, type Logger, WakeUp } from "@aiep/service-kit";
import type { ScheduleStore } from "../store/schedule-store.ts";
import type { Firing } from "./firing.ts";
import type { LeaderJob } from "./leader.ts";
import type { ScheduleTurns } from "./schedule-turns.ts";

export interface PlannerDeps {
  readonly schedules: Pick<ScheduleStore, "due" | "earliest">;
  readonly turns: Pick<ScheduleTurns, "plan">;
  readonly firing: Pick<Firing, "sweep">;
  readonly clock: () => Date;
  readonly log: Logger;
}

export interface Planner extends LeaderJob {
  /** A schedule was made or changed. */
  wake(): void;
}

const AT_ONCE = 100;
/** Each holds a connection while it decides. */
const SIDE_BY_SIDE = 4;
const LOOK_AGAIN_MS = 15_000;
const SWEEP_MS = 60_000;
const REST_MS = 5_000;

export function createPlanner(deps: PlannerDeps): Planner {
  const wake = new WakeUp();
  return {
    name: "planner",
    wake: () => wake.wake(),
    run: async (signal) => await new Term(deps, wake).run(signal),
  };
}

/** One term as the leader: nothing is kept from the last one. */
class Term {
  readonly #deps: PlannerDeps;
  readonly #wake: WakeUp;
  /** Since when in performance.now(): the virtual clock of a test may leap. */
  readonly #resting = new Map<ScheduleId, number>();
  readonly #limit = createLimiter(SIDE_BY_SIDE);
  #sweptAt = Number.NEGATIVE_INFINITY;

  constructor(deps: PlannerDeps, wake: WakeUp) {
    this.#deps = deps;
    this.#wake = wake;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#sweep();
      const planned = await this.#planDue(signal);
      if (planned < AT_ONCE) await this.#wake.wait(await this.#rest(), signal);
    }
  }

  async #sweep(): Promise<void> {
    if (performance.now() - this.#sweptAt < SWEEP_MS) return;
    this.#sweptAt = performance.now();
    await this.#deps.firing.sweep();
  }

  /** How many were planned. */
  async #planDue(signal: AbortSignal): Promise<number> {
    const { schedules, turns, clock, log } = this.#deps;
    for (const [id, since] of this.#resting)
      if (performance.now() - since >= REST_MS) this.#resting.delete(id);
    const due = await schedules.due(clock(), AT_ONCE + this.#resting.size);
    const awake = due.filter((id) => !this.#resting.has(id));
    const plan = async (id: ScheduleId) => {
      try {
        if (!signal.aborted) await turns.plan(id);
      } catch (err) {
        log.error({ err, schedule: id }, "a schedule could not be planned; tried again later");
        this.#resting.set(id, performance.now());
      }
    };
    await Promise.all(awake.map(async (id) => await this.#limit(async () => await plan(id))));
    return awake.length;
  }

  /** P1. */
  async #rest(): Promise<number> {
    const { schedules, clock } = this.#deps;
    const earliest = await schedules.earliest();
    const most = this.#resting.size > 0 ? REST_MS : LOOK_AGAIN_MS;
    if (earliest === null) return most;
    const until = earliest.getTime() - clock().getTime();
    return this.#resting.size > 0 ? REST_MS : Math.min(most, Math.max(0, until));
  }
}
