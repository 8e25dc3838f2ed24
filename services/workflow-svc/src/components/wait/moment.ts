/** When a wait is over: durations and local times as people write them. Pure. */

const UNITS: Readonly<Record<string, number>> = { d: 86_400, h: 3600, m: 60, s: 1 };
const DURATION = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/;

/** `90` or `1h30m` in seconds; undefined for anything else. */
export function durationSeconds(text: string | number): number | undefined {
  if (typeof text === "number") return text;
  const match = DURATION.exec(text);
  if (match === null || text === "") return undefined;
  return Object.keys(UNITS).reduce(
    (sum, unit, at) => sum + Number(match[at + 1] ?? 0) * (UNITS[unit] ?? 0),
    0,
  );
}

const TIME_OF_DAY = /^([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?$/;
const LOCAL = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2})?)$/;

/**
 * `2026-03-02T06:00:00+08:00` as it says; `2026-03-02T06:00` and `06:00` in the zone, the latter on the day on which the wait
 * began. Undefined when it is none of them, or no such day exists.
 */
export function momentOf(text: string, began: Date, zone: string): Date | undefined {
  if (TIME_OF_DAY.test(text)) return localMoment(dayIn(began, zone), text, zone);
  const local = LOCAL.exec(text);
  if (local?.[1] !== undefined && local[2] !== undefined) return localMoment(local[1], local[2], zone);
  if (!/^\d{4}-\d{2}-\d{2}T.*(Z|[+-]\d{2}:\d{2})$/.test(text)) return undefined;
  const moment = new Date(text);
  return Number.isNaN(moment.getTime()) ? undefined : moment;
}

/** Midnight of this text would be read as UTC; the zone's offset at that moment, asked twice for the hours around a shift. */
function localMoment(day: string, time: string, zone: string): Date | undefined {
  const asUtc = new Date(`${day}T${time.length === 5 ? `${time}:00` : time}Z`);
  if (Number.isNaN(asUtc.getTime()) || asUtc.toISOString().slice(0, 10) !== day) return undefined;
  const guess = new Date(asUtc.getTime() - offsetMs(asUtc, zone));
  return new Date(asUtc.getTime() - offsetMs(guess, zone));
}

/** What the zone's clocks are ahead of UTC. */
function offsetMs(at: Date, zone: string): number {
  const shown = new Date(`${dayIn(at, zone)}T${timeIn(at, zone)}Z`).getTime();
  return shown - Math.floor(at.getTime() / 1000) * 1000;
}

function dayIn(at: Date, timeZone: string): string {
  return new Intl.DateTimeFormat("en-CA", { timeZone, dateStyle: "short" }).format(at);
}

function timeIn(at: Date, timeZone: string): string {
  return new Intl.DateTimeFormat("en-GB", { timeZone, timeStyle: "medium" }).format(at);
}
