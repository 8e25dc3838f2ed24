/** Rows of schedules, and the statements that write a change of one: row and event together. */
import {
  type ExperimentId,
  type GroupId,
  type MisfirePolicy,
  type OverlapPolicy,
  type PublicationId,
  type ScheduleId,
  type ScheduleView,
  scheduleCreated,
  scheduleDeleted,
  schedulePaused,
  scheduleResumed,
  scheduleUpdated,
} from "@aiep/contracts";
import { fromJson, insertRow, type Sql, type SqlValue, updateRow } from "@aiep/service-kit";
import type { Schedule, ScheduleChange } from "../domain/schedule.ts";
import { eventRow, type Writing } from "./outbox.ts";

const SCHEDULE_AGGREGATE = "schedule";

/** The name of an experiment is read as it is now. */
export const SCHEDULE_COLUMNS =
  "s.*, (SELECT e.name FROM experiments e WHERE e.id = s.experiment_id) AS experiment_name";

export interface ScheduleRow {
  readonly seq: number;
  readonly id: ScheduleId;
  readonly version: number;
  readonly group_id: GroupId;
  readonly name: string;
  readonly experiment_id: ExperimentId;
  readonly experiment_name: string | null;
  readonly version_name: string | null;
  readonly cron: string;
  readonly time_zone: string;
  readonly parameters: string;
  readonly misfire: MisfirePolicy;
  readonly max_catch_up: number;
  readonly overlap: OverlapPolicy;
  readonly max_queued: number;
  readonly starts_at: Date | null;
  readonly ends_at: Date | null;
  readonly paused: number;
  readonly deleted: number;
  readonly planned_until: Date;
  readonly next_fire_at: Date | null;
  readonly publication_id: PublicationId | null;
  readonly owner: string;
  readonly created_at: Date;
  readonly updated_at: Date;
}

export function scheduleOf(row: ScheduleRow): Schedule {
  return {
    id: row.id,
    version: row.version,
    groupId: row.group_id,
    name: row.name,
    experimentId: row.experiment_id,
    experimentName: row.experiment_name ?? "",
    versionName: row.version_name,
    cron: row.cron,
    timeZone: row.time_zone,
    parameters: fromJson(row.parameters) as Schedule["parameters"], // written below
    misfire: row.misfire,
    maxCatchUp: row.max_catch_up,
    overlap: row.overlap,
    maxQueued: row.max_queued,
    startsAt: row.starts_at,
    endsAt: row.ends_at,
    paused: row.paused !== 0,
    deleted: row.deleted !== 0,
    plannedUntil: row.planned_until,
    nextFireAt: row.next_fire_at,
    publicationId: row.publication_id,
    owner: row.owner,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

const EVENTS = {
  created: scheduleCreated,
  updated: scheduleUpdated,
  paused: schedulePaused,
  resumed: scheduleResumed,
  deleted: scheduleDeleted,
} as const;

/** Whoever changes a schedule that was there holds its row; the outbox's version is the second lock. */
export function scheduleStatements(
  { schedule, event, by, at }: ScheduleChange,
  writing: Writing,
): readonly Sql[] {
  return [
    schedule.version === 1
      ? insertSchedule(schedule)
      : updateRow("schedules", schedule.id, changing(schedule)),
    eventRow(
      { definition: EVENTS[event], data: scheduleView(schedule), at, by },
      { ...schedule, type: SCHEDULE_AGGREGATE },
      writing,
    ),
  ];
}

/** What was planned; no event (S2). */
export function plannedStatement({ id, plannedUntil, nextFireAt }: Schedule): Sql {
  return updateRow("schedules", id, { planned_until: plannedUntil, next_fire_at: nextFireAt });
}

function changing(schedule: Schedule): Readonly<Record<string, SqlValue>> {
  return {
    version: schedule.version,
    name: schedule.name,
    version_name: schedule.versionName,
    cron: schedule.cron,
    time_zone: schedule.timeZone,
    parameters: JSON.stringify(schedule.parameters),
    misfire: schedule.misfire,
    max_catch_up: schedule.maxCatchUp,
    overlap: schedule.overlap,
    max_queued: schedule.maxQueued,
    starts_at: schedule.startsAt,
    ends_at: schedule.endsAt,
    paused: schedule.paused,
    deleted: schedule.deleted,
    planned_until: schedule.plannedUntil,
    next_fire_at: schedule.nextFireAt,
    publication_id: schedule.deleted ? null : schedule.publicationId,
    owner: schedule.owner,
    updated_at: schedule.updatedAt,
  };
}

function insertSchedule(schedule: Schedule): Sql {
  return insertRow("schedules", {
    id: schedule.id,
    group_id: schedule.groupId,
    experiment_id: schedule.experimentId,
    created_at: schedule.createdAt,
    ...changing(schedule),
  });
}

export function scheduleView(schedule: Schedule): ScheduleView {
  return {
    id: schedule.id,
    group_id: schedule.groupId,
    name: schedule.name,
    experiment_id: schedule.experimentId,
    experiment_name: schedule.experimentName,
    version_name: schedule.versionName,
    cron: schedule.cron,
    time_zone: schedule.timeZone,
    parameters: { ...schedule.parameters },
    misfire: schedule.misfire,
    max_catch_up: schedule.maxCatchUp,
    overlap: schedule.overlap,
    max_queued: schedule.maxQueued,
    starts_at: schedule.startsAt?.toISOString() ?? null,
    ends_at: schedule.endsAt?.toISOString() ?? null,
    paused: schedule.paused,
    next_fire_at: schedule.nextFireAt?.toISOString() ?? null,
    publication_id: schedule.publicationId,
    version: schedule.version,
    owner: schedule.owner,
    created_at: schedule.createdAt.toISOString(),
    updated_at: schedule.updatedAt.toISOString(),
  };
}
