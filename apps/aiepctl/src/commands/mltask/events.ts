import { type HistoryEntry, historyEntry, page, ROUTES } from "@aiep/contracts";
import type { CommandContext } from "../../cli/command.ts";
import { EXIT } from "../../cli/errors.ts";
import { withSession } from "../../cli/session.ts";
import { follow } from "../../http/follow.ts";
import { statusData } from "../../tasks/follow-task.ts";
import { oneTaskId } from "../../tasks/task-ids.ts";
import { formatOf, show, table } from "../../terminal/output.ts";
import { oneLine } from "../../terminal/sanitize.ts";

export async function run(context: CommandContext): Promise<number> {
  const id = oneTaskId(context);
  const { terminal } = context;
  return withSession(context, async (session) => {
    const params = { task_id: id };
    if (!context.options.flag("follow")) {
      const { raw, data } = await session.api.call(ROUTES.getTaskHistory, page(historyEntry), {
        params,
        signal: session.signal,
      });
      await show(context, {
        raw,
        names: data.items.map((entry) => entry.type),
        human: () =>
          table(
            context,
            ["VERSION", "TIME", "EVENT", "STATE", "REASON", "BY", "MESSAGE"],
            historyRows(data.items),
          ),
      });
      return EXIT.ok;
    }
    const json = formatOf(context).kind !== "table" && formatOf(context).kind !== "wide";
    for await (const { event, data } of follow(session.api, ROUTES.streamTask, {
      params,
      signal: session.signal,
      onRetry: session.onRetry,
    })) {
      if (event !== "status") continue;
      if (json) terminal.out(`${data}\n`);
      else
        terminal.out(
          `${historyRows([historyEntry.parse(JSON.parse(data))])[0]
            ?.filter((cell) => cell !== "-" && cell !== "")
            .map(oneLine)
            .join("  ")}\n`,
        );
    }
    return EXIT.ok;
  });
}

export function historyRows(entries: readonly HistoryEntry[]): string[][] {
  return entries.map((entry) => {
    const status = statusData.safeParse(entry.data);
    const [state, reason, message] = status.success
      ? [status.data.state, status.data.reason, status.data.message]
      : ["-", "-", ""];
    return [
      String(entry.version),
      entry.time,
      eventName(entry.type),
      state,
      reason,
      entry.by ?? "-",
      message,
    ];
  });
}

/** `aiep.task.stop_requested.v1` → `stop_requested`. */
export function eventName(type: string): string {
  return /^aiep\.\w+\.(\w+)\.v\d+$/.exec(type)?.[1] ?? type;
}
