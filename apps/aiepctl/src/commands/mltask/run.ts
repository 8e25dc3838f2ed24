import type { CommandContext } from "../../cli/command.ts";
import { EXIT } from "../../cli/errors.ts";
import { withSession } from "../../cli/session.ts";
import { runTask } from "../../tasks/run-task.ts";
import { submit } from "../../tasks/submit.ts";
import { readTaskInput } from "../../tasks/task-input.ts";
import { showCreated } from "./create.ts";

export async function run(context: CommandContext): Promise<number> {
  const input = await readTaskInput(context);
  return withSession(context, async (session) => {
    const submitted = await submit(session, input);
    if (submitted.kind === "interrupted") return submitted.exitCode;
    if (!context.options.flag("detach") && !context.options.flag("dry-run"))
      return runTask(session, submitted.task);
    await showCreated(context, submitted);
    return EXIT.ok;
  });
}
