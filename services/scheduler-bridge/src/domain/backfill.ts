/**
 * A back-fill: one run for each business date of a range, so many at a time.
 *
 * B1 Dates start in one order that follows from the range, so that "how many were started" says which; a restart starts none again
 *    (the fire's key is the date). B2 Never more than `parallelism` at once. B3 After a failure with `stopOnFailure` nothing new
 *    starts, what runs ends. B4 Ended exactly when nothing runs and nothing will start.
 */
import { addDays, type BackfillState, formatDay, parseDay } from "@aiep/contracts";

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
