/** As a clock there shows it: `Fri 2026-01-30 10:30:00 GMT+8`. */
export function localTime(at: string, timeZone: string): string {
  const options = {
    timeZone,
    weekday: "short",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
    timeZoneName: "shortOffset",
  } as const;
  const parts = new Intl.DateTimeFormat("en-US", options).formatToParts(new Date(at));
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.find((each) => each.type === type)?.value ?? "";
  const day = `${part("year")}-${part("month")}-${part("day")}`;
  const time = `${part("hour")}:${part("minute")}:${part("second")}`;
  return `${part("weekday")} ${day} ${time} ${part("timeZoneName")}`;
}
