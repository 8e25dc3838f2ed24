/**
 * A schedule: an experiment's workflow, fired by a cron expression. Changes of it are one version and one event each (D6).
 *
 * S1 A change never fires what has passed: planning goes on from the moment of the change (timetable.ts, P3). S2 What was planned
 *    is no change that the world hears of: `plannedUntil` and `nextFireAt` move without a version. S3 Its runs belong to who made
 *    or changed it last.
 */
import type {
  ExperimentId,
  GroupId,
  MisfirePolicy,
  OverlapPolicy,
  PublicationId,
  ScheduleId,
} from "@aiep/contracts";
import { parseCron } from "./cron/index.ts";
import type { Parameters } from "./fire.ts";
import { fromNow, nextFire, type Timetable } from "./timetable.ts";

/** What a user decides. */
export interface ScheduleSettings {
  readonly name: string;
  /** Null: the newest frozen one at each fire. */
  readonly versionName: string | null;
  readonly cron: string;
  readonly timeZone: string;
  readonly parameters: Parameters;
  readonly misfire: MisfirePolicy;
  readonly maxCatchUp: number;
  readonly overlap: OverlapPolicy;
  readonly maxQueued: number;
  readonly startsAt: Date | null;
  readonly endsAt: Date | null;
  readonly paused: boolean;
}

export interface Schedule extends ScheduleSettings {
  readonly id: ScheduleId;
  /** Of its last event. */
  readonly version: number;
  readonly groupId: GroupId;
  readonly experimentId: ExperimentId;
  readonly experimentName: string;
  readonly deleted: boolean;
  /** S2. */
  readonly plannedUntil: Date;
  readonly nextFireAt: Date | null;
  /** The publication that made it, of scheduler `local`. */
  readonly publicationId: PublicationId | null;
  readonly owner: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export type ScheduleEventName = "created" | "updated" | "paused" | "resumed" | "deleted";

export interface ScheduleChange {
  readonly schedule: Schedule;
  readonly event: ScheduleEventName;
  readonly by: string;
  readonly at: Date;
}

export interface Author {
  readonly by: string;
  readonly at: Date;
}

/** Undefined: no time is left on it. */
export function timetableOf(schedule: Schedule): Timetable | undefined {
  const { cron, timeZone, plannedUntil } = schedule;
  const parsed = parseCron(cron, timeZone, plannedUntil);
  return parsed.ok ? { ...schedule, cron: parsed.value } : undefined;
}

/** S1. */
function planned(schedule: Schedule, now: Date): Schedule {
  const after = fromNow(schedule, now);
  const timetable = schedule.deleted ? undefined : timetableOf(after);
  return { ...after, nextFireAt: timetable === undefined ? null : nextFire(timetable) };
}

export function createSchedule(
  about: Pick<Schedule, "id" | "groupId" | "experimentId" | "experimentName" | "publicationId">,
  settings: ScheduleSettings,
  { by, at }: Author,
): ScheduleChange {
  const schedule: Schedule = {
    ...about,
    ...settings,
    version: 1,
    deleted: false,
    plannedUntil: at,
    nextFireAt: null,
    owner: by,
    createdAt: at,
    updatedAt: at,
  };
  return { schedule: planned(schedule, at), event: "created", by, at };
}

function changed(
  schedule: Schedule,
  event: ScheduleEventName,
  to: Partial<Schedule>,
  { by, at }: Author,
): ScheduleChange {
  const next = { ...schedule, ...to, version: schedule.version + 1, updatedAt: at };
  return { schedule: planned(next, at), event, by, at };
}

/** Null when it is so already. Its owner is who changes it, unless that is said too (S3). */
export function changeSchedule(
  schedule: Schedule,
  to: Partial<Omit<ScheduleSettings, "paused"> & Pick<Schedule, "owner">>,
  author: Author,
): ScheduleChange | null {
  if (JSON.stringify({ ...schedule, ...to }) === JSON.stringify(schedule)) return null;
  return changed(schedule, "updated", { owner: author.by, ...to }, author);
}

export function pauseSchedule(schedule: Schedule, author: Author): ScheduleChange | null {
  return schedule.paused ? null : changed(schedule, "paused", { paused: true }, author);
}

export function resumeSchedule(schedule: Schedule, author: Author): ScheduleChange | null {
  return schedule.paused ? changed(schedule, "resumed", { paused: false }, author) : null;
}

export function deleteSchedule(schedule: Schedule, author: Author): ScheduleChange {
  return changed(schedule, "deleted", { deleted: true }, author);
}
