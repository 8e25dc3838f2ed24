/**
 * When a cron expression fires: the instants at which a zone's clocks show the local times that it names.
 *
 * C1 Hours that were named (`30 2 * * *`, `0 9-17 * * *`): a local time that clocks jump over fires once, at the first instant
 *    after the jump, however many such times there are; one that they show twice fires once, the first time.
 * C2 Every hour (`0 * * * *`, `0,30 * * * *`): each instant at which clocks show such a time, so that an hour shown twice has both
 *    its fires, and one jumped over none: nothing is lost or doubled where hours pass.
 * C3 Times are whole seconds, strictly after what was asked, in order, without repetition.
 */
import type { Cron } from "./cron.ts";
import { changeBetween, offsetAt } from "./zone.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const SECOND = 1000;

/** Null when there is none any more. */
export function nextTime(cron: Cron, after: Date): Date | null {
  const { calendar, timeZone, everyHour } = cron;
  let { from, passed } = begin(cron, after.getTime());
  for (;;) {
    const offset = offsetAt(timeZone, from);
    const local = calendar.nextRun(new Date(passed))?.getTime();
    if (local === undefined) return null;
    const at = local - offset;
    if (at - from > 3 * DAY) {
      // Nothing in between: go near, so that no two changes of the clocks lie in one look.
      from = at - 2 * DAY;
      continue;
    }
    const change = changeBetween(timeZone, from, at);
    if (change === null) return new Date(at);
    const changed = offsetAt(timeZone, change);
    if (!everyHour && local < change + changed) return new Date(change);
    from = change;
    passed = change + (everyHour ? changed : Math.max(changed, offset)) - SECOND;
  }
}

/** `passed`: the local time after which matches count. */
function begin({ timeZone, everyHour }: Cron, after: number): { from: number; passed: number } {
  const offset = offsetAt(timeZone, after);
  const passed = after + offset;
  if (everyHour) return { from: after, passed };
  const change = changeBetween(timeZone, after - DAY, after);
  if (change === null) return { from: after, passed };
  // Clocks went back: what they show again has fired (C1).
  return { from: after, passed: Math.max(passed, change + offsetAt(timeZone, change - SECOND) - SECOND) };
}

export function nextTimes(cron: Cron, after: Date, count: number): Date[] {
  const times: Date[] = [];
  for (let time = nextTime(cron, after); time !== null && times.length < count; time = nextTime(cron, time))
    times.push(time);
  return times;
}

export interface Times {
  readonly times: readonly Date[];
  /** There are more than were asked for. */
  readonly more: boolean;
}

/** Those after `after` and not after `until`, the first `limit` of them. */
export function timesBetween(cron: Cron, after: Date, until: Date, limit: number): Times {
  const times: Date[] = [];
  for (let time = nextTime(cron, after); time !== null && time <= until; time = nextTime(cron, time)) {
    if (times.length === limit) return { times, more: true };
    times.push(time);
  }
  return { times, more: false };
}

/** Those after `after` and not after `until`, the last `limit` of them, in order. Costs by the limit, not by the span. */
export function lastTimes(cron: Cron, after: Date, until: Date, limit: number): Times {
  const end = until.getTime();
  const since = (from: number) => timesBetween(cron, new Date(from), until, limit);
  let few = end;
  for (let span = HOUR; ; span *= 2) {
    const from = Math.max(after.getTime(), end - span);
    const found = since(from);
    if (found.more) return { times: since(lastOfFew(from, few, (at) => since(at).more)).times, more: true };
    if (from === after.getTime()) return found;
    few = from;
  }
}

/** The earliest second after which there are not too many: `many` has too many after it, `few` has not. */
function lastOfFew(many: number, few: number, tooMany: (at: number) => boolean): number {
  while (few - many > SECOND) {
    const middle = Math.floor((few + many) / 2);
    if (tooMany(middle)) many = middle;
    else few = middle;
  }
  return few;
}
