import { createInterface } from "node:readline/promises";
import { ROUTES, taskView } from "@aiep/contracts";
import * as z from "zod";
import type { CommandContext } from "../../cli/command.ts";
import { EXIT, usageError } from "../../cli/errors.ts";
import { type Session, withSession } from "../../cli/session.ts";
import { taskIds } from "../../tasks/task-ids.ts";
import { oneLine } from "../../terminal/sanitize.ts";

export async function run(context: CommandContext): Promise<number> {
  const ids = taskIds(context);
  const { terminal, shell, options } = context;
  const asks = !options.flag("yes");
  if (asks && shell.stdin.isTTY !== true) throw usageError("deleting needs a confirmation", "add --yes");
  return withSession(context, async (session) => {
    const found = [];
    for (const id of ids)
      found.push(
        (
          await session.api.call(ROUTES.getTask, taskView, {
            params: { task_id: id },
            signal: session.signal,
          })
        ).data,
      );
    if (asks) {
      terminal.err(
        `${found.map((task) => `  ${task.id}  ${oneLine(task.name)}  ${task.state}`).join("\n")}\n`,
      );
      if (
        !(await confirmed(
          session,
          `Delete ${found.length === 1 ? "this task with its logs" : `these ${found.length} tasks with their logs`}? [y/N] `,
        ))
      )
        return EXIT.ok;
    }
    for (const { id } of found) {
      await session.api.call(ROUTES.deleteTask, z.unknown(), {
        params: { task_id: id },
        signal: session.signal,
      });
      terminal.out(`${id}\n`);
    }
    return EXIT.ok;
  });
}

async function confirmed(
  { context: { shell, terminal }, signal }: Session,
  question: string,
): Promise<boolean> {
  const lines = createInterface({ input: shell.stdin });
  try {
    terminal.err(question);
    return /^y(es)?$/i.test((await lines.question("", { signal })).trim());
  } finally {
    lines.close();
  }
}
