/** Causes of fires that come from a schedule. */
import type { Cause } from "../domain/fire.ts";
import type { Schedule } from "../domain/schedule.ts";
import type { PlannedFire } from "../domain/timetable.ts";
import { newFireId } from "../store/fire-store.ts";

/** What all of them have in common. */
export function causeOfSchedule(schedule: Schedule, at: Date) {
  return {
    id: newFireId(),
    sourceId: schedule.id,
    backfillId: null,
    groupId: schedule.groupId,
    experimentId: schedule.experimentId,
    versionName: schedule.versionName,
    parameters: schedule.parameters,
    requestedBy: schedule.owner,
    depth: 0,
    lineage: [],
    createdAt: at,
  } as const satisfies Partial<Cause>;
}

export function causeOfTime(schedule: Schedule, planned: PlannedFire, at: Date): Cause {
  const time = planned.scheduledAt.toISOString();
  return {
    ...causeOfSchedule(schedule, at),
    key: `schedule:${schedule.id}:${time}`,
    kind: "schedule",
    externalId: time,
    scheduledAt: planned.scheduledAt,
    runDate: planned.decision === "fire" ? planned.runDate : null,
  };
}
