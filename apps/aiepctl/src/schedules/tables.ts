/** Publications, schedules, fires, back-fills and event triggers as rows and fields. */
import type {
  BackfillView,
  EventTriggerView,
  FireView,
  PublicationDetail,
  PublicationStepView,
  PublicationView,
  ScheduleDetail,
  ScheduleView,
} from "@aiep/contracts";
import type { CommandContext } from "../cli/command.ts";
import { fields, table } from "../terminal/output.ts";
import { age } from "../terminal/time.ts";
import { localTime } from "./local-time.ts";

export function publicationTable(
  context: CommandContext,
  items: readonly PublicationView[],
  wide: boolean,
): string {
  const now = context.shell.now();
  const header = [
    "ID",
    "EXPERIMENT",
    "SCHEDULER",
    "STATE",
    "VERSION",
    "CRON",
    "NEXT",
    "AGE",
    "OWNER",
    ...(wide ? ["GROUP", "PROJECT", "URL", "MESSAGE"] : []),
  ];
  const rows = items.map((each) => [
    each.id,
    each.experiment_name,
    each.scheduler,
    each.state,
    each.live_version_name ?? "-",
    each.cron ?? "-",
    each.next_fire_at ?? "-",
    age(each.updated_at, now),
    each.owner,
    ...(wide ? [each.group_id, each.project ?? "-", each.url ?? "-", each.message ?? ""] : []),
  ]);
  return table(context, header, rows);
}

/** The address last: it is what people copy. */
export function publicationFields(each: PublicationDetail): string {
  const live = each.live_version_name;
  return fields([
    ["Publication", each.id],
    ["Experiment", `${each.experiment_name} (${each.experiment_id})`],
    ["Scheduler", each.scheduler],
    ["State", each.message === null ? each.state : `${each.state}: ${each.message}`],
    [
      "Version",
      live === each.version_name || live === null
        ? each.version_name
        : `${each.version_name}; ${live} stands there`,
    ],
    ["Cron", each.cron === null ? "none: started by hand there" : `${each.cron} (${each.time_zone})`],
    [
      "Parameters",
      Object.entries(each.parameters)
        .map(([name, value]) => `${name}=${value}`)
        .join(", "),
    ],
    ["Next fire", each.next_fire_at],
    ["Owner", each.owner],
    ["Project", each.project],
    ["URL", each.url],
  ]);
}

export function stepTable(context: CommandContext, steps: readonly PublicationStepView[]): string {
  const rows = steps.map((step) => [
    step.purpose,
    step.name,
    step.state,
    String(step.attempts),
    step.finished_at ?? "-",
    step.message ?? "",
  ]);
  return table(context, ["FOR", "STEP", "STATE", "TRY", "FINISHED", "MESSAGE"], rows);
}

export function scheduleTable(
  context: CommandContext,
  items: readonly ScheduleView[],
  wide: boolean,
): string {
  const header = [
    "ID",
    "NAME",
    "CRON",
    "ZONE",
    "VERSION",
    "NEXT",
    "PAUSED",
    "OWNER",
    ...(wide ? ["EXPERIMENT", "GROUP", "MISFIRE", "OVERLAP", "PUBLICATION"] : []),
  ];
  const rows = items.map((each) => [
    each.id,
    each.name,
    each.cron,
    each.time_zone,
    each.version_name ?? "newest",
    each.next_fire_at ?? "-",
    each.paused ? "paused" : "-",
    each.owner,
    ...(wide
      ? [each.experiment_name, each.group_id, each.misfire, each.overlap, each.publication_id ?? "-"]
      : []),
  ]);
  return table(context, header, rows);
}

export function scheduleFields(each: ScheduleDetail): string {
  return fields([
    ["Schedule", each.id],
    ["Name", each.name],
    ["Experiment", `${each.experiment_name} (${each.experiment_id})`],
    ["Version", each.version_name ?? "newest"],
    ["Cron", `${each.cron} (${each.time_zone})`],
    ["State", each.paused ? "paused" : each.next_fire_at === null ? "over" : "fires"],
    ["Misfire", each.misfire === "catch_up" ? `catch_up, at most ${each.max_catch_up}` : each.misfire],
    ["Overlap", each.overlap === "queue" ? `queue, at most ${each.max_queued}` : each.overlap],
    ["Starts", each.starts_at],
    ["Ends", each.ends_at],
    ["Parameters", Object.keys(each.parameters).length === 0 ? "" : JSON.stringify(each.parameters)],
    ["Publication", each.publication_id],
    ["Owner", each.owner],
    ["Next", each.next_fires.map((at) => localTime(at, each.time_zone)).join(", ")],
  ]);
}

export function fireTable(context: CommandContext, items: readonly FireView[], wide: boolean): string {
  const now = context.shell.now();
  const header = [
    "ID",
    "KIND",
    "FOR",
    "STATE",
    "DATE",
    "RUN",
    "AGE",
    "WHY",
    ...(wide ? ["SOURCE", "VERSION", "BY", "GROUP"] : []),
  ];
  const rows = items.map((each) => [
    each.id,
    each.kind,
    each.external_id,
    each.state,
    each.run_date ?? "-",
    each.run_id ?? "-",
    age(each.created_at, now),
    each.message ?? "",
    ...(wide ? [each.source_id, each.version_name ?? "newest", each.requested_by, each.group_id] : []),
  ]);
  return table(context, header, rows);
}

export function backfillTable(context: CommandContext, items: readonly BackfillView[]): string {
  const now = context.shell.now();
  const header = ["ID", "FROM", "TO", "STATE", "STARTED", "SUCCEEDED", "FAILED", "AGE", "BY", "MESSAGE"];
  const rows = items.map((each) => [
    each.id,
    each.from,
    each.to,
    each.state,
    `${each.started}/${each.total}`,
    String(each.succeeded),
    String(each.failed),
    age(each.created_at, now),
    each.created_by,
    each.message ?? "",
  ]);
  return table(context, header, rows);
}

export function triggerTable(
  context: CommandContext,
  items: readonly EventTriggerView[],
  wide: boolean,
): string {
  const header = [
    "ID",
    "NAME",
    "EVENT",
    "EXPERIMENT",
    "VERSION",
    "PAUSED",
    "OWNER",
    "PROBLEM",
    ...(wide ? ["GROUP", "CONDITION"] : []),
  ];
  const rows = items.map((each) => [
    each.id,
    each.name,
    each.event,
    each.experiment_name,
    each.version_name ?? "newest",
    each.paused ? "paused" : "-",
    each.owner,
    each.problem ?? "-",
    ...(wide ? [each.group_id, each.condition ?? "-"] : []),
  ]);
  return table(context, header, rows);
}

export function triggerFields(each: EventTriggerView): string {
  return fields([
    ["Trigger", each.id],
    ["Name", each.name],
    ["Event", each.event],
    ["Condition", each.condition],
    ["Experiment", `${each.experiment_name} (${each.experiment_id})`],
    ["Version", each.version_name ?? "newest"],
    ...Object.entries(each.parameters).map(([name, value]): [string, string] => [
      "Parameter",
      `${name} = ${value}`,
    ]),
    ["Run date", each.run_date],
    ["At most", `${each.max_per_hour} an hour`],
    ["State", each.paused ? "paused" : "fires"],
    ["Problem", each.problem],
    ["Owner", each.owner],
  ]);
}
