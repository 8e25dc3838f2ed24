/**
 * The `${run_date}` family, one table for the names of both schedulers. D is the run's business date, T the day after it
 * (`run_today`). `±n` counts in the variable's own unit, and a begin or an end stays one: `run_month_end-1` of March is the
 * last day of February.
 *
 * V1 the dialect changes one meaning only: `run_mon` is the month of T for wtss, of D for linkis.
 * V2 a name of either dialect is known in both, so a workflow moves between them.
 */
import {
  addDays,
  type Day,
  daysInMonth,
  formatDay,
  formatDayWithDashes,
  formatMonth,
  monthIndex,
  monthOf,
  parseDay,
} from "@aiep/contracts";
import type { RunScope, TimeDialect } from "./scope.ts";

/** D, T, the month before T's, or `mon`: the month of D or T, by dialect. */
type Base = "date" | "today" | "before_today" | "mon";

type Variable =
  | { readonly kind: "day"; readonly base: Base }
  | { readonly kind: "hour" }
  /** Begin or end of a period of so many months, some periods away. */
  | {
      readonly kind: "edge";
      readonly base: Base;
      readonly months: 1 | 3 | 6 | 12;
      readonly edge: "begin" | "end";
      readonly away: 0 | -1;
    }
  /** `yyyyMM`; `december` is Linkis's `run_mon_end`, the last month of the year. */
  | { readonly kind: "month"; readonly base: Base; readonly away: 0 | -1; readonly december: boolean };

const PERIODS = { month: 1, quarter: 3, half_year: 6, year: 12 } as const;

function table(): ReadonlyMap<string, Variable> {
  const all = new Map<string, Variable>([
    ["run_date", { kind: "day", base: "date" }],
    ["run_today", { kind: "day", base: "today" }],
    ["run_today_h", { kind: "hour" }],
    ["run_today_hour", { kind: "hour" }],
    ["run_mon", { kind: "month", base: "mon", away: 0, december: false }],
    ["run_mon_start", { kind: "month", base: "mon", away: 0, december: false }],
    ["run_mon_end", { kind: "month", base: "mon", away: 0, december: true }],
    ["run_mon_now", { kind: "month", base: "today", away: 0, december: false }],
    ["run_current_mon_now", { kind: "month", base: "today", away: 0, december: false }],
    ["run_last_mon_now", { kind: "month", base: "today", away: -1, december: false }],
  ]);
  for (const [period, months] of Object.entries(PERIODS)) {
    for (const [infix, base] of [
      ["", "date"],
      ["_now", "before_today"],
    ] as const) {
      for (const edge of ["begin", "end"] as const)
        all.set(`run_${period}${infix}_${edge}`, { kind: "edge", base, months, edge, away: 0 });
      all.set(`run_last_${period}${infix}_end`, { kind: "edge", base, months, edge: "end", away: -1 });
    }
  }
  return all;
}

const VARIABLES = table();

const STD = "_std";
const plainName = (name: string) => (name.endsWith(STD) ? name.slice(0, -STD.length) : name);

export function isTimeVariable(name: string): boolean {
  return VARIABLES.has(plainName(name));
}

/** Every name, for suggestions and documentation. */
export function timeVariableNames(): readonly string[] {
  return [...VARIABLES.keys()].flatMap((name) => [name, `${name}${STD}`]);
}

export type TimeFacts = Pick<RunScope, "date" | "hour" | "dialect">;

/** The value of `${name±offset}`; undefined for an unknown name or a result before year 1 or after 9999. */
export function timeVariable(name: string, offset: number, facts: TimeFacts): string | undefined {
  const variable = VARIABLES.get(plainName(name));
  const date = parseDay(facts.date);
  if (variable === undefined || date === undefined || !Number.isSafeInteger(offset)) return undefined;
  return inRange(value(variable, offset, date, facts, name.endsWith(STD)));
}

function value(variable: Variable, offset: number, date: Day, facts: TimeFacts, dashes: boolean): string {
  const format = dashes ? formatDayWithDashes : formatDay;
  switch (variable.kind) {
    case "day":
      return format(addDays(baseDay(variable.base, date, facts.dialect), offset));
    case "hour": {
      const hours = facts.hour + offset;
      const days = Math.floor(hours / 24);
      const hour = String(hours - days * 24).padStart(2, "0");
      return `${format(addDays(baseDay("today", date, facts.dialect), days))}${dashes ? " " : ""}${hour}`;
    }
    case "edge": {
      const { months, edge, away } = variable;
      const first = Math.floor(baseMonth(variable.base, date, facts.dialect) / months) * months;
      const index = first + (offset + away) * months + (edge === "end" ? months - 1 : 0);
      const { year, month } = monthOf(index);
      return format({ year, month, day: edge === "end" ? daysInMonth(year, month) : 1 });
    }
    case "month": {
      const index = baseMonth(variable.base, date, facts.dialect) + variable.away + offset;
      return formatMonth(variable.december ? monthIndex({ ...monthOf(index), month: 12 }) : index, dashes);
    }
    default: {
      const unknown: never = variable;
      throw new TypeError(`unknown variable ${JSON.stringify(unknown)}`);
    }
  }
}

function baseDay(base: Base, date: Day, dialect: TimeDialect): Day {
  if (base === "date" || (base === "mon" && dialect === "linkis")) return date;
  return addDays(date, 1);
}

function baseMonth(base: Base, date: Day, dialect: TimeDialect): number {
  return monthIndex(baseDay(base, date, dialect)) - (base === "before_today" ? 1 : 0);
}

function inRange(text: string): string | undefined {
  return /^(?!0000)\d{4}(-?\d{2}){1,2}( ?\d{2})?$/.test(text) ? text : undefined;
}
