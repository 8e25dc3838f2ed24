import { ROUTES, taskView } from "@aiep/contracts";
import type { CommandContext } from "../../cli/command.ts";
import { EXIT } from "../../cli/errors.ts";
import { withSession } from "../../cli/session.ts";
import { readTaskInput } from "../../tasks/task-input.ts";
import { formatOf, isMachine, show } from "../../terminal/output.ts";

export async function run(context: CommandContext): Promise<number> {
  const { file, setEnvs, warnings } = await readTaskInput(context);
  for (const warning of warnings) context.terminal.err(`Warning: ${warning}\n`);
  if (context.options.flag("remote")) {
    await withSession(context, async (session) => {
      const group = file.metadata.group_id ?? session.settings.groupId;
      const task_config = {
        ...file,
        metadata: { ...file.metadata, ...(group === undefined ? {} : { group_id: group }) },
      };
      await session.api.call(ROUTES.createTask, taskView, {
        query: { dry_run: true },
        body: { task_config, set_envs: setEnvs },
        idempotencyKey: crypto.randomUUID(),
        signal: session.signal,
      });
      return EXIT.ok;
    });
  }
  if (isMachine(formatOf(context)))
    await show(context, { raw: file, names: [file.metadata.name], human: () => "" });
  else
    context.terminal.say(
      context.options.flag("remote")
        ? "The task file is valid, and the server would accept it."
        : "The task file is valid.",
    );
  return EXIT.ok;
}
