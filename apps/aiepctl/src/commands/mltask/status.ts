import { isTerminal, ROUTES, type TaskView, taskView } from "@aiep/contracts";
import type { CommandContext } from "../../cli/command.ts";
import { EXIT, usageError } from "../../cli/errors.ts";
import { withSession } from "../../cli/session.ts";
import { announce } from "../../tasks/follow-task.ts";
import { taskIds } from "../../tasks/task-ids.ts";
import { statusTable } from "../../tasks/task-table.ts";
import { waitFor } from "../../tasks/wait-for.ts";
import { show } from "../../terminal/output.ts";

export async function run(context: CommandContext): Promise<number> {
  const ids = taskIds(context);
  const watch = context.options.flag("watch");
  if (watch && ids.length > 1) throw usageError("--watch shows one task", "aiepctl mltask wait for several");
  return withSession(context, async (session) => {
    if (watch)
      await waitFor(
        session,
        ids[0],
        (task) => isTerminal(task.state),
        session.signal,
        (task) => announce(session, task),
      );
    const answers: { raw: unknown; data: TaskView }[] = [];
    for (const id of ids)
      answers.push(
        await session.api.call(ROUTES.getTask, taskView, { params: { task_id: id }, signal: session.signal }),
      );
    const raws = answers.map(({ raw }) => raw);
    await show(context, {
      raw: raws.length === 1 ? raws[0] : { items: raws, next_cursor: null },
      names: answers.map(({ data }) => data.id),
      human: (wide) =>
        statusTable(
          context,
          answers.map(({ data }) => data),
          wide,
        ),
    });
    return EXIT.ok;
  });
}
