/** What a waiting or ended check says to people. Pure. */
const NAMED = 5;

/** `a, b and 3 more`. */
export function listed(texts: readonly string[]): string {
  const shown = texts.slice(0, NAMED).join(", ");
  return texts.length > NAMED ? `${shown} and ${texts.length - NAMED} more` : shown;
}

export function hours(seconds: number): string {
  const text = String(Math.round((seconds / 3600) * 100) / 100);
  return `${text} hour${text === "1" ? "" : "s"}`;
}

export function thereOf(count: number, all: number): string {
  return `${count} of ${all} ${count === 1 ? "is" : "are"} there`;
}

/** Seconds before the next question after so many failures in a row. */
export function backoffSeconds(interval: number, failures: number): number {
  return Math.min(60, Math.max(interval, 1) * 2 ** Math.min(failures - 1, 6));
}

/** Failures in a row after which a source is given up; with the pauses above well over half an hour. */
export const MAX_FAILURES = 40;
