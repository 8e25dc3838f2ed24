/** When schedules fire, as people ask for it, and what is wrong with their times. */
import { AiepError, type ErrorField, isTimeZone } from "@aiep/contracts";
import { type Cron, nextTimes, parseCron } from "../domain/cron/index.ts";
import { type Schedule, timetableOf } from "../domain/schedule.ts";
import { nextFires } from "../domain/timetable.ts";
import { toQuartz } from "../schedulers/wtss/quartz.ts";
import type { OperationDeps } from "./deps.ts";

/** Its next times, as far as there are so many. */
export function nextTimesOf(schedule: Schedule, count = 5): readonly Date[] {
  const timetable = timetableOf(schedule);
  return timetable === undefined ? [] : nextFires(timetable, count);
}

export interface CronPreview {
  readonly cron: Cron;
  readonly quartz: string | null;
  readonly times: readonly Date[];
}

export function previewCron(
  deps: Pick<OperationDeps, "clock" | "timeZone">,
  body: {
    readonly cron: string;
    readonly time_zone?: string | undefined;
    readonly after?: string | undefined;
    readonly count: number;
  },
): CronPreview {
  const after = body.after === undefined ? deps.clock() : new Date(body.after);
  const cron = readCron(body.cron, body.time_zone ?? deps.timeZone, after);
  const quartz = toQuartz(body.cron);
  return {
    cron,
    quartz: quartz.kind === "quartz" ? quartz.expression : null,
    times: nextTimes(cron, after, body.count),
  };
}

/** A schedule that would never fire again is refused when it is made or changed. */
export function requireFires(schedule: Schedule, now: Date): void {
  const { cron, timeZone, startsAt, endsAt } = schedule;
  readCron(cron, timeZone, now);
  if (nextTimesOf({ ...schedule, paused: false }, 1).length > 0) return;
  const bounds = [
    startsAt === null ? "" : ` from ${startsAt.toISOString()}`,
    endsAt === null ? "" : ` until ${endsAt.toISOString()}`,
  ];
  const detail = `The expression never fires${bounds.join("")}, as far as that is still to come.`;
  throw invalid([{ pointer: "/ends_at", code: "CRON_INVALID", detail }]);
}

/** Throws CRON_INVALID with every problem. */
export function readCron(text: string, timeZone: string, now: Date): Cron {
  if (!isTimeZone(timeZone))
    throw invalid([{ pointer: "/time_zone", code: "CRON_INVALID", detail: `${timeZone} is no time zone.` }]);
  const parsed = parseCron(text, timeZone, now);
  if (parsed.ok) return parsed.value;
  throw invalid(parsed.problems.map(({ detail }) => ({ pointer: "/cron", code: "CRON_INVALID", detail })));
}

function invalid(errors: readonly ErrorField[]): AiepError {
  const [first] = errors;
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
  return new AiepError("CRON_INVALID", `${first?.detail ?? "It cannot be read."}${more}`, { errors });
}
