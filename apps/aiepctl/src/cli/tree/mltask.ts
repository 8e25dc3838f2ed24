/** `aiepctl mltask`: container tasks. */
import type { ArgumentSpec, OptionSpec } from "../command.ts";
import { command, group, YES } from "./spec.ts";

const TASK_ID: ArgumentSpec = { name: "TASK_ID", optional: true, completes: "task" };
export const TASK_IDS: ArgumentSpec = { ...TASK_ID, many: true };
export const TASK_ID_OPTION: OptionSpec = {
  name: "task-id",
  kind: "values",
  value: "ID",
  help: "The task, as the documents write it.",
  completes: "task",
};
const WATCH: OptionSpec = {
  name: "watch",
  short: "w",
  kind: "flag",
  help: "Show every change until the end.",
};
const NAME: OptionSpec = { name: "name", kind: "value", value: "NAME", help: "Another name for the task." };
const PROPAGATE: OptionSpec = {
  name: "propagate-exit-code",
  kind: "flag",
  help: "Exit with the failed command's own code (1–125) instead of 10.",
};
const TIMEOUT: OptionSpec = {
  name: "timeout",
  kind: "value",
  value: "TIME",
  help: "Stop waiting after this time, with exit code 7; the task goes on.",
};

const ENVIRONMENT: readonly OptionSpec[] = [
  {
    name: "set-envs",
    kind: "values",
    value: "K=V",
    help: "Environment of every node; repeat, or K=V,K2=V2.",
  },
  {
    name: "env",
    short: "e",
    kind: "values",
    value: "K=V",
    help: "One variable; the value is taken as it is, commas too.",
  },
];
const FILE: OptionSpec = {
  name: "task-config",
  short: "f",
  kind: "value",
  value: "FILE",
  help: "Task file, YAML or JSON; - reads stdin.",
  completes: "file",
};
const SET: OptionSpec = {
  name: "set",
  kind: "values",
  value: "PATH=VALUE",
  help: "Change one field of the task file.",
};

const SUBMIT: readonly OptionSpec[] = [
  FILE,
  ...ENVIRONMENT,
  {
    name: "upload-code",
    kind: "value",
    value: "ZIP",
    help: "Zip, or folder, unpacked into ${UPLOAD_CODE_DIR} on every node.",
    completes: "file",
  },
  SET,
  NAME,
  { name: "dry-run", kind: "flag", help: "The server checks everything and creates nothing." },
  {
    name: "idempotency-key",
    kind: "value",
    value: "KEY",
    help: "Submitting twice with one key gives one task.",
  },
];

const FOLLOWING: readonly OptionSpec[] = [
  { name: "no-logs", kind: "flag", help: "Only state changes." },
  { name: "timestamps", kind: "flag", help: "The time before every log line." },
  TIMEOUT,
  PROPAGATE,
];

const EXIT_CODES =
  "Exit codes: 0 succeeded, 10 failed, 11 stopped, 7 --timeout, 130 Ctrl-C; 2 usage, 3 not found, 4 not allowed, 5 conflict, 6 unreachable, 1 other.";

