import { randomUUID } from "node:crypto";
import { ROUTES, taskView } from "@aiep/contracts";
import * as z from "zod";
import type { CommandContext } from "../../cli/command.ts";
import { EXIT } from "../../cli/errors.ts";
import { type Session, withSession } from "../../cli/session.ts";
import { runTask } from "../../tasks/run-task.ts";
import { sayWarnings } from "../../tasks/submit.ts";
import { oneTaskId } from "../../tasks/task-ids.ts";
import { editedTaskFile, readEnvironment } from "../../tasks/task-input.ts";
import { taskTable } from "../../tasks/task-table.ts";
import { show } from "../../terminal/output.ts";

const copied = z.looseObject({ task_config: z.unknown(), set_envs: z.record(z.string(), z.string()) });

export async function run(context: CommandContext): Promise<number> {
  const id = oneTaskId(context);
  const envs = readEnvironment(context);
  return withSession(context, async (session) => {
    const { raw, data } = await session.api.call(ROUTES.copyTask, taskView, {
      params: { task_id: id },
      body: await changes(session, id, envs),
      idempotencyKey: randomUUID(),
      signal: session.signal,
    });
    sayWarnings(session, raw);
    if (context.options.flag("run")) return runTask(session, data);
    await show(context, { raw, names: [data.id], human: (wide) => taskTable(context, [data], wide) });
    return EXIT.ok;
  });
}

/** Environment and fields given are added to the copied task's own, not put in their place. */
async function changes(
  session: Session,
  id: string,
  envs: Readonly<Record<string, string>>,
): Promise<unknown> {
  const { options } = session.context;
  const name = options.text("name");
  const named = name === undefined ? {} : { name };
  if (Object.keys(envs).length === 0 && options.list("set").length === 0) return named;
  const { data } = await session.api.call(ROUTES.getTask, copied, {
    params: { task_id: id },
    signal: session.signal,
  });
  return {
    ...named,
    ...(options.list("set").length === 0
      ? {}
      : { task_config: editedTaskFile(session.context, data.task_config) }),
    ...(Object.keys(envs).length === 0 ? {} : { set_envs: { ...data.set_envs, ...envs } }),
  };
}
