/** `aiepctl workflow publish` and what belongs to it. */
import { command } from "./spec.ts";
import { ID, LIMIT, PARAM, TIME_ZONE, VERSION } from "./workflow-options.ts";

const SCHEDULER = {
  name: "scheduler",
  kind: "value",
  value: "NAME",
  help: "wtss (default) or local.",
  choices: ["wtss", "local"],
} as const;
const OF_SCHEDULER = { ...SCHEDULER, help: "Which one, where it is published to several: wtss or local." };

const WAITING = [
  { name: "wait", kind: "flag", help: "Show its steps until it ended; the default." },
  { name: "no-wait", kind: "flag", help: "Return at once; it goes on in the background." },
  {
    name: "timeout",
    kind: "value",
    value: "TIME",
    help: "Stop waiting after this time, with exit code 7; it goes on.",
  },
] as const;

const EXIT_CODES =
  "Exit codes: 0 done, 10 it failed (what had begun is rolled back), 5 a newer publish took over, 7 --timeout, 130 Ctrl-C.";

export const publications = [
  command({
    name: "publish",
    summary: "Publish a frozen version to a scheduler, or update what is published there.",
    details: `Steps are shown as they are done (stderr); the last line is where to look at it. What is not said stays as it was: cron, time zone, parameters. ${EXIT_CODES}`,
    examples: [
      "aiepctl workflow publish ab13",
      "aiepctl workflow publish ab13 --version v3 --cron '30 2 * * *' --time-zone Asia/Shanghai",
      "aiepctl workflow publish ab13 --param 'date=${run_date}' --param lr=0.01",
      "aiepctl workflow publish ab13 --scheduler local --cron '* * * * *'",
    ],
    arguments: [ID],
    options: [
      { ...VERSION, help: "A frozen version such as v3; default the newest." },
      SCHEDULER,
      {
        name: "cron",
        kind: "value",
        value: "CRON",
        help: "When it runs: 5 fields, or Quartz with 6 or 7. Without one it is started by hand there.",
      },
      { name: "no-cron", kind: "flag", help: "Take its times away." },
      TIME_ZONE,
      { ...PARAM, help: "Passed to every run; ${run_date} and the like are resolved by the scheduler." },
      { name: "no-params", kind: "flag", help: "Pass none." },
      ...WAITING,
    ],
    load: async () => (await import("../../commands/workflow/publish.ts")).publish,
  }),
  command({
    name: "unpublish",
    summary: "Take a workflow out of its scheduler.",
    details: EXIT_CODES,
    examples: ["aiepctl workflow unpublish ab13", "aiepctl workflow unpublish ab13 --scheduler local"],
    arguments: [ID],
    options: [OF_SCHEDULER, ...WAITING],
    load: async () => (await import("../../commands/workflow/publish.ts")).unpublish,
  }),
  command({
    name: "publish-status",
    summary: "What is published, how it came there, and when it runs next.",
    details: "Takes the id of an experiment or a publication; without one all publications of your groups.",
    examples: ["aiepctl workflow publish-status ab13", "aiepctl workflow publish-status -o json"],
    arguments: [{ ...ID, optional: true }],
    options: [
      OF_SCHEDULER,
      { name: "state", kind: "values", value: "STATE", help: "Without an id: only in these states." },
      ...LIMIT,
    ],
    load: async () => (await import("../../commands/workflow/publish-status.ts")).status,
  }),
  command({
    name: "rotate-secret",
    summary: "A new secret for the webhook of what is published; the old one stays valid for a day.",
    details: EXIT_CODES,
    examples: ["aiepctl workflow rotate-secret ab13"],
    arguments: [ID],
    options: [OF_SCHEDULER, ...WAITING],
    load: async () => (await import("../../commands/workflow/publish.ts")).rotateSecret,
  }),
];
