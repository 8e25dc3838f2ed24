/** `aiepctl schedule`: cron schedules, their fires and back-fills. */
import type { OptionSpec } from "../command.ts";
import { command, group, YES } from "./spec.ts";
import { LIMIT, PARAM, RUN_DATE, TIME_ZONE } from "./workflow-options.ts";

const ID = { name: "SCHEDULE_ID" } as const;
const BACKFILL_ID = { name: "BACKFILL_ID" } as const;
const WORKFLOW: OptionSpec = {
  name: "workflow",
  kind: "value",
  value: "ID",
  help: "Only of this experiment.",
};
const VERSION: OptionSpec = {
  name: "version",
  kind: "value",
  value: "VERSION",
  help: "A frozen version such as v3; default the newest at each fire.",
};
const CRON: OptionSpec = {
  name: "cron",
  kind: "value",
  value: "CRON",
  help: "When: '30 2 * * *', or Quartz with 6 or 7 fields.",
};
const POLICIES: readonly OptionSpec[] = [
  {
    name: "misfire",
    kind: "value",
    value: "POLICY",
    help: "What missed times become: skip, run_once (default) or catch_up.",
    choices: ["skip", "run_once", "catch_up"],
  },
  { name: "max-catch-up", kind: "value", value: "N", help: "Of catch_up: at most so many (default 10)." },
  {
    name: "overlap",
    kind: "value",
    value: "POLICY",
    help: "While an earlier run goes on: skip (default), queue, cancel_old or allow.",
    choices: ["skip", "queue", "cancel_old", "allow"],
  },
  { name: "max-queued", kind: "value", value: "N", help: "Of queue: more are skipped (default 100)." },
];
const NAME: OptionSpec = {
  name: "name",
  kind: "value",
  value: "NAME",
  help: "Name; default the experiment's.",
};
const STARTS: OptionSpec = { name: "starts-at", kind: "value", value: "TIME", help: "Not before this time." };
const ENDS: OptionSpec = { name: "ends-at", kind: "value", value: "TIME", help: "Not after this time." };
const BACKFILL_CODES = "Exit codes with --wait: 0 all succeeded, 10 some failed, 11 cancelled, 7 --timeout.";

const backfills = group({
  name: "backfills",
  summary: "Ranges of business dates that are being run.",
  commands: [
    command({
      name: "list",
      aliases: ["ls"],
      summary: "Back-fills of a schedule, newest first.",
      examples: ["aiepctl schedule backfills list 5c0e"],
      arguments: [ID],
      options: LIMIT,
      load: async () => (await import("../../commands/schedule/backfills.ts")).list,
    }),
    ...(["get", "pause", "resume", "cancel"] as const).map((name) =>
      command({
        name,
        summary: {
          get: "One back-fill.",
          pause: "Start no more of its dates until it is resumed.",
          resume: "Go on after a pause.",
          cancel: "Start no more, and cancel what runs.",
        }[name],
        examples: [`aiepctl schedule backfills ${name} 91d2`],
        arguments: [BACKFILL_ID],
        options: [],
        load: async () => (await import("../../commands/schedule/backfills.ts"))[name],
      }),
    ),
  ],
});

