/**
 * What is due of a schedule, decided from its timetable and the time alone.
 *
 * P1 Each scheduled time is decided at most once: `plannedUntil` moves on with every plan and never back, whatever clocks do.
 * P2 What is later than the grace is missed; the misfire policy says whether it runs. What is left out is told as one stretch
 *    with its count, however long nobody planned, so that an outage costs rows by the bound, not by its length.
 * P3 What passes while a schedule is paused, or before it was made, changed or begins, is never made up for.
 * P4 The business date of a run is that of the time it was scheduled for, in the schedule's zone, not of when it ran.
 */
import { businessDate, type MisfirePolicy } from "@aiep/contracts";
import { type Cron, lastTimes, nextTimes, timesBetween } from "./cron/index.ts";

export interface Timetable {
  readonly cron: Cron;
  readonly misfire: MisfirePolicy;
  /** Of `catch_up`: the newest so many run. */
  readonly maxCatchUp: number;
  /** Both are scheduled times themselves, if the cron says so. */
  readonly startsAt: Date | null;
  readonly endsAt: Date | null;
  readonly paused: boolean;
  /** All times up to this one, itself included, are decided (P1). */
  readonly plannedUntil: Date;
}

export type PlannedFire =
  | {
      readonly decision: "fire";
      readonly scheduledAt: Date;
      readonly runDate: string;
      readonly missed: boolean;
    }
  /** The times from `since` to `scheduledAt`. */
  | { readonly decision: "skip"; readonly scheduledAt: Date; readonly since: Date; readonly message: string };

export interface Plan {
  /** In order of their times. */
  readonly fires: readonly PlannedFire[];
  readonly plannedUntil: Date;
  /** When there is something to plan again; null: never, as it stands. */
  readonly nextFireAt: Date | null;
}

export const GRACE_MS = 60_000;
/** Beyond it "more than" is said. */
const MAX_COUNTED = 1000;

export function plan(timetable: Timetable, now: Date): Plan {
  const plannedUntil = later(timetable.plannedUntil, now);
  const nextFireAt = nextFire({ ...timetable, plannedUntil });
  if (timetable.paused) return { fires: [], plannedUntil: timetable.plannedUntil, nextFireAt: null };
  const until = earlier(now, timetable.endsAt);
  const after = begin(timetable);
  const graceBegins = new Date(now.getTime() - GRACE_MS - 1);
  const missed = missedFires(timetable, after, earlier(graceBegins, until));
  const onTime = timesBetween(timetable.cron, later(after, graceBegins), until, MAX_COUNTED).times;
  return {
    fires: [...missed, ...onTime.map((time) => fire(timetable, time, false))],
    plannedUntil,
    nextFireAt,
  };
}

/** Null when it is paused or over. */
export function nextFire(timetable: Timetable): Date | null {
  return nextFires(timetable, 1)[0] ?? null;
}

/** The next times that are not decided, as far as there are so many. */
export function nextFires(timetable: Timetable, count: number): readonly Date[] {
  if (timetable.paused) return [];
  const { cron, endsAt } = timetable;
  const times = nextTimes(cron, begin(timetable), count);
  return endsAt === null ? times : times.filter((time) => time <= endsAt);
}

/** From now on, with nothing made up for (P3): a schedule that is made, changed or resumed. */
export function fromNow<T extends Pick<Timetable, "plannedUntil">>(timetable: T, now: Date): T {
  return { ...timetable, plannedUntil: later(timetable.plannedUntil, now) };
}

const later = (a: Date, b: Date) => (a > b ? a : b);
const earlier = (a: Date, b: Date | null) => (b !== null && b < a ? b : a);

/** Times are after it. */
function begin({ plannedUntil, startsAt }: Timetable): Date {
  return startsAt === null ? plannedUntil : later(plannedUntil, new Date(startsAt.getTime() - 1));
}

function fire({ cron }: Timetable, scheduledAt: Date, missed: boolean): PlannedFire {
  return { decision: "fire", scheduledAt, runDate: businessDate(scheduledAt, cron.timeZone), missed };
}

/** P2. */
function missedFires(timetable: Timetable, after: Date, until: Date): PlannedFire[] {
  if (after >= until) return [];
  const kept = keptOf(timetable);
  const { times } = lastTimes(timetable.cron, after, until, kept + 1);
  const made = kept === 0 ? [] : times.slice(-kept).map((time) => fire(timetable, time, true));
  const left = times.length > kept ? times[0] : undefined;
  return left === undefined ? made : [stretch(timetable, after, left), ...made];
}

function keptOf({ misfire, maxCatchUp }: Timetable): number {
  switch (misfire) {
    case "skip":
      return 0;
    case "run_once":
      return 1;
    case "catch_up":
      return maxCatchUp;
  }
}

function stretch({ cron, misfire }: Timetable, after: Date, last: Date): PlannedFire {
  const { times, more } = timesBetween(cron, after, last, MAX_COUNTED);
  const since = times[0] ?? last;
  const count = more ? `more than ${MAX_COUNTED}` : String(times.length);
  const message =
    since < last
      ? `Nobody planned when they were due: ${count} times from ${since.toISOString()} to ${last.toISOString()} were left out by the misfire policy ${misfire}.`
      : `Nobody planned when it was due, at ${last.toISOString()}: left out by the misfire policy ${misfire}.`;
  return { decision: "skip", scheduledAt: last, since, message };
}
