/**
 * What a cron expression means, said a second time and naively: every minute is looked at, clocks are read from offsets taken
 * each half hour, and the rules C1 and C2 of times.ts are applied to what the clocks showed.
 */
import fc from "fast-check";

const MINUTE = 60_000;
const HALF_HOUR = 30 * MINUTE;

interface Piece {
  readonly text: string;
  readonly values: readonly number[];
}

export interface Expression {
  readonly text: string;
  readonly everyHour: boolean;
  readonly matches: (local: Date) => boolean;
}

const span = (from: number, to: number, step = 1) =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, index) => from + index * step);

/** A field of random pieces; a star stands alone. */
function field(
  min: number,
  max: number,
): fc.Arbitrary<Piece & { readonly star: boolean; readonly wild: boolean }> {
  const value = fc.integer({ min, max });
  const one = value.map((n): Piece => ({ text: String(n), values: [n] }));
  const two = fc.tuple(value, value, fc.option(fc.integer({ min: 1, max: 7 }))).map(([a, b, step]): Piece => {
    const [from, to] = [Math.min(a, b), Math.max(a, b)];
    return step === null
      ? { text: `${from}-${to}`, values: span(from, to) }
      : { text: `${from}-${to}/${step}`, values: span(from, to, step) };
  });
  const steps = fc
    .integer({ min: 1, max: 7 })
    .map((n): Piece => ({ text: `*/${n}`, values: span(min, max, n) }));
  const list = fc
    .array(fc.oneof({ weight: 4, arbitrary: one }, two, steps), { minLength: 1, maxLength: 3 })
    .map((pieces) => {
      const text = pieces.map((piece) => piece.text).join(",");
      return { text, values: pieces.flatMap((piece) => piece.values), star: false, wild: text.includes("/") };
    });
  return fc.oneof(fc.constant({ text: "*", values: span(min, max), star: true, wild: true }), list);
}

/** Expressions of five fields whose fires are not rarer than some a year. */
export const expression: fc.Arbitrary<Expression> = fc
  .tuple(
    field(0, 59),
    field(0, 23),
    field(1, 31),
    fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, field(1, 12)),
    field(0, 6),
  )
  .map(([minute, hour, day, someMonths, weekday]) => {
    const month = someMonths ?? { text: "*", values: span(1, 12), star: true, wild: true };
    const dayFits = (local: Date) => {
      const [inMonth, inWeek] = [
        day.values.includes(local.getUTCDate()),
        weekday.values.includes(local.getUTCDay()),
      ];
      return day.star || weekday.star ? inMonth && inWeek : inMonth || inWeek;
    };
    return {
      text: [minute, hour, day, month, weekday].map(({ text }) => text).join(" "),
      everyHour: hour.wild || new Set(hour.values).size === 24,
      matches: (local: Date) =>
        minute.values.includes(local.getUTCMinutes()) &&
        hour.values.includes(local.getUTCHours()) &&
        month.values.includes(local.getUTCMonth() + 1) &&
        dayFits(local),
    };
  });

/** What clocks of a zone show, minute by minute, from `from` until `until`. */
export class Clocks {
  readonly #minutes: { readonly at: number; readonly local: number }[] = [];

  constructor(zone: string, from: Date, until: Date) {
    const format = new Intl.DateTimeFormat("sv-SE", {
      timeZone: zone,
      dateStyle: "short",
      timeStyle: "medium",
    });
    let offset = 0;
    for (let at = from.getTime(); at < until.getTime(); at += MINUTE) {
      if (at % HALF_HOUR === 0 || at === from.getTime())
        offset = Date.parse(`${format.format(at).replace(" ", "T")}Z`) - at;
      this.#minutes.push({ at, local: at + offset });
    }
  }

  /** Of the second day and later: a fold is known by the day before it. */
  fires({ everyHour, matches }: Expression): string[] {
    const fires: string[] = [];
    const shown = new Set<number>();
    let before: number | undefined;
    for (const { at, local } of this.#minutes) {
      const jumped = everyHour ? [] : minutesBetween(before, local);
      const fits = matches(new Date(local)) && (everyHour || !shown.has(local));
      if (fits || jumped.some((each) => matches(new Date(each)))) fires.push(new Date(at).toISOString());
      shown.add(local);
      before = local;
    }
    return fires;
  }
}

/** Local minutes that no clock showed. */
function minutesBetween(before: number | undefined, local: number): number[] {
  if (before === undefined || local - before <= MINUTE) return [];
  return span(before + MINUTE, local - MINUTE, MINUTE);
}

/** Instants about which clocks of the zone change, in those years. */
export function changesOf(zone: string, fromYear: number, years: number): Date[] {
  const format = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" });
  const offset = (day: number) => format.format(day).split("GMT")[1];
  const days = Array.from({ length: years * 365 }, (_, index) => Date.UTC(fromYear, 0, 1 + index));
  return days.filter((day) => offset(day) !== offset(day + 24 * 60 * MINUTE)).map((day) => new Date(day));
}