export const mltask = group({
  name: "mltask",
  aliases: ["task", "mlt"],
  summary: "Container tasks: submit, watch, read logs, stop.",
  commands: [
    command({
      name: "run",
      summary: "Submit a task and follow it to its end.",
      details: `Prints state changes with their reasons (stderr) and log lines (stdout). Ctrl-C only stops following: the task goes on.\n${EXIT_CODES}`,
      examples: [
        "aiepctl mltask run -f task.yaml",
        "aiepctl mltask run --task_config task.yaml --set_envs EPOCHS=3 --upload_code code.zip",
        "aiepctl mltask run -f task.yaml --set compute_resource_info.node_info.worker.nums=4 --propagate-exit-code",
      ],
      arguments: [],
      options: [
        ...SUBMIT,
        ...FOLLOWING,
        { name: "detach", short: "d", kind: "flag", help: "Do not follow; print the id." },
      ],
      load: () => import("../../commands/mltask/run.ts"),
    }),
    command({
      name: "create",
      summary: "Submit a task and return at once.",
      details: "Prints the task with its id. With -q the id alone.",
      examples: ["aiepctl mltask create -f task.yaml", "id=$(aiepctl mltask create -q -f task.yaml)"],
      arguments: [],
      options: SUBMIT,
      load: () => import("../../commands/mltask/create.ts"),
    }),
    command({
      name: "stop",
      summary: "Stop tasks. Stopping twice, or after the end, does no harm.",
      examples: ["aiepctl mltask stop 3f2a", "aiepctl mltask stop --task_id 3f2a9c… --wait"],
      arguments: [TASK_IDS],
      options: [
        TASK_ID_OPTION,
        {
          name: "grace",
          kind: "value",
          value: "TIME",
          help: "Time between the polite and the forced end (default 30s).",
        },
        { name: "wait", kind: "flag", help: "Wait until they have ended." },
        TIMEOUT,
      ],
      load: () => import("../../commands/mltask/stop.ts"),
    }),
    command({
      name: "status",
      summary: "State of tasks: Initializing, Running, Succeeded, Failed or Stopped, and why.",
      examples: ["aiepctl mltask status 3f2a", "aiepctl mltask status --task_id 3f2a -o jsonpath={.state}"],
      arguments: [TASK_IDS],
      options: [TASK_ID_OPTION, WATCH],
      load: () => import("../../commands/mltask/status.ts"),
    }),
    command({
      name: "logs",
      summary: "The log of a task: the platform's lines, then the command's.",
      examples: [
        "aiepctl mltask logs 3f2a",
        "aiepctl mltask logs 3f2a -f --node worker-1 --tail 100",
        "aiepctl mltask logs 3f2a --since 10m --grep 'loss=' --timestamps",
        "aiepctl mltask logs 3f2a --download logs/",
      ],
      arguments: [TASK_ID],
      options: [
        TASK_ID_OPTION,
        { name: "follow", short: "f", kind: "flag", help: "Show what comes, until the task ends." },
        { name: "tail", short: "n", kind: "value", value: "N", help: "Only the last N lines." },
        { name: "since", kind: "value", value: "TIME", help: "Only lines after this: 10m, or a time." },
        { name: "until", kind: "value", value: "TIME", help: "Only lines before this." },
        {
          name: "node",
          kind: "values",
          value: "NODE",
          help: "Only these nodes, e.g. worker-0 (default: all).",
          completes: "node",
        },
        { name: "grep", kind: "value", value: "RE", help: "Only lines that match." },
        { name: "timestamps", kind: "flag", help: "The time before every line." },
        { name: "no-prefix", kind: "flag", help: "Without the node's name before every line." },
        { name: "no-system", kind: "flag", help: "Without the platform's own lines." },
        {
          name: "download",
          kind: "value",
          value: "DIR",
          help: "Write one file a node into a folder.",
          completes: "file",
        },
        {
          name: "exit-status",
          kind: "flag",
          help: "With -f: exit with 10 or 11 when the task failed or was stopped.",
        },
      ],
      load: () => import("../../commands/mltask/logs.ts"),
    }),
    command({
      name: "list",
      aliases: ["ls"],
      summary: "Tasks of your groups, newest first.",
      examples: ["aiepctl mltask list --mine --state Running", "aiepctl mltask list --all -o json"],
      arguments: [],
      options: [
        {
          name: "state",
          kind: "values",
          value: "STATE",
          help: "Only in these states.",
          choices: ["Initializing", "Running", "Succeeded", "Failed", "Stopped"],
        },
        { name: "mine", kind: "flag", help: "Only those you created." },
        { name: "name-prefix", kind: "value", value: "TEXT", help: "Only names that begin so." },
        { name: "namespace", kind: "value", value: "NAME", help: "Only in this namespace." },
        {
          name: "mode",
          kind: "values",
          value: "MODE",
          help: "Only of this mode.",
          choices: ["Standalone", "DDP", "PS-Worker"],
        },
        { name: "label", short: "l", kind: "values", value: "K=V", help: "Only with this label." },
        { name: "created-after", kind: "value", value: "TIME", help: "Only created after: 2h, or a time." },
        { name: "created-before", kind: "value", value: "TIME", help: "Only created before." },
        { name: "limit", kind: "value", value: "N", help: "Tasks a page (default 50, at most 500)." },
        { name: "cursor", kind: "value", value: "CURSOR", help: "The page after this one." },
        { name: "all", kind: "flag", help: "All pages." },
      ],
      load: () => import("../../commands/mltask/list.ts"),
    }),
    command({
      name: "get",
      summary: "One task whole.",
      examples: ["aiepctl mltask get 3f2a -o yaml", "aiepctl mltask get 3f2a --export > task.yaml"],
      arguments: [TASK_ID],
      options: [
        TASK_ID_OPTION,
        { name: "export", kind: "flag", help: "Its task file, to be submitted again." },
      ],
      load: () => import("../../commands/mltask/get.ts"),
    }),
    command({
      name: "describe",
      summary: "Everything about a task: what it is, its nodes, what happened.",
      examples: ["aiepctl mltask describe 3f2a"],
      arguments: [TASK_ID],
      options: [TASK_ID_OPTION],
      load: () => import("../../commands/mltask/describe.ts"),
    }),
    command({
      name: "copy",
      summary: "Submit a task again, with changes if given.",
      examples: [
        "aiepctl mltask copy 3f2a --run",
        "aiepctl mltask copy 3f2a --set_envs EPOCHS=10 --name longer",
      ],
      arguments: [TASK_ID],
      options: [
        TASK_ID_OPTION,
        NAME,
        SET,
        ...ENVIRONMENT,
        { name: "run", kind: "flag", help: "Follow the new task to its end." },
        ...FOLLOWING,
      ],
      load: () => import("../../commands/mltask/copy.ts"),
    }),
    command({
      name: "delete",
      aliases: ["rm"],
      summary: "Delete tasks that have ended, with their logs.",
      examples: ["aiepctl mltask delete 3f2a --yes"],
      arguments: [TASK_IDS],
      options: [TASK_ID_OPTION, YES],
      load: async () => (await import("../../commands/mltask/delete.ts")).remove,
    }),
    command({
      name: "wait",
      summary: "Wait until tasks have ended, or are running.",
      details: EXIT_CODES,
      examples: [
        "aiepctl mltask wait 3f2a",
        "aiepctl mltask wait 3f2a 77b0 --any --timeout 1h",
        "aiepctl mltask wait 3f2a --for running",
      ],
      arguments: [TASK_IDS],
      options: [
        TASK_ID_OPTION,
        { name: "for", kind: "value", value: "WHAT", help: "terminal (default), running, or state=STATE." },
        { name: "any", kind: "flag", help: "The first one is enough." },
        TIMEOUT,
        PROPAGATE,
      ],
      load: () => import("../../commands/mltask/wait.ts"),
    }),
    command({
      name: "events",
      summary: "The history of a task.",
      examples: ["aiepctl mltask events 3f2a", "aiepctl mltask events 3f2a -f -o json"],
      arguments: [TASK_ID],
      options: [
        TASK_ID_OPTION,
        { name: "follow", short: "f", kind: "flag", help: "Show what comes, until the task ends." },
      ],
      load: () => import("../../commands/mltask/events.ts"),
    }),
    command({
      name: "init",
      summary: "Write a commented task file.",
      examples: ["aiepctl mltask init > task.yaml", "aiepctl mltask init --mode ddp --file task.yaml"],
      arguments: [],
      options: [
        {
          name: "mode",
          kind: "value",
          value: "MODE",
          help: "standalone (default), ddp or ps-worker.",
          choices: ["standalone", "ddp", "ps-worker"],
        },
        {
          name: "file",
          kind: "value",
          value: "FILE",
          help: "Write here instead of stdout.",
          completes: "file",
        },
        { name: "offline", kind: "flag", help: "Do not ask the server for your group, namespace and image." },
      ],
      load: () => import("../../commands/mltask/init.ts"),
    }),
    command({
      name: "validate",
      summary: "Check a task file, without or with the server's rules.",
      examples: ["aiepctl mltask validate -f task.yaml", "aiepctl mltask validate -f task.yaml --remote"],
      arguments: [{ name: "FILE", optional: true, completes: "none" }],
      options: [
        FILE,
        SET,
        ...ENVIRONMENT,
        { name: "remote", kind: "flag", help: "Also ask the server: group, quota, storage, image." },
      ],
      load: () => import("../../commands/mltask/validate.ts"),
    }),
    command({
      name: "explain",
      summary: "What a field of the task file means and takes.",
      examples: [
        "aiepctl mltask explain",
        "aiepctl mltask explain compute_resource_info.node_info.worker",
        "aiepctl mltask explain mapping_path",
      ],
      arguments: [{ name: "FIELD", optional: true, completes: "field" }],
      options: [],
      load: () => import("../../commands/mltask/explain.ts"),
    }),
  ],
});
