/** Arguments and options that several workflow commands take. */
import type { ArgumentSpec, OptionSpec } from "../command.ts";

export const ID: ArgumentSpec = { name: "EXPERIMENT_ID" };
export const RUN_ID: ArgumentSpec = { name: "RUN_ID" };
export const FILE: ArgumentSpec = { name: "FILE", completes: "none" };
export const VERSION: OptionSpec = {
  name: "version",
  kind: "value",
  value: "VERSION",
  help: "A frozen version such as v3; default the draft.",
};
export const NAME: OptionSpec = {
  name: "name",
  kind: "value",
  value: "NAME",
  help: "Name of the experiment.",
};
export const LIMIT: readonly OptionSpec[] = [
  { name: "limit", kind: "value", value: "N", help: "Entries a page (default 50, at most 500)." },
  { name: "cursor", kind: "value", value: "CURSOR", help: "The page after this one." },
  { name: "all", kind: "flag", help: "All pages." },
];
export const PARAM: OptionSpec = {
  name: "param",
  short: "p",
  kind: "values",
  value: "K=V",
  help: "Parameter of the run; numbers, true, false, lists and mappings are written as JSON.",
};
export const RUN_DATE: OptionSpec = {
  name: "run-date",
  kind: "value",
  value: "DATE",
  help: "Business date, 20260131 or 2026-01-31; default yesterday in the workflow's time zone.",
};
export const TIME_ZONE: OptionSpec = {
  name: "time-zone",
  kind: "value",
  value: "ZONE",
  help: "In which the cron is meant, such as Asia/Shanghai; default the platform's.",
};
export const WAITING: readonly OptionSpec[] = [
  { name: "wait", kind: "flag", help: "Follow the run to its end; Ctrl-C leaves it alone." },
  {
    name: "timeout",
    kind: "value",
    value: "TIME",
    help: "With --wait: stop waiting after this time, with exit code 7; the run goes on.",
  },
];
export const COMMENT: OptionSpec = { name: "comment", kind: "value", value: "TEXT", help: "Why." };

export const EXIT_CODES =
  "Exit codes with --wait: 0 succeeded, 10 failed or timed out, 11 cancelled, 7 --timeout, 130 Ctrl-C.";
