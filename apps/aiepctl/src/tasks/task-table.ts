/** Tasks as rows. */
import type { TaskView } from "@aiep/contracts";
import type { CommandContext } from "../cli/command.ts";
import { table } from "../terminal/output.ts";
import { age } from "../terminal/time.ts";

export function taskTable(context: CommandContext, tasks: readonly TaskView[], wide: boolean): string {
  const now = context.shell.now();
  const header = [
    "ID",
    "NAME",
    "STATE",
    "REASON",
    "MODE",
    "NODES",
    "AGE",
    "BY",
    ...(wide ? ["GROUP", "NAMESPACE", "IMAGE", "MESSAGE"] : []),
  ];
  const rows = tasks.map((task) => [
    task.id,
    task.name,
    task.state,
    task.reason,
    task.mode,
    nodeCount(task),
    age(task.created_at, now),
    task.created_by,
    ...(wide ? [task.group_id, task.namespace, task.image, task.message] : []),
  ]);
  return table(context, header, rows);
}

export function statusTable(context: CommandContext, tasks: readonly TaskView[], wide: boolean): string {
  const header = [
    "ID",
    "NAME",
    "STATE",
    "REASON",
    "NODES",
    "AGE",
    ...(wide ? ["ATTEMPT", "VERSION"] : []),
    "MESSAGE",
  ];
  const rows = tasks.map((task) => [
    task.id,
    task.name,
    task.state,
    task.reason,
    nodeCount(task),
    age(task.created_at, context.shell.now()),
    ...(wide ? [String(task.attempt), String(task.version)] : []),
    task.message,
  ]);
  return table(context, header, rows);
}

/** `1/2`: nodes that run or have run to their end, of all. */
function nodeCount({ nodes }: TaskView): string {
  return `${nodes.filter((node) => node.state !== "Pending").length}/${nodes.length}`;
}
