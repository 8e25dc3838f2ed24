/** `aiepctl trigger`: workflows that run when something happens. */
import type { OptionSpec } from "../command.ts";
import { command, group, YES } from "./spec.ts";
import { LIMIT } from "./workflow-options.ts";

const ID = { name: "TRIGGER_ID" } as const;
const NAME: OptionSpec = { name: "name", kind: "value", value: "NAME", help: "Name of the trigger." };
const SHARED: readonly OptionSpec[] = [
  {
    name: "event",
    kind: "value",
    value: "NAME",
    help: "task.succeeded, 'workflow.run_*', external.TYPE; * stands for any characters.",
  },
  {
    name: "condition",
    kind: "value",
    value: "CEL",
    help: "Only events for which this is true, such as event.data.name == 'train'.",
  },
  {
    name: "param",
    short: "p",
    kind: "values",
    value: "K=CEL",
    help: "Parameter of the run, from the event: model=event.data.model.",
  },
  {
    name: "run-date",
    kind: "value",
    value: "CEL",
    help: "Business date from the event, as yyyyMMdd; default yesterday.",
  },
  {
    name: "version",
    kind: "value",
    value: "VERSION",
    help: "A frozen version such as v3; default the newest at each event.",
  },
  { name: "max-per-hour", kind: "value", value: "N", help: "More events are skipped (default 120)." },
];

export const trigger = group({
  name: "trigger",
  aliases: ["triggers"],
  summary: "Event triggers: workflows that run when something happens.",
  commands: [
    command({
      name: "list",
      aliases: ["ls"],
      summary: "Event triggers of your groups, newest first.",
      examples: ["aiepctl trigger list", "aiepctl trigger list --workflow ab13"],
      arguments: [],
      options: [{ name: "workflow", kind: "value", value: "ID", help: "Only of this experiment." }, ...LIMIT],
      load: async () => (await import("../../commands/trigger/triggers.ts")).list,
    }),
    command({
      name: "get",
      summary: "One event trigger.",
      examples: ["aiepctl trigger get 77aa"],
      arguments: [ID],
      options: [],
      load: async () => (await import("../../commands/trigger/triggers.ts")).get,
    }),
    command({
      name: "create",
      summary: "Run a workflow when an event of its group happens.",
      details: "Conditions and parameters are CEL over `event`: type, id, source, subject, time, data.",
      examples: [
        "aiepctl trigger create --name after-train --workflow ab13 --event task.succeeded --condition \"event.data.name == 'train'\"",
        "aiepctl trigger create --name on-data --workflow ab13 --event external.data.arrived --param table=event.data.table",
      ],
      arguments: [],
      options: [
        NAME,
        { name: "workflow", kind: "value", value: "ID", help: "The experiment that runs." },
        ...SHARED,
        { name: "paused", kind: "flag", help: "Do not fire before it is resumed." },
      ],
      load: async () => (await import("../../commands/trigger/change.ts")).create,
    }),
    command({
      name: "update",
      summary: "Change, pause or resume an event trigger; what is not said stays.",
      examples: [
        "aiepctl trigger update 77aa --paused",
        "aiepctl trigger update 77aa --paused=false --condition none",
      ],
      arguments: [ID],
      options: [
        NAME,
        ...SHARED,
        { name: "paused", kind: "flag", help: "Fire no more; --paused=false: fire again." },
        { name: "if-version", kind: "value", value: "N", help: "Only when it still has this version." },
      ],
      load: async () => (await import("../../commands/trigger/change.ts")).update,
    }),
    command({
      name: "delete",
      aliases: ["rm"],
      summary: "Delete event triggers; their runs are kept.",
      examples: ["aiepctl trigger delete 77aa --yes"],
      arguments: [{ ...ID, many: true }],
      options: [YES],
      load: async () => (await import("../../commands/trigger/triggers.ts")).remove,
    }),
    command({
      name: "test",
      summary: "What an event would start, or whether a published flow could start its run. Starts nothing.",
      details:
        "Exit code 1 when a published flow could not. What the scheduler puts into parameters has a sample with --param.",
      examples: [
        'aiepctl trigger test 77aa --type task.succeeded --data \'{"name": "train"}\'',
        "aiepctl trigger test 77aa --event sample.json",
        "aiepctl trigger test --publication ab13 --run-date 20260301",
      ],
      arguments: [{ ...ID, optional: true }],
      options: [
        {
          name: "event",
          kind: "value",
          value: "FILE",
          help: "The event as JSON: type, id, source, subject, time, data; - reads stdin.",
          completes: "file",
        },
        { name: "type", kind: "value", value: "NAME", help: "Without a file: its type." },
        { name: "data", kind: "value", value: "JSON", help: "Without a file: its data." },
        {
          name: "publication",
          kind: "value",
          value: "ID",
          help: "Of an experiment that is published, or of the publication.",
        },
        { name: "scheduler", kind: "value", value: "NAME", help: "Where it is published, when to several." },
        {
          name: "run-date",
          kind: "value",
          value: "DAY",
          help: "Of the sample, as the scheduler would write it.",
        },
        { name: "param", short: "p", kind: "values", value: "K=V", help: "Of the sample." },
      ],
      load: async () => (await import("../../commands/trigger/test.ts")).test,
    }),
  ],
});
