/** `wait`: ends well after a duration or at a moment. Holds nothing while it waits. */
import * as z from "zod";
import { defineTimer, failed, ready } from "../define.ts";
import { durationSeconds, momentOf } from "./moment.ts";

const MAX_SECONDS = 30 * 86_400;

const duration = z
  .union([z.number().min(0), z.string()])
  .refine((value) => durationSeconds(value) !== undefined, "seconds, or a duration such as 1h30m")
  .refine((value) => (durationSeconds(value) ?? 0) <= MAX_SECONDS, "at most 30 days");

const manifest = z.strictObject({
  for: duration
    .optional()
    .describe("How long, from the start of the node: seconds, or text such as 90s, 1h30m, 2d."),
  until: z
    .string()
    .max(64)
    .optional()
    .describe(
      "When: 2026-03-02T06:00:00+08:00, or 2026-03-02T06:00 in the workflow's time zone, or 06:00 on the day on which the node starts. A moment that has passed ends the wait at once.",
    ),
});

export const wait = defineTimer({
  kind: "wait",
  title: { zh: "等待", en: "Wait" },
  category: "control",
  summary: {
    zh: "等待一段时间，或等到某一时刻。",
    en: "Waits for a while, or until a moment. It takes no resources meanwhile and survives restarts.",
  },
  manifest,
  form: {
    groups: [{ id: "time", title: { zh: "时间", en: "Time" } }],
    fields: [
      {
        path: "for",
        label: { zh: "等待时长", en: "For" },
        widget: "duration",
        group: "time",
        placeholder: "1h30m",
      },
      {
        path: "until",
        label: { zh: "等到", en: "Until" },
        widget: "datetime",
        group: "time",
        placeholder: "06:00",
      },
    ],
  },
  example: { until: "06:00" },
  checkRules: (settings) =>
    (settings.for === undefined) === (settings.until === undefined)
      ? [{ path: ["for"], detail: "give one of for and until" }]
      : [],
  toTimer: ({ manifest: settings, attemptStartedAt, run }) => {
    const { until } = settings;
    if (until === undefined) {
      const seconds = settings.for === undefined ? 0 : (durationSeconds(settings.for) ?? 0);
      return ready(new Date(attemptStartedAt.getTime() + seconds * 1000));
    }
    const moment = momentOf(until, attemptStartedAt, run.timeZone);
    if (moment === undefined)
      return failed(
        "validation",
        "NoSuchMoment",
        `until is ${JSON.stringify(until)}; write 2026-03-02T06:00:00+08:00, 2026-03-02T06:00 or 06:00.`,
      );
    if (moment.getTime() - attemptStartedAt.getTime() > MAX_SECONDS * 1000)
      return failed("validation", "TooFar", `${until} is more than 30 days away.`);
    return ready(moment);
  },
});
