/**
 * Cron expressions in a zone: read, refused with every problem, and asked for times.
 *
 * Owns the language: five fields (minute hour day-of-month month day-of-week), Quartz's six or seven (second first, year last,
 * exactly one of the two days `?`), and @hourly, @daily, … croner walks the calendar for us, in plain local time; what clocks
 * do to local time is decided in times.ts. No clock: `now` comes in, to refuse what never fires.
 */
import { isTimeZone, nearest } from "@aiep/contracts";
import { Cron as Calendar } from "croner";
import type { Cron } from "./cron.ts";
import { type CronProblem, type Dialect, type Field, type FieldName, readField } from "./field.ts";
import { nextTime } from "./times.ts";

export type CronResult =
  | { readonly ok: true; readonly value: Cron }
  | { readonly ok: false; readonly problems: readonly CronProblem[] };

const MAX_LENGTH = 256;
const STANDARD: readonly FieldName[] = ["minute", "hour", "day of month", "month", "day of week"];
const QUARTZ: readonly FieldName[] = ["second", ...STANDARD, "year"];
const NAMED: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

export function parseCron(text: string, timeZone: string, now: Date): CronResult {
  if (!isTimeZone(timeZone))
    return refused(null, 1, `"${timeZone}" is no time zone; write a name such as Asia/Shanghai.`);
  if (text.length > MAX_LENGTH)
    return refused(
      null,
      MAX_LENGTH,
      `The expression has ${text.length} characters; ${MAX_LENGTH} are possible.`,
    );
  const read = readFields(text);
  if (!read.ok) return read;
  const { fields } = read;
  const calendar = calendarOf(fields);
  if (typeof calendar === "string") return refused(null, 1, calendar);
  const hour = fields.get("hour");
  const everyHour = hour?.wild === true || hour?.plain.split(",").length === 24;
  const cron = { text, timeZone, calendar, everyHour };
  if (nextTime(cron, now) !== null) return { ok: true, value: cron };
  return refused(...neverFires(fields, text, now));
}

const refused = (field: FieldName | null, position: number, detail: string) =>
  ({ ok: false, problems: [{ field, position, detail }] }) as const;

type Fields = ReadonlyMap<FieldName, Field>;

export interface ReadFields {
  readonly ok: true;
  /** Five, or Quartz's six or seven, in order; a name such as @daily written out. */
  readonly words: readonly string[];
  readonly fields: Fields;
}

/** The language alone: no zone, and no look at whether it ever fires. */
export function readFields(text: string): ReadFields | Extract<CronResult, { ok: false }> {
  const trimmed = text.trim();
  const named = NAMED[trimmed.toLowerCase()];
  if (trimmed.startsWith("@") && named === undefined) {
    const near = nearest(trimmed, Object.keys(NAMED));
    const hint =
      near === undefined ? `the names are ${Object.keys(NAMED).join(", ")}` : `did you mean ${near}`;
    return refused(null, text.indexOf("@") + 1, `"${trimmed}" is no name of a schedule; ${hint}.`);
  }
  const words = [...(named ?? text).matchAll(/\S+/g)];
  const names = words.length === 5 ? STANDARD : QUARTZ.slice(0, words.length);
  if (words.length < 5 || words.length > 7) return refused(null, 1, countProblem(words.length));
  const dialect: Dialect = words.length === 5 ? "standard" : "quartz";
  const problems: CronProblem[] = [];
  const fields = new Map<FieldName, Field>();
  for (const [index, name] of names.entries()) {
    const word = words[index];
    const source = { name, dialect, text: word?.[0] ?? "", position: (word?.index ?? 0) + 1 };
    fields.set(name, readField(source, problems));
  }
  if (dialect === "quartz") problems.push(...oneDay(words[3], words[5]));
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, words: words.map(([word]) => word), fields };
}

const countProblem = (count: number) =>
  `The expression has ${count} ${count === 1 ? "field" : "fields"}; five are minute, hour, day of month, month and day of week (30 2 * * *), ` +
  "six or seven are Quartz's, with seconds first and the year last (0 30 2 * * ?).";

/** Quartz knows no "this day of the month or that of the week", and wants to be told which of the two counts. */
function oneDay(ofMonth: RegExpExecArray | undefined, ofWeek: RegExpExecArray | undefined): CronProblem[] {
  const marks = [ofMonth, ofWeek].filter((word) => word?.[0] === "?").length;
  if (marks === 1) return [];
  const position = (ofWeek?.index ?? 0) + 1;
  const detail = `The day of week at character ${position}: of six or seven fields (Quartz), exactly one of day of month and day of week is ?; ${
    marks === 0 ? "write ? for the one that does not count." : "write * for the day of month."
  }`;
  return [{ field: "day of week", position, detail }];
}

/** The walk over local calendar days. A sentence when croner sees what we did not. */
function calendarOf(fields: Fields): Calendar | string {
  const plain = (name: FieldName, absent: string) => fields.get(name)?.plain ?? absent;
  const pattern = [
    plain("second", "0"),
    ...STANDARD.map((name) => plain(name, "*")),
    plain("year", "*"),
  ].join(" ");
  try {
    return new Calendar(pattern, { utcOffset: 0 });
  } catch (error) {
    return `The expression cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Why, as far as it can be told: years that passed, or days that no such month has. */
function neverFires(fields: Fields, text: string, now: Date): [FieldName, number, string] {
  const words = [...text.matchAll(/\S+/g)];
  const place = (index: number) => (words[index]?.index ?? 0) + 1;
  const year = fields.get("year")?.plain ?? "*";
  if (year !== "*" && year.split(",").every((each) => Number(each) < now.getUTCFullYear()))
    return ["year", place(6), `The expression never fires: the year at character ${place(6)} has passed.`];
  const day = fields.size === 5 ? 2 : 3;
  const detail = `The expression never fires: no day to come fits the day of month at character ${place(day)} and the fields after it.`;
  return ["day of month", place(day), detail];
}
