/** How far a zone's clocks are from UTC, and when that changes. From the runtime's own time zone data; memoized per zone. */

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      year: "numeric",
      timeZoneName: "longOffset",
    });
    formats.set(zone, format);
  }
  return format;
}

const OFFSET = /GMT(?:([+-])(\d{2}):(\d{2})(?::(\d{2}))?)?$/;

/** Milliseconds that local clocks are ahead of UTC at that instant. */
export function offsetAt(zone: string, instant: number): number {
  const [, sign, hours, minutes, seconds] = OFFSET.exec(formatOf(zone).format(instant)) ?? [];
  if (sign === undefined) return 0;
  const ahead = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds ?? 0)) * 1000;
  return sign === "-" ? -ahead : ahead;
}

/**
 * The first instant after `from`, and not after `until`, at which clocks go by another offset than at `from`; null when both
 * ends have one offset. Exact for spans that hold one change: keep them to days.
 */
export function changeBetween(zone: string, from: number, until: number): number | null {
  const offset = offsetAt(zone, from);
  if (offsetAt(zone, until) === offset) return null;
  let before = Math.floor(from / 1000);
  let after = Math.ceil(until / 1000);
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (offsetAt(zone, middle * 1000) === offset) before = middle;
    else after = middle;
  }
  return after * 1000;
}
