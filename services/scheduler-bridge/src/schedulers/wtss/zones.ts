/** Whether clocks of two zones have shown the same, and will, for a year: a cron means the same in both then. Pure. */
const WEEK_MS = 7 * 86_400_000;
const WEEKS = 53;

export function sameClocks(zone: string, other: string, now: Date): boolean {
  if (zone === other) return true;
  const [one, two] = [clockOf(zone), clockOf(other)];
  return Array.from({ length: WEEKS }, (_, week) => now.getTime() + week * WEEK_MS).every(
    (time) => one.format(time) === two.format(time),
  );
}

function clockOf(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat("en-GB", { timeZone, dateStyle: "short", timeStyle: "short" });
}
