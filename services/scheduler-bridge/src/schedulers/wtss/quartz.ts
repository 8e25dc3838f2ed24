/**
 * A user's cron as WTSS wants it: Quartz, `sec min hour day month weekday [year]`, exactly one of the two day fields `?`. Pure.
 *
 * Five fields are ordinary cron, which differs in the numbers of weekdays (0–7, 0 and 7 Sunday; in Quartz 1–7 from Sunday) and
 * in what two restricted day fields mean: either of them, which Quartz cannot say. Six or seven fields are Quartz already.
 * What fields may hold is domain/cron's word; what Quartz then still cannot say is refused here.
 */
import { readFields } from "../../domain/cron/index.ts";

export type QuartzCron =
  | { readonly kind: "quartz"; readonly expression: string }
  /** `why`: a sentence for the user. */
  | { readonly kind: "refused"; readonly why: string };

export function toQuartz(cron: string): QuartzCron {
  const read = readFields(cron);
  if (!read.ok) return refused(cron, read.problems.map(({ detail }) => detail).join(" "));
  const days = read.fields.get("day of month")?.plain ?? "*";
  const weekdays = read.fields.get("day of week")?.plain ?? "*";
  const mixed = [days, weekdays].find((plain) => /[LW#]/.test(plain) && plain.includes(","));
  if (mixed !== undefined)
    return refused(cron, "L, W and # stand alone in WTSS, without other days beside them.");
  const words = read.words.map((word) => word.toUpperCase());
  if (words.length > 5) return { kind: "quartz", expression: words.join(" ") };
  if (days !== "*" && weekdays !== "*")
    return refused(
      cron,
      "It restricts the day of the month and the day of the week, which means either; WTSS cannot say that. Make one of them *.",
    );
  const [minute, hour, day, month] = words;
  const dayFields = weekdays === "*" ? [day, month, "?"] : ["?", month, quartzWeekdays(weekdays)];
  return { kind: "quartz", expression: ["0", minute, hour, ...dayFields].join(" ") };
}

function refused(cron: string, why: string): QuartzCron {
  return { kind: "refused", why: `The cron "${cron}" cannot be scheduled in WTSS. ${why}` };
}

/** From Sunday = 0, where the last Friday is `5#L`. */
function quartzWeekdays(plain: string): string {
  return plain
    .split(",")
    .map((day) => `${Number(day.charAt(0)) + 1}${day.slice(1).replace("#L", "L")}`)
    .join(",");
}
