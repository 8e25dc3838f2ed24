/** Days as `yyyyMMdd`, in the proleptic Gregorian calendar, and what day it is somewhere. No clock: `now` comes in. */

export interface Day {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
}

const DAY_MS = 86_400_000;

export function daysInMonth(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}

/** Undefined unless it is a day that exists. */
export function parseDay(text: string): Day | undefined {
  const match = /^(\d{4})(\d{2})(\d{2})$/.exec(text);
  if (match === null) return undefined;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  if (year < 1 || month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return undefined;
  return { year, month, day };
}

const two = (value: number) => String(value).padStart(2, "0");
const four = (value: number) => String(value).padStart(4, "0");

export function formatDay({ year, month, day }: Day): string {
  return `${four(year)}${two(month)}${two(day)}`;
}

export function formatDayWithDashes({ year, month, day }: Day): string {
  return `${four(year)}-${two(month)}-${two(day)}`;
}

export function formatMonth(index: number, dashes: boolean): string {
  const { year, month } = monthOf(index);
  return `${four(year)}${dashes ? "-" : ""}${two(month)}`;
}

export function addDays({ year, month, day }: Day, days: number): Day {
  const at = new Date(0);
  at.setUTCFullYear(year, month - 1, day);
  return fromUtc(new Date(at.getTime() + days * DAY_MS));
}

/** Months since year 0: makes arithmetic on months, quarters and years one addition. */
export function monthIndex({ year, month }: Pick<Day, "year" | "month">): number {
  return year * 12 + month - 1;
}

export function monthOf(index: number): { readonly year: number; readonly month: number } {
  const year = Math.floor(index / 12);
  return { year, month: index - year * 12 + 1 };
}

function fromUtc(date: Date): Day {
  return { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() };
}

export function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

function localParts(now: Date, zone: string): { readonly day: Day; readonly hour: number } {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    calendar: "gregory",
    numberingSystem: "latn",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    hourCycle: "h23",
  }).formatToParts(now);
  const part = (type: Intl.DateTimeFormatPartTypes) =>
    Number(parts.find((each) => each.type === type)?.value ?? Number.NaN);
  return { day: { year: part("year"), month: part("month"), day: part("day") }, hour: part("hour") };
}

/** The documented rule for "yesterday": the day before `now` in `zone`, whatever the service's own zone is. */
export function businessDate(now: Date, zone: string): string {
  return formatDay(addDays(localParts(now, zone).day, -1));
}

export function hourOf(now: Date, zone: string): number {
  return localParts(now, zone).hour;
}
