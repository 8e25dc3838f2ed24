import { isTerminal, ROUTES, type TaskView, taskView } from "@aiep/contracts";
import type { CommandContext } from "../../cli/command.ts";
import { EXIT } from "../../cli/errors.ts";
import { withSession } from "../../cli/session.ts";
import { taskIds } from "../../tasks/task-ids.ts";
import { statusTable } from "../../tasks/task-table.ts";
import { waitFor } from "../../tasks/wait-for.ts";
import { show } from "../../terminal/output.ts";
import { durationOption } from "../../terminal/time.ts";

export async function run(context: CommandContext): Promise<number> {
  const { options, terminal } = context;
  const ids = taskIds(context);
  const graceMs = durationOption("grace", options.text("grace"));
  const timeoutMs = durationOption("timeout", options.text("timeout"));
  const body = graceMs === undefined ? {} : { grace_seconds: Math.round(graceMs / 1_000) };
  return withSession(context, async (session) => {
    const stopped: { raw: unknown; task: TaskView }[] = [];
    for (const id of ids) {
      const answer = await session.api.call(ROUTES.stopTask, taskView, {
        params: { task_id: id },
        body,
        signal: session.signal,
      });
      stopped.push({ raw: answer.raw, task: answer.data });
      if (isTerminal(answer.data.state))
        terminal.say(`${answer.data.id} has ended already: ${answer.data.state}`);
    }
    const timeout = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
    if (options.flag("wait")) {
      const signal = timeout === undefined ? session.signal : AbortSignal.any([session.signal, timeout]);
      try {
        for (const each of stopped) {
          each.task = await waitFor(session, each.task.id, (task) => isTerminal(task.state), signal);
          each.raw = each.task;
        }
      } catch (error) {
        if (timeout?.aborted !== true || session.interrupts.exitCode !== undefined) throw error;
        terminal.err("The stop was asked for, but has not finished yet.\n");
        return EXIT.timeout;
      }
    }
    const raws = stopped.map(({ raw }) => raw);
    await show(context, {
      raw: raws.length === 1 ? raws[0] : { items: raws, next_cursor: null },
      names: stopped.map(({ task }) => task.id),
      human: (wide) =>
        statusTable(
          context,
          stopped.map(({ task }) => task),
          wide,
        ),
    });
    return EXIT.ok;
  });
}
