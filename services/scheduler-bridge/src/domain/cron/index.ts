/** Cron: see parse.ts for the language, times.ts for what clocks do to it. */
export type { Cron } from "./cron.ts";
export { parseCron, readFields } from "./parse.ts";
export { lastTimes, nextTimes, timesBetween } from "./times.ts";
