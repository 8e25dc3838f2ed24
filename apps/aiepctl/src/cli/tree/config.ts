/** `aiepctl config`: contexts. */
import { command, group } from "./spec.ts";

export const config = group({
  name: "config",
  summary: "Contexts: which server, who, and where tokens come from.",
  commands: [
    command({
      name: "view",
      summary: "The configuration in use.",
      examples: ["aiepctl config view"],
      arguments: [],
      options: [],
      load: async () => (await import("../../commands/config.ts")).view,
    }),
    command({
      name: "get-contexts",
      summary: "All contexts.",
      examples: ["aiepctl config get-contexts"],
      arguments: [],
      options: [],
      load: async () => (await import("../../commands/config.ts")).getContexts,
    }),
    command({
      name: "current-context",
      summary: "The context in use.",
      examples: ["aiepctl config current-context"],
      arguments: [],
      options: [],
      load: async () => (await import("../../commands/config.ts")).currentContext,
    }),
    command({
      name: "use-context",
      summary: "Make another context the current one.",
      examples: ["aiepctl config use-context uat"],
      arguments: [{ name: "NAME", completes: "context" }],
      options: [],
      load: async () => (await import("../../commands/config.ts")).useContext,
    }),
    command({
      name: "set",
      summary: "Set a key of a context; an empty value removes it.",
      examples: [
        "aiepctl config set group_id 61b1033b",
        "aiepctl config set server https://aiep.example.com --context uat",
      ],
      arguments: [
        { name: "KEY", completes: "none" },
        { name: "VALUE", completes: "none" },
      ],
      options: [],
      load: async () => (await import("../../commands/config.ts")).set,
    }),
    command({
      name: "init",
      summary: "Write a configuration file.",
      examples: [
        "aiepctl config init --server https://aiep.example.com --token-file ~/.aiep-token",
        "aiepctl config init --server https://uat --context uat",
      ],
      arguments: [],
      options: [
        {
          name: "key-file",
          kind: "value",
          value: "FILE",
          help: "ES256 private key that signs tokens for --user.",
          completes: "file",
        },
        { name: "token-command", kind: "value", value: "COMMAND", help: "Command that prints a token." },
      ],
      load: async () => (await import("../../commands/config.ts")).init,
    }),
  ],
});
