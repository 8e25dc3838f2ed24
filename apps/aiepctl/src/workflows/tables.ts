/** Experiments, runs and nodes as rows. */
import type { ExperimentView, RunNodeView, RunView } from "@aiep/contracts";
import type { CommandContext } from "../cli/command.ts";
import { table } from "../terminal/output.ts";
import { age, formatDuration } from "../terminal/time.ts";

export function experimentTable(
  context: CommandContext,
  items: readonly ExperimentView[],
  wide: boolean,
): string {
  const now = context.shell.now();
  const header = [
    "ID",
    "NAME",
    "VERSION",
    "DRAFT",
    "NODES",
    "CHANGED",
    "BY",
    ...(wide ? ["GROUP", "FROM"] : []),
  ];
  const rows = items.map((each) => [
    each.id,
    each.name,
    each.latest_version ?? "-",
    each.draft_changed ? "changed" : "-",
    String(each.node_count),
    age(each.updated_at, now),
    each.updated_by,
    ...(wide ? [each.group_id, each.copied_from ?? "-"] : []),
  ]);
  return table(context, header, rows);
}

export function runTable(context: CommandContext, items: readonly RunView[], wide: boolean): string {
  const now = context.shell.now();
  const header = [
    "ID",
    "EXPERIMENT",
    "VERSION",
    "STATE",
    "NODES",
    "DATE",
    "AGE",
    "TOOK",
    "BY",
    ...(wide ? ["MODE", "ORIGIN", "GROUP", "MESSAGE"] : []),
  ];
  const rows = items.map((each) => [
    each.id,
    each.experiment_name,
    each.version_name,
    each.state,
    `${endedNodes(each)}/${allNodes(each)}`,
    each.run_date,
    age(each.created_at, now),
    took(each, now),
    each.created_by,
    ...(wide ? [each.mode, each.origin.kind, each.group_id, each.message ?? ""] : []),
  ]);
  return table(context, header, rows);
}

const ENDED = [
  "Succeeded",
  "Cached",
  "Skipped",
  "Failed",
  "TimedOut",
  "Cancelled",
  "UpstreamFailed",
] as const;

export function endedNodes({ nodes_by_state: counts }: Pick<RunView, "nodes_by_state">): number {
  return ENDED.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
}

/** Children of a for_each are not known before their node starts. */
export function allNodes({ node_count: declared, nodes_by_state: counts }: RunView): number {
  return Math.max(
    declared,
    Object.values(counts).reduce((sum, count) => sum + count, 0),
  );
}

function took({ started_at: from, finished_at: to }: RunView, now: Date): string {
  if (from === null) return "-";
  return formatDuration((to === null ? now.getTime() : Date.parse(to)) - Date.parse(from));
}

export function nodeTable(context: CommandContext, nodes: readonly RunNodeView[]): string {
  const header = ["NODE", "NAME", "KIND", "STATE", "TRY", "TASK", "REASON", "MESSAGE"];
  const rows = nodes.map((node) => [
    node.key,
    node.name,
    node.kind,
    node.state,
    String(node.attempt),
    node.task_id ?? node.child_run_id ?? "-",
    node.reason ?? "-",
    node.message ?? "",
  ]);
  return table(context, header, rows);
}
