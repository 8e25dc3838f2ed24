/** Every command, its options and examples; one file a group in `tree/`. Nothing here loads a command's code. */
import type { CommandGroup } from "./command.ts";
import { config } from "./tree/config.ts";
import { mltask, TASK_ID_OPTION, TASK_IDS } from "./tree/mltask.ts";
import { schedule } from "./tree/schedule.ts";
import { command, group } from "./tree/spec.ts";
import { trigger } from "./tree/trigger.ts";
import { workflow } from "./tree/workflow.ts";

export { GLOBAL_OPTIONS } from "./tree/globals.ts";

export const ROOT: CommandGroup = group({
  name: "aiepctl",
  summary: "The command line of the AI engineering platform.",
  commands: [
    mltask,
    workflow,
    schedule,
    trigger,
    group({
      name: "events",
      summary: "What happens on the platform.",
      commands: [
        command({
          name: "tail",
          summary: "Events of your groups' tasks as they happen.",
          examples: [
            "aiepctl events tail",
            "aiepctl events tail --type failed -o jsonl",
            "aiepctl events tail --task-id 3f2a",
          ],
          arguments: [TASK_IDS],
          options: [
            TASK_ID_OPTION,
            {
              name: "type",
              kind: "values",
              value: "NAME",
              help: "Only these: created, updated, running, succeeded, failed, stopped, …",
            },
          ],
          load: () => import("../commands/events-tail.ts"),
        }),
      ],
    }),
    config,
    command({
      name: "doctor",
      summary: "Check configuration, server, clock, token and groups, with a fix for what is wrong.",
      examples: ["aiepctl doctor"],
      arguments: [],
      options: [],
      load: () => import("../commands/doctor.ts"),
    }),
    command({
      name: "completion",
      summary: "Completion for a shell.",
      details:
        "bash:  source <(aiepctl completion bash)\nzsh:   source <(aiepctl completion zsh)\nfish:  aiepctl completion fish | source",
      examples: ["aiepctl completion bash >> ~/.bashrc"],
      arguments: [{ name: "SHELL", choices: ["bash", "zsh", "fish"] }],
      options: [],
      load: () => import("../commands/completion.ts"),
    }),
    command({
      name: "version",
      summary: "Version, git commit and API of this program, and the server's.",
      examples: ["aiepctl version", "aiepctl version --client -o json"],
      arguments: [],
      options: [{ name: "client", kind: "flag", help: "Do not ask the server." }],
      load: () => import("../commands/version.ts"),
    }),
    command({
      name: "__complete",
      summary: "Candidates for a half-typed command line.",
      examples: [],
      arguments: [],
      options: [],
      hidden: true,
      raw: true,
      load: () => import("../commands/complete.ts"),
    }),
  ],
});
