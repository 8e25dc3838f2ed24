import type { TaskView } from "@aiep/contracts";
import type { CommandContext } from "../../cli/command.ts";
import { EXIT } from "../../cli/errors.ts";
import { withSession } from "../../cli/session.ts";
import { submit } from "../../tasks/submit.ts";
import { readTaskInput } from "../../tasks/task-input.ts";
import { taskTable } from "../../tasks/task-table.ts";
import { show } from "../../terminal/output.ts";

export async function run(context: CommandContext): Promise<number> {
  const input = await readTaskInput(context);
  return withSession(context, async (session) => {
    const submitted = await submit(session, input);
    if (submitted.kind === "interrupted") return submitted.exitCode;
    await showCreated(context, submitted);
    return EXIT.ok;
  });
}

export async function showCreated(
  context: CommandContext,
  { raw, task }: { readonly raw: unknown; readonly task: TaskView },
): Promise<void> {
  if (context.options.flag("dry-run"))
    context.terminal.say("Everything is in order; nothing was created (dry run).");
  await show(context, { raw, names: [task.id], human: (wide) => taskTable(context, [task], wide) });
}
