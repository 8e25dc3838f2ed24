/** Delays between tries: doubling from a floor to a cap, with jitter so that many do not come back at once. */
export interface BackoffOptions {
  readonly floorMs: number;
  readonly capMs: number;
  /** 0 to below 1; default Math.random. */
  readonly random?: () => number;
}

/** `failures` from 1. Between half and the whole of the step. */
export function backoffMs(failures: number, options: BackoffOptions): number {
  const { floorMs, capMs, random = Math.random } = options;
  const step = Math.min(capMs, floorMs * 2 ** Math.min(failures - 1, 30));
  return Math.round(step * (0.5 + random() / 2));
}
