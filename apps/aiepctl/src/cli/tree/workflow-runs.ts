/** `aiepctl workflow runs`: execution records. */
import { command, group, YES } from "./spec.ts";
import { COMMENT, EXIT_CODES, LIMIT, PARAM, RUN_DATE, RUN_ID, WAITING } from "./workflow-options.ts";

export const runs = group({
  name: "runs",
  aliases: ["run-records"],
  summary: "Execution records: what ran, how it went, and how to steer it.",
  commands: [
    command({
      name: "list",
      aliases: ["ls"],
      summary: "Runs of your groups, newest first.",
      examples: ["aiepctl workflow runs list --state Failed", "aiepctl workflow runs list --experiment ab13"],
      arguments: [],
      options: [
        { name: "experiment", kind: "value", value: "ID", help: "Only of this experiment." },
        { name: "version", kind: "value", value: "VERSION", help: "Only of this version." },
        { name: "state", kind: "values", value: "STATE", help: "Only in these states." },
        { name: "run-date", kind: "value", value: "DATE", help: "Only of this business date." },
        {
          name: "origin",
          kind: "values",
          value: "KIND",
          help: "Only started so.",
          choices: ["manual", "schedule", "trigger", "backfill", "sub_workflow", "rerun"],
        },
        {
          name: "source",
          kind: "value",
          value: "ID",
          help: "Only by this publication, schedule or event trigger.",
        },
        {
          name: "external-id",
          kind: "value",
          value: "TEXT",
          help: "Only for this execution of a scheduler.",
        },
        { name: "mine", kind: "flag", help: "Only those you started." },
        { name: "created-after", kind: "value", value: "TIME", help: "Only created after: 2h, or a time." },
        { name: "created-before", kind: "value", value: "TIME", help: "Only created before." },
        ...LIMIT,
      ],
      load: async () => (await import("../../commands/workflow/runs-list.ts")).list,
    }),
    command({
      name: "get",
      summary: "One run with its nodes.",
      examples: ["aiepctl workflow runs get 7d3e", "aiepctl workflow runs get 7d3e -o json"],
      arguments: [RUN_ID],
      options: [],
      load: async () => (await import("../../commands/workflow/runs-list.ts")).get,
    }),
    command({
      name: "wait",
      summary: "Follow a run to its end.",
      details: EXIT_CODES,
      examples: ["aiepctl workflow runs wait 7d3e --timeout 1h"],
      arguments: [RUN_ID],
      options: WAITING.slice(1),
      load: async () => (await import("../../commands/workflow/run.ts")).wait,
    }),
    command({
      name: "logs",
      summary: "The logs of a run's container tasks, node by node.",
      examples: ["aiepctl workflow runs logs 7d3e", "aiepctl workflow runs logs 7d3e --node train -f"],
      arguments: [RUN_ID],
      options: [
        { name: "node", kind: "values", value: "NODE", help: "Only these nodes (default: all with a task)." },
        { name: "follow", short: "f", kind: "flag", help: "Of one node: show what comes, until it ends." },
        { name: "timestamps", kind: "flag", help: "The time before every line." },
        { name: "no-system", kind: "flag", help: "Without the platform's own lines." },
      ],
      load: () => import("../../commands/workflow/runs-logs.ts"),
    }),
    command({
      name: "rerun",
      summary: "A new run of the same version: what failed, from nodes, until nodes, one node, or all.",
      details: EXIT_CODES,
      examples: [
        "aiepctl workflow runs rerun 7d3e --wait",
        "aiepctl workflow runs rerun 7d3e --from-node train",
        "aiepctl workflow runs rerun 7d3e --node evaluate",
      ],
      arguments: [RUN_ID],
      options: [
        { name: "node", kind: "value", value: "NODE", help: "This node alone, with that run's outputs." },
        { name: "from-node", kind: "values", value: "NODE", help: "These nodes and all behind them." },
        { name: "until", kind: "values", value: "NODE", help: "These nodes and all before them." },
        { name: "whole", kind: "flag", help: "Every node (default: what failed and all behind it)." },
        PARAM,
        RUN_DATE,
        ...WAITING,
      ],
      load: async () => (await import("../../commands/workflow/run.ts")).rerun,
    }),
    ...(["pause", "resume", "cancel"] as const).map((name) =>
      command({
        name,
        summary: {
          pause: "Start nothing more; running nodes go on.",
          resume: "Go on after a pause.",
          cancel: "Cancel a run. Cancelling twice, or after the end, does no harm.",
        }[name],
        examples: [`aiepctl workflow runs ${name} 7d3e`],
        arguments: [RUN_ID],
        options:
          name === "cancel"
            ? [{ name: "reason", kind: "value", value: "TEXT", help: "Shown with the run." }]
            : [],
        load: async () => (await import("../../commands/workflow/runs-steer.ts"))[name],
      }),
    ),
    command({
      name: "delete",
      aliases: ["rm"],
      summary: "Delete runs that ended, with the records of their nodes.",
      details:
        "A run that others still need is kept: the base of a rerun under way, a child of a run under way. Container tasks and child runs stay.",
      examples: ["aiepctl workflow runs delete 7d3e --yes"],
      arguments: [{ ...RUN_ID, many: true }],
      options: [YES],
      load: async () => (await import("../../commands/workflow/runs-delete.ts")).remove,
    }),
    ...(["approve", "reject"] as const).map((name) =>
      command({
        name,
        summary: { approve: "Approve what a node asks.", reject: "Reject what a node asks; it fails." }[name],
        examples: [`aiepctl workflow runs ${name} 7d3e release --comment "looks good"`],
        arguments: [RUN_ID, { name: "NODE" }],
        options: [
          COMMENT,
          ...(name === "approve" ? [{ ...PARAM, name: "value", help: "An output of the node." }] : []),
        ],
        load: async () => (await import("../../commands/workflow/runs-steer.ts"))[name],
      }),
    ),
  ],
});
