import type { Logger } from "../logging/logger.ts";

/** Named dangerous gaps; costs nothing when none is set. */
export interface Failpoints {
  /** `await failpoints.hit("x")`: undefined when nothing is set there, so nothing is awaited in the common case. */
  hit(name: string): Promise<void> | undefined;
  /** How often a point was passed, for tests in process. */
  hits(name: string): number;
}

export const NO_FAILPOINTS: Failpoints = { hit: () => undefined, hits: () => 0 };

/** `name=kill`, `name=kill:0.05` (probability), `name=pause(200)`, `name=error#3` (third hit); separated by commas. */
export function createFailpoints(_options: {
  readonly spec: string | undefined;
  readonly logFile?: string | undefined;
  readonly log?: Logger;
}): Failpoints {
  throw new Error("pending");
}
