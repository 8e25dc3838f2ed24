/** Cron: see parse.ts for the language, times.ts for what clocks do to it. */
export type { CronProblem, FieldName } from "./field.ts";
export { type Cron, type CronResult, parseCron, readFields } from "./parse.ts";
export { lastTimes, nextTime, nextTimes, type Times, timesBetween } from "./times.ts";
