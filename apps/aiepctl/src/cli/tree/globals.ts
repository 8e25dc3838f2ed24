/** Options that every command takes. */
import type { OptionSpec } from "../command.ts";

export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  { name: "aiepctl-config", kind: "value", value: "FILE", help: "Configuration file.", completes: "file" },
  {
    name: "context",
    kind: "value",
    value: "NAME",
    help: "Context of the configuration.",
    completes: "context",
  },
  { name: "server", kind: "value", value: "URL", help: "Address of the platform." },
  { name: "user", kind: "value", value: "NAME", help: "User of a context that signs its own tokens." },
  { name: "group", kind: "value", value: "ID", help: "Group, where the task file names none." },
  { name: "token-file", kind: "value", value: "FILE", help: "File with a token.", completes: "file" },
  {
    name: "ca-file",
    kind: "value",
    value: "FILE",
    help: "Certificate of the authority to trust.",
    completes: "file",
  },
  { name: "insecure-skip-tls-verify", kind: "flag", help: "Do not check certificates. Dangerous." },
  {
    name: "retry-for",
    kind: "value",
    value: "TIME",
    help: "How long a lost server is looked for (default 10m when following, else 15s).",
  },
  {
    name: "output",
    short: "o",
    kind: "value",
    value: "FORMAT",
    help: "table, wide, json, jsonl, yaml, name or jsonpath=PATH.",
    choices: ["table", "wide", "json", "jsonl", "yaml", "name", "jsonpath="],
  },
  { name: "no-headers", kind: "flag", help: "Tables without their first line." },
  {
    name: "color",
    kind: "value",
    value: "WHEN",
    help: "auto, always or never.",
    choices: ["auto", "always", "never"],
  },
  { name: "quiet", short: "q", kind: "flag", help: "Only ids." },
  {
    name: "verbose",
    short: "v",
    kind: "flag",
    help: "Show requests; -vv with headers. Tokens are never shown.",
  },
];
