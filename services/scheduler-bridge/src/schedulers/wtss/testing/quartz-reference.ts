/** Quartz read a second time, naively: a day is asked whether it fits, then its minutes are listed. Seconds are 0. */

const DAY_MS = 86_400_000;
const MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

export function quartzTimes(expression: string, after: Date, count: number, until: Date): Date[] {
  const [second, minutes = "", hours = "", day = "", months = "", weekday = ""] = expression.split(" ");
  if (second !== "0" || (day === "?") === (weekday === "?")) throw new Error(`not Quartz: ${expression}`);
  const times: Date[] = [];
  for (
    let midnight = after.getTime() - (after.getTime() % DAY_MS);
    midnight < until.getTime();
    midnight += DAY_MS
  ) {
    const date = new Date(midnight);
    if (!fits(months, date.getUTCMonth() + 1, 1, 12, MONTHS)) continue;
    if (day !== "?" && !dayFits(day, date)) continue;
    if (weekday !== "?" && !weekdayFits(weekday, date)) continue;
    for (let minute = 0; minute < 1440; minute++) {
      const at = midnight + minute * 60_000;
      if (at <= after.getTime()) continue;
      if (!fits(hours, Math.floor(minute / 60), 0, 23) || !fits(minutes, minute % 60, 0, 59)) continue;
      times.push(new Date(at));
      if (times.length === count) return times;
    }
  }
  return times;
}

const lastOf = (date: Date) =>
  new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();

function dayFits(text: string, date: Date): boolean {
  const day = date.getUTCDate();
  if (text === "L") return day === lastOf(date);
  const workday = /^(\d+)W$/.exec(text);
  return workday === null ? fits(text, day, 1, 31) : day === nearestWorkday(Number(workday[1]), date);
}

function nearestWorkday(day: number, date: Date): number | undefined {
  const last = lastOf(date);
  if (day > last) return undefined;
  switch (new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), day)).getUTCDay()) {
    case 6:
      return day > 1 ? day - 1 : day + 2;
    case 0:
      return day < last ? day + 1 : day - 2;
    default:
      return day;
  }
}

function weekdayFits(text: string, date: Date): boolean {
  const day = date.getUTCDate();
  const weekday = date.getUTCDay() + 1;
  const [, number, rest] = /^(\d)(L|#\d)$/.exec(text) ?? [];
  if (number === undefined || rest === undefined) return fits(text, weekday, 1, 7, WEEKDAYS);
  if (Number(number) !== weekday) return false;
  return rest === "L" ? day + 7 > lastOf(date) : Math.ceil(day / 7) === Number(rest.slice(1));
}

function fits(
  text: string,
  value: number,
  low: number,
  high: number,
  names: readonly string[] = [],
): boolean {
  const numberOf = (word: string) => (names.includes(word) ? names.indexOf(word) + 1 : Number(word));
  return text.split(",").some((part) => {
    const [span = "", step = "1"] = part.split("/");
    const [first = "", last = first] = span.split("-");
    const from = first === "*" ? low : numberOf(first);
    const to = first === "*" ? high : numberOf(last);
    return value >= from && value <= to && (value - from) % Number(step) === 0;
  });
}
