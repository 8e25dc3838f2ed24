/** How a task ended: the last block of `run` and `wait`, and the exit code. */
import type { TaskNode, TaskView } from "@aiep/contracts";
import { EXIT } from "../cli/errors.ts";
import { oneLine } from "../terminal/sanitize.ts";
import { renderTable } from "../terminal/table.ts";
import type { Style, Terminal } from "../terminal/terminal.ts";
import { formatDuration } from "../terminal/time.ts";
import { shortId } from "./task-ids.ts";

export function exitCodeOf(task: TaskView, propagate: boolean): number {
  switch (task.state) {
    case "Succeeded":
      return EXIT.ok;
    case "Stopped":
      return EXIT.taskStopped;
    case "Failed": {
      const own = culprits(task.nodes).find(
        (node) => node.exit_code !== null && node.exit_code > 0,
      )?.exit_code;
      return propagate && own !== undefined && own !== null && own <= 125 ? own : EXIT.taskFailed;
    }
    case "Initializing":
    case "Running":
      return EXIT.error;
    default: {
      const unknown: never = task.state;
      throw new TypeError(`unknown state ${String(unknown)}`);
    }
  }
}

/** Failed nodes, the one that failed first on top: the others usually only fell with it. */
export function culprits(nodes: readonly TaskNode[]): TaskNode[] {
  return nodes
    .filter((node) => node.state === "Failed")
    .sort((a, b) => (a.finished_at ?? "9999").localeCompare(b.finished_at ?? "9999"));
}

const STATE_STYLE: Readonly<Record<TaskView["state"], Style>> = {
  Initializing: "yellow",
  Running: "cyan",
  Succeeded: "green",
  Failed: "red",
  Stopped: "yellow",
};

export function summary(task: TaskView, terminal: Terminal): string {
  const failed = culprits(task.nodes);
  const nodes = [...failed, ...task.nodes.filter((node) => !failed.includes(node))];
  const id = shortId(task.id);
  const took =
    task.finished_at === null
      ? ""
      : ` after ${formatDuration(Date.parse(task.finished_at) - Date.parse(task.started_at ?? task.created_at))}`;
  const head = `${terminal.styleErr(STATE_STYLE[task.state], task.state)} (${oneLine(task.reason)})${took}: ${oneLine(task.message)}`;
  const rows = nodes.map((node) => [
    node.name,
    node.state,
    node.exit_code === null ? "-" : String(node.exit_code),
    node.reason ?? "-",
    node.message ?? "",
  ]);
  const table = renderTable(["NODE", "STATE", "EXIT", "REASON", "MESSAGE"], rows, {
    headers: true,
    columns: undefined,
  });
  const culprit = failed[0];
  const log = culprit === undefined || task.nodes.length === 1 ? "" : ` --node ${culprit.name}`;
  return [
    "",
    `Task ${task.id} ${oneLine(task.name)}`,
    head,
    table.trimEnd(),
    `Log:   aiepctl mltask logs ${id}${log}`,
    `Again: aiepctl mltask copy ${id} --run`,
  ].join("\n");
}
