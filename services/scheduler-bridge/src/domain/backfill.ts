/**
 * A back-fill: one run for each business date of a range, so many at a time.
 *
 * B1 Dates start in one order that follows from the range, so that "how many were started" says which; a restart starts none again
 *    (the fire's key is the date). B2 Never more than `parallelism` at once. B3 After a failure with `stopOnFailure` nothing new
 *    starts, what runs ends. B4 Ended exactly when nothing runs and nothing will start.
 */
import {
  addDays,
  type BackfillId,
  type BackfillState,
  formatDay,
  type GroupId,
  parseDay,
  type ScheduleId,
} from "@aiep/contracts";
import type { Parameters } from "./fire.ts";

export interface BackfillOrder {
  /** First and last date, `yyyyMMdd`. */
  readonly from: string;
  readonly to: string;
  readonly reverse: boolean;
  readonly parallelism: number;
  readonly stopOnFailure: boolean;
}

export const MAX_BACKFILL_DAYS = 3660;

/** In the order in which they start (B1), or a sentence that says what does not fit. */
export function daysOf({
  from,
  to,
  reverse,
}: Pick<BackfillOrder, "from" | "to" | "reverse">): readonly string[] | string {
  const first = parseDay(from);
  if (first === undefined) return `from ${from} is no day of the calendar.`;
  if (parseDay(to) === undefined) return `to ${to} is no day of the calendar.`;
  if (from > to) return `from ${from} is later than to ${to}; with reverse the newest date runs first.`;
  const days: string[] = [];
  for (let day = first; formatDay(day) <= to; day = addDays(day, 1)) {
    if (days.length === MAX_BACKFILL_DAYS)
      return `The range holds more than ${MAX_BACKFILL_DAYS} days; make several back-fills of it.`;
    days.push(formatDay(day));
  }
  return reverse ? days.reverse() : days;
}

/** Counted from the fires of a back-fill. */
export interface Progress {
  readonly started: number;
  readonly succeeded: number;
  /** Ended in any other way. */
  readonly failed: number;
}

const running = ({ started, succeeded, failed }: Progress) => started - succeeded - failed;
const stopped = (order: BackfillOrder, { failed }: Progress) => order.stopOnFailure && failed > 0;

/** B1, B2, B3. */
export function nextDays(
  order: BackfillOrder,
  days: readonly string[],
  state: BackfillState,
  progress: Progress,
): readonly string[] {
  if (state !== "Running" || stopped(order, progress)) return [];
  const free = order.parallelism - running(progress);
  return days.slice(progress.started, progress.started + Math.max(0, free));
}

export interface BackfillEnd {
  readonly state: "Succeeded" | "Failed";
  readonly message: string | null;
}

/** B4; undefined while it goes on. */
export function endOf(
  order: BackfillOrder,
  days: readonly string[],
  progress: Progress,
): BackfillEnd | undefined {
  if (running(progress) > 0) return undefined;
  const left = days.length - progress.started;
  if (left > 0 && !stopped(order, progress)) return undefined;
  if (progress.failed === 0) return { state: "Succeeded", message: null };
  const rest = left === 0 ? "" : ` ${left} were not started, since it stops on failure.`;
  return {
    state: "Failed",
    message: `${progress.failed} of ${progress.started} dates did not succeed.${rest} The fires of this back-fill say which.`,
  };
}

/** As it is kept. */
export interface Backfill extends BackfillOrder, Progress {
  readonly id: BackfillId;
  /** Of its last event. */
  readonly version: number;
  readonly scheduleId: ScheduleId;
  readonly groupId: GroupId;
  /** The schedule's when it was made, and what was said for it. */
  readonly parameters: Parameters;
  readonly state: BackfillState;
  readonly message: string | null;
  readonly total: number;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly finishedAt: Date | null;
}

export type BackfillEventName = "started" | "updated" | "ended";

export interface BackfillChange {
  readonly backfill: Backfill;
  readonly event: BackfillEventName;
  readonly at: Date;
}

export function startBackfill(
  order: BackfillOrder,
  about: Pick<Backfill, "id" | "scheduleId" | "groupId" | "parameters" | "total" | "createdBy">,
  at: Date,
): BackfillChange {
  const backfill: Backfill = {
    ...order,
    ...about,
    version: 1,
    state: "Running",
    message: null,
    started: 0,
    succeeded: 0,
    failed: 0,
    createdAt: at,
    finishedAt: null,
  };
  return { backfill, event: "started", at };
}

export function isOpen({ state }: Pick<Backfill, "state">): boolean {
  return state === "Running" || state === "Paused";
}

/** Null when it is so already, or over. */
export function pauseBackfill(backfill: Backfill, at: Date): BackfillChange | null {
  return backfill.state === "Running" ? changed(backfill, { state: "Paused" }, "updated", at) : null;
}

export function resumeBackfill(backfill: Backfill, at: Date): BackfillChange | null {
  return backfill.state === "Paused" ? changed(backfill, { state: "Running" }, "updated", at) : null;
}

export function cancelBackfill(backfill: Backfill, message: string, at: Date): BackfillChange | null {
  if (!isOpen(backfill)) return null;
  return changed(backfill, { state: "Cancelled", message, finishedAt: at }, "ended", at);
}

export function endBackfill(backfill: Backfill, end: BackfillEnd, at: Date): BackfillChange {
  return changed(backfill, { ...end, finishedAt: at }, "ended", at);
}

function changed(
  backfill: Backfill,
  to: Partial<Backfill>,
  event: BackfillEventName,
  at: Date,
): BackfillChange {
  return { backfill: { ...backfill, ...to, version: backfill.version + 1 }, event, at };
}
