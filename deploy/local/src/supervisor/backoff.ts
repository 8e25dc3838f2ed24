/** A process that lived this long is healthy: its next end is a first one again. */
const HEALTHY_MS = 30_000;
const FIRST_MS = 200;
const LONGEST_MS = 10_000;

/** Pause before the next start after this many ends in a row: 0.2 s, doubled each time, never more than 10 s. */
export function restartDelayMs(endsInARow: number): number {
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.max(0, Math.min(endsInARow - 1, 20)));
}

export function nextEndsInARow(before: number, livedMs: number): number {
  return livedMs >= HEALTHY_MS ? 1 : before + 1;
}
