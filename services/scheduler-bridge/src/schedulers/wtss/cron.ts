/** A publication's cron as this WTSS would take it. Pure. */
import { type QuartzCron, toQuartz } from "./quartz.ts";
import { sameClocks } from "./zones.ts";

/** WTSS has one zone for all: a cron meant in another one is taken only where clocks show the same. */
export function cronThere(cron: string, meantIn: string, firesIn: string, now: Date): QuartzCron {
  const quartz = toQuartz(cron);
  if (quartz.kind === "refused" || sameClocks(meantIn, firesIn, now)) return quartz;
  return {
    kind: "refused",
    why: `The cron is meant in ${meantIn}, but this WTSS fires in ${firesIn}: write it for that zone.`,
  };
}
