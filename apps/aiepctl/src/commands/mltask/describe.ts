import { historyEntry, page, ROUTES, type TaskNode, taskFile, taskView } from "@aiep/contracts";
import * as z from "zod";
import type { CommandContext } from "../../cli/command.ts";
import { EXIT } from "../../cli/errors.ts";
import { withSession } from "../../cli/session.ts";
import { oneTaskId, shortId } from "../../tasks/task-ids.ts";
import { fields, show, table } from "../../terminal/output.ts";
import { age, formatDuration } from "../../terminal/time.ts";
import { historyRows } from "./events.ts";

const detail = z.object({
  ...taskView.shape,
  task_config: taskFile,
  set_envs: z.record(z.string(), z.string()),
});
const LAST_EVENTS = 20;

export async function run(context: CommandContext): Promise<number> {
  const id = oneTaskId(context);
  return withSession(context, async (session) => {
    const call = { params: { task_id: id }, signal: session.signal };
    const { raw, data: task } = await session.api.call(ROUTES.getTask, detail, call);
    const { data: history } = await session.api.call(ROUTES.getTaskHistory, page(historyEntry), call);
    const now = context.shell.now();
    const { compute_resource_info: compute, code_info: code } = task.task_config;
    const size = ({ cpu_num, memory, gpu_num }: (typeof compute.node_info)["worker"]) =>
      `${cpu_num} CPU, ${memory} GB${gpu_num === undefined || gpu_num === 0 ? "" : `, ${gpu_num} GPU`}`;
    const about = fields([
      ["Task", task.id],
      ["Name", task.name],
      ["Description", task.description],
      ["State", `${task.state} (${task.reason})`],
      ["Message", task.message],
      ["Group", task.group_id],
      ["Namespace", task.namespace],
      ["Mode", task.mode],
      ["Image", task.image],
      ["Worker", `${compute.node_info.worker.nums} × ${size(compute.node_info.worker)}`],
      [
        "Parameter server",
        compute.node_info.ps === undefined
          ? null
          : `${compute.node_info.ps.nums} × ${size(compute.node_info.ps)}`,
      ],
      ["Created", `${task.created_at} (${age(task.created_at, now)} ago) by ${task.created_by}`],
      ["Runs as", task.proxy_user],
      ["Started", task.started_at],
      ["Finished", task.finished_at],
      ["Run limit", formatDuration(task.run_limit_seconds * 1_000)],
      [
        "Stop asked",
        task.stop_requested_at === null
          ? null
          : `${task.stop_requested_at} by ${task.stop_requested_by ?? "?"}`,
      ],
      ["Copied from", task.copied_from],
      ["Run of", task.experiment_run_id],
      [
        "Labels",
        Object.entries(task.labels)
          .map(([key, value]) => `${key}=${value}`)
          .join(", "),
      ],
      ["Environment", Object.keys(task.set_envs).join(", ")],
      ["Code package", task.code_package_id],
      ["Command", code.command.trim().split("\n").join(" ⏎ ")],
    ]);
    const nodes = table(
      context,
      ["NODE", "STATE", "EXIT", "REASON", "STARTED", "TOOK", "MESSAGE"],
      task.nodes.map((node) => nodeRow(node, now)),
    );
    const events = table(
      context,
      ["VERSION", "TIME", "EVENT", "STATE", "REASON", "BY", "MESSAGE"],
      historyRows(history.items.slice(-LAST_EVENTS)),
    );
    await show(context, {
      raw,
      names: [task.id],
      human: () =>
        `${about}\nNodes:\n${nodes}\nEvents:\n${events}\nLog: aiepctl mltask logs ${shortId(task.id)}\n`,
    });
    return EXIT.ok;
  });
}

function nodeRow(node: TaskNode, now: Date): string[] {
  const took =
    node.started_at === null
      ? "-"
      : formatDuration(Date.parse(node.finished_at ?? now.toISOString()) - Date.parse(node.started_at));
  return [
    node.name,
    node.state,
    node.exit_code === null ? "-" : String(node.exit_code),
    node.reason ?? "-",
    node.started_at ?? "-",
    took,
    node.message ?? "",
  ];
}