export const schedule = group({
  name: "schedule",
  aliases: ["schedules"],
  summary: "Cron schedules: workflows that run by the clock.",
  commands: [
    command({
      name: "list",
      aliases: ["ls"],
      summary: "Schedules of your groups, newest first.",
      examples: ["aiepctl schedule list", "aiepctl schedule list --workflow ab13 -o json"],
      arguments: [],
      options: [
        WORKFLOW,
        { name: "paused", kind: "flag", help: "Only paused ones; --paused=false: only those that fire." },
        ...LIMIT,
      ],
      load: async () => (await import("../../commands/schedule/schedules.ts")).list,
    }),
    command({
      name: "get",
      summary: "One schedule with its next fire times.",
      examples: ["aiepctl schedule get 5c0e"],
      arguments: [ID],
      options: [],
      load: async () => (await import("../../commands/schedule/schedules.ts")).get,
    }),
    command({
      name: "create",
      summary: "Run a workflow by a cron expression.",
      examples: [
        "aiepctl schedule create --workflow ab13 --cron '* * * * *'",
        "aiepctl schedule create --workflow ab13 --cron '30 2 * * *' --time-zone Asia/Shanghai --param lr=0.01",
        "aiepctl schedule create --workflow ab13 --cron '0 */4 * * *' --misfire catch_up --overlap queue",
      ],
      arguments: [],
      options: [
        { ...WORKFLOW, help: "The experiment that runs." },
        CRON,
        TIME_ZONE,
        VERSION,
        PARAM,
        NAME,
        ...POLICIES,
        STARTS,
        ENDS,
        { name: "paused", kind: "flag", help: "Do not fire before it is resumed." },
        { name: "dry-run", kind: "flag", help: "The server checks everything and keeps nothing." },
      ],
      load: async () => (await import("../../commands/schedule/change.ts")).create,
    }),
    command({
      name: "update",
      summary: "Change a schedule; what is not said stays.",
      examples: [
        "aiepctl schedule update 5c0e --cron '0 3 * * *'",
        "aiepctl schedule update 5c0e --version newest --ends-at none",
      ],
      arguments: [ID],
      options: [
        CRON,
        TIME_ZONE,
        { ...VERSION, help: "A frozen version such as v3, or newest." },
        { ...PARAM, help: "Parameters of its runs, all of them anew." },
        NAME,
        ...POLICIES,
        { ...STARTS, help: "Not before this time; none takes it away." },
        { ...ENDS, help: "Not after this time; none takes it away." },
        { name: "if-version", kind: "value", value: "N", help: "Only when it still has this version." },
      ],
      load: async () => (await import("../../commands/schedule/change.ts")).update,
    }),
    ...(["pause", "resume"] as const).map((name) =>
      command({
        name,
        summary: {
          pause: "Fire no more until it is resumed.",
          resume: "Fire again, from now on; what passed meanwhile is not made up for.",
        }[name],
        examples: [`aiepctl schedule ${name} 5c0e`],
        arguments: [ID],
        options: [],
        load: async () => (await import("../../commands/schedule/schedules.ts"))[name],
      }),
    ),
    command({
      name: "delete",
      aliases: ["rm"],
      summary: "Delete schedules; their runs are kept.",
      examples: ["aiepctl schedule delete 5c0e --yes"],
      arguments: [{ ...ID, many: true }],
      options: [YES],
      load: async () => (await import("../../commands/schedule/schedules.ts")).remove,
    }),
    command({
      name: "trigger",
      summary: "Fire now, whatever the clock says, by the schedule's overlap policy.",
      examples: ["aiepctl schedule trigger 5c0e", "aiepctl schedule trigger 5c0e --run-date 20260131"],
      arguments: [ID],
      options: [RUN_DATE, { ...PARAM, help: "In place of, or beside, the schedule's own parameters." }],
      load: async () => (await import("../../commands/schedule/trigger.ts")).trigger,
    }),
    command({
      name: "backfill",
      summary: "Run a range of business dates.",
      details: BACKFILL_CODES,
      examples: [
        "aiepctl schedule backfill 5c0e --from 20260101 --to 20260110 --wait",
        "aiepctl schedule backfill 5c0e --from 2026-01-01 --to 2026-01-31 --parallelism 4 --reverse",
      ],
      arguments: [ID],
      options: [
        { name: "from", kind: "value", value: "DATE", help: "First business date." },
        { name: "to", kind: "value", value: "DATE", help: "Last business date." },
        { name: "parallelism", kind: "value", value: "N", help: "So many runs at a time (default 1)." },
        { name: "reverse", kind: "flag", help: "Newest date first." },
        { name: "stop-on-failure", kind: "flag", help: "After a failure start no more." },
        { ...PARAM, help: "In place of, or beside, the schedule's own parameters." },
        { name: "wait", kind: "flag", help: "Follow it to its end; Ctrl-C leaves it alone." },
        { name: "timeout", kind: "value", value: "TIME", help: "With --wait: stop waiting after this time." },
      ],
      load: async () => (await import("../../commands/schedule/backfills.ts")).backfill,
    }),
    backfills,
    command({
      name: "fires",
      summary: "What was due, and what became of it; newest first.",
      details:
        "Takes the id of a schedule, a publication or an event trigger; without one all of your groups.",
      examples: ["aiepctl schedule fires 5c0e", "aiepctl schedule fires --state Skipped --state Rejected"],
      arguments: [{ name: "ID", optional: true }],
      options: [
        WORKFLOW,
        { name: "state", kind: "values", value: "STATE", help: "Only in these states." },
        {
          name: "kind",
          kind: "values",
          value: "KIND",
          help: "Only of these causes.",
          choices: ["schedule", "manual", "backfill", "publication", "event"],
        },
        ...LIMIT,
      ],
      load: async () => (await import("../../commands/schedule/fires.ts")).fires,
    }),
    command({
      name: "preview",
      summary: "When a cron expression fires, and how Quartz writes it.",
      examples: [
        "aiepctl schedule preview '30 2 * * *' --time-zone Asia/Shanghai",
        "aiepctl schedule preview '0 0 9 ? * MON-FRI' --count 3",
      ],
      arguments: [{ name: "CRON" }],
      options: [
        TIME_ZONE,
        { name: "after", kind: "value", value: "TIME", help: "From this time on (default now)." },
        { name: "count", kind: "value", value: "N", help: "So many times (default 10)." },
      ],
      load: async () => (await import("../../commands/schedule/trigger.ts")).preview,
    }),
  ],
});
