/** The schedule of a publication to the scheduler `local`: one per publication, kept where all schedules are. */
import { publicationId, type ScheduleId, scheduleId } from "@aiep/contracts";
import { DuplicateKeyError, randomHex } from "@aiep/service-kit";
import { changeSchedule, createSchedule, deleteSchedule, type Schedule } from "../domain/schedule.ts";
import type { LocalSchedules } from "../schedulers/local/schedules.ts";
import type { Target } from "../schedulers/scheduler.ts";
import type { BackfillStore } from "../store/backfill-store.ts";
import type { ScheduleStore } from "../store/schedule-store.ts";
import type { BackfillTurns } from "./backfill-turns.ts";
import type { Planner } from "./planner.ts";
import type { ScheduleTurns } from "./schedule-turns.ts";

export interface LocalSchedulesDeps {
  readonly schedules: ScheduleStore;
  readonly scheduleTurns: ScheduleTurns;
  readonly backfills: Pick<BackfillStore, "open">;
  readonly backfillTurns: Pick<BackfillTurns, "advance">;
  readonly planner: Pick<Planner, "wake">;
  readonly clock: () => Date;
}

/** What a publication does not say. */
const POLICY = {
  misfire: "run_once",
  maxCatchUp: 10,
  overlap: "skip",
  maxQueued: 100,
  startsAt: null,
  endsAt: null,
} as const;

export function createLocalSchedules(deps: LocalSchedulesDeps): LocalSchedules {
  const { schedules, scheduleTurns, planner, clock } = deps;
  const find = async (id: string) => await schedules.ofPublication(publicationId.parse(id));

  const create = async (target: Target & { readonly cron: string }): Promise<Schedule> => {
    const change = createSchedule(
      {
        id: scheduleId.parse(randomHex(16)),
        groupId: target.groupId,
        experimentId: target.experimentId,
        experimentName: target.experimentName,
        publicationId: publicationId.parse(target.publicationId),
      },
      { ...POLICY, ...settingsOf(target), paused: false },
      { by: target.owner, at: clock() },
    );
    await schedules.create(change);
    return change.schedule;
  };

  const update = async (id: ScheduleId, target: Target & { readonly cron: string }) =>
    await scheduleTurns.change(id, (current, at) =>
      changeSchedule(current, { ...settingsOf(target), owner: target.owner }, { by: target.owner, at }),
    );

  return {
    put: async (target) => {
      for (;;) {
        const there = await find(target.publicationId);
        try {
          const schedule = there === undefined ? await create(target) : await update(there.id, target);
          planner.wake();
          // Deleted in between: made anew.
          if (schedule !== undefined) return schedule;
        } catch (error) {
          // Made in between: changed.
          if (there !== undefined || !DuplicateKeyError.is(error, "schedules_publication")) throw error;
        }
      }
    },
    get: find,
    remove: async (id, by) => {
      const schedule = await find(id);
      if (schedule === undefined) return;
      await scheduleTurns.change(schedule.id, (current, at) => deleteSchedule(current, { by, at }));
      for (const backfill of await deps.backfills.open(schedule.id))
        await deps.backfillTurns.advance(backfill);
    },
  };
}

function settingsOf(target: Target & { readonly cron: string }) {
  return {
    name: target.experimentName,
    versionName: target.versionName,
    cron: target.cron,
    timeZone: target.timeZone,
    parameters: { ...target.parameters },
  };
}
