/** Schedules and back-fills put together: their stores, what decides about them, and what plans. */
import type { CommitQueue, Failpoints, Logger, SqlPool } from "@aiep/service-kit";
import { BackfillStore } from "../store/backfill-store.ts";
import type { Experiments } from "../store/experiments.ts";
import type { FireStore } from "../store/fire-store.ts";
import type { OutboxAddress } from "../store/outbox.ts";
import { ScheduleStore } from "../store/schedule-store.ts";
import { BackfillTurns } from "./backfill-turns.ts";
import { Firing } from "./firing.ts";
import { createLocalSchedules } from "./local-schedules.ts";
import { createPlanner } from "./planner.ts";
import { ScheduleTurns } from "./schedule-turns.ts";

export interface SchedulingDeps {
  readonly pool: SqlPool;
  readonly commits: CommitQueue;
  readonly address: OutboxAddress;
  readonly fires: FireStore;
  readonly experiments: Experiments;
  readonly clock: () => Date;
  readonly failpoints: Failpoints;
  readonly log: Logger;
}

export function createScheduling(deps: SchedulingDeps) {
  const { fires, clock } = deps;
  const schedules = new ScheduleStore(deps);
  const backfills = new BackfillStore(deps);
  const scheduleTurns = new ScheduleTurns({ ...deps, schedules });
  const backfillTurns = new BackfillTurns({ backfills, fires, clock });
  const firing = new Firing({ ...deps, schedules, backfills, scheduleTurns, backfillTurns });
  const planner = createPlanner({ ...deps, schedules, turns: scheduleTurns, firing });
  const localSchedules = createLocalSchedules({
    schedules,
    scheduleTurns,
    backfills,
    backfillTurns,
    planner,
    clock,
  });
  return { localSchedules, schedules, backfills, scheduleTurns, backfillTurns, firing, planner };
}
