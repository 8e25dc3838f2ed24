/**
 * What is decided about the fires of one schedule, each time with its row held (store/turns.ts): what is due, what a person
 * triggers, what goes when another ended, what a change of the schedule means for what waits.
 *
 * T1 A scheduled time becomes one fire, over replicas, crashes and restores: `planned_until` moves in the transaction that writes
 *    its fires, and a key that is there is not written again. T2 With the row held, no two runs of a schedule start at once where
 *    its policy forbids it. T3 What can never run again is paused with one fire that says why, not skipped for ever.
 */
import type { ScheduleId } from "@aiep/contracts";
import type { Failpoints, Sql, SqlExecutor } from "@aiep/service-kit";
import type { Cause, Fire } from "../domain/fire.ts";
import { pauseSchedule, type Schedule, type ScheduleChange, timetableOf } from "../domain/schedule.ts";
import { plan } from "../domain/timetable.ts";
import { Turn } from "../domain/turn.ts";
import { Experiments } from "../store/experiments.ts";
import type { FireStore } from "../store/fire-store.ts";
import { keysThere, liveOfSchedule } from "../store/live-fires.ts";
import type { ChangeContext } from "../store/outbox.ts";
import { plannedStatement } from "../store/schedule-rows.ts";
import type { ScheduleStore } from "../store/schedule-store.ts";
import { causeOfTime } from "./causes.ts";
import { versionToRun } from "./versions.ts";

export interface ScheduleTurnsDeps {
  readonly schedules: ScheduleStore;
  readonly fires: Pick<FireStore, "statements">;
  readonly clock: () => Date;
  readonly failpoints: Failpoints;
}

/** Who did what no person did. */
const PLANNER = "scheduler-bridge";

interface Context {
  readonly context?: ChangeContext | undefined;
}

interface Open {
  readonly schedule: Schedule;
  readonly turn: Turn;
  readonly at: Date;
  readonly tx: SqlExecutor;
}

interface Decided<Result> {
  readonly result: Result;
  /** Of the schedule's own row, and more of the same transaction. */
  readonly statements: readonly Sql[];
}

export class ScheduleTurns {
  readonly #deps: ScheduleTurnsDeps;

  constructor(deps: ScheduleTurnsDeps) {
    this.#deps = deps;
  }

  /** Fires what is due (T1). Harmless when nothing is. */
  async plan(id: ScheduleId): Promise<void> {
    await this.#take(id, {}, async ({ schedule, turn, at, tx }) => {
      const timetable = timetableOf(schedule);
      if (timetable === undefined)
        return { result: undefined, statements: [plannedStatement({ ...schedule, nextFireAt: null })] };
      const { fires, plannedUntil, nextFireAt } = plan(timetable, at);
      const causes = fires.map((planned) => ({ planned, cause: causeOfTime(schedule, planned, at) }));
      const there = await keysThere(
        tx,
        causes.map(({ cause }) => cause.key),
      );
      for (const { planned, cause } of causes) {
        if (there.has(cause.key)) continue;
        if (planned.decision === "fire") turn.admit(cause);
        else turn.skip(cause, { reason: "Misfire", message: planned.message });
      }
      await this.#deps.failpoints.hit("planner.claimed-not-written");
      const planned = { ...schedule, plannedUntil, nextFireAt };
      return { result: undefined, statements: await this.#afterPlan(tx, planned, at) };
    });
    await this.#deps.failpoints.hit("planner.written-not-told");
  }

  /** Of a deleted experiment nothing is fired any more: paused, so that it is seen and costs no row a time (T3). */
  async #afterPlan(tx: SqlExecutor, schedule: Schedule, at: Date): Promise<readonly Sql[]> {
    const gone = await new Experiments(tx).wasDeleted(schedule.experimentId);
    const change = gone ? pauseSchedule(schedule, { by: PLANNER, at }) : null;
    return change === null ? [plannedStatement(schedule)] : this.#deps.schedules.statements(change);
  }

  /** A fire that a person wants now. Undefined when there is no such schedule any more. */
  async trigger(
    id: ScheduleId,
    causeOfIt: (schedule: Schedule, at: Date) => Cause,
    { context, also }: Context & { readonly also?: (fire: Fire) => readonly Sql[] } = {},
  ): Promise<Fire | undefined> {
    return await this.#take(id, { context }, async ({ schedule, turn, at }) => {
      const fire = turn.admit(causeOfIt(schedule, at));
      return { result: fire, statements: also?.(fire) ?? [] };
    });
  }

  /** After one ended: what waits behind it goes. */
  async release(id: ScheduleId): Promise<void> {
    await this.#take(id, {}, async ({ turn }) => {
      turn.release();
      return { result: undefined, statements: [] };
    });
  }

  /** Changes the schedule, and what waits of it with it. `decide` answers null when nothing needs to change. */
  async change(
    id: ScheduleId,
    decide: (schedule: Schedule, at: Date) => ScheduleChange | null,
    { context }: Context = {},
  ): Promise<Schedule | undefined> {
    return await this.#take(id, { context }, async ({ schedule, turn, at }) => {
      const change = decide(schedule, at);
      if (change === null) return { result: schedule, statements: [] };
      if (change.event === "deleted")
        turn.skipQueued({ reason: "ScheduleDeleted", message: "The schedule was deleted." });
      return { result: change.schedule, statements: this.#deps.schedules.statements(change, context) };
    });
  }

  async #take<Result>(
    id: ScheduleId,
    { context }: Context,
    decide: (open: Open) => Promise<Decided<Result>>,
  ): Promise<Result | undefined> {
    const { schedules, fires, clock } = this.#deps;
    return await schedules.turn(id, async (tx, schedule) => {
      const at = clock();
      const version = versionToRun(
        await new Experiments(tx).get(schedule.experimentId),
        schedule.versionName,
      );
      const turn = new Turn(schedule, await liveOfSchedule(tx, id), { version, at });
      const { result, statements } = await decide({ schedule, turn, at, tx });
      const changes = turn.changes.flatMap((change) => fires.statements(change, context));
      return { result, statements: [...changes, ...statements] };
    });
  }
}
