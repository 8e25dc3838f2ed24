import { ROUTES, taskFile, taskView } from "@aiep/contracts";
import * as z from "zod";
import type { CommandContext } from "../../cli/command.ts";
import { EXIT } from "../../cli/errors.ts";
import { withSession } from "../../cli/session.ts";
import { oneTaskId } from "../../tasks/task-ids.ts";
import { taskTable } from "../../tasks/task-table.ts";
import { show } from "../../terminal/output.ts";

const exported = z.looseObject({ task_config: taskFile });

export async function run(context: CommandContext): Promise<number> {
  const id = oneTaskId(context);
  return withSession(context, async (session) => {
    const { raw, data } = await session.api.call(ROUTES.getTask, taskView, {
      params: { task_id: id },
      signal: session.signal,
    });
    if (context.options.flag("export")) {
      const { stringify } = await import("yaml");
      const config: unknown = exported.parse(raw)["task_config"];
      context.terminal.out(
        context.options.text("output") === "json"
          ? `${JSON.stringify(config, undefined, 2)}\n`
          : stringify(config),
      );
      return EXIT.ok;
    }
    await show(context, { raw, names: [data.id], human: (wide) => taskTable(context, [data], wide) });
    return EXIT.ok;
  });
}
