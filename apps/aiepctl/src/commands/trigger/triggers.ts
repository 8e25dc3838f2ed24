import { type EventTriggerView, eventTriggerView, page, ROUTES } from "@aiep/contracts";
import * as z from "zod";
import type { CommandContext, CommandModule } from "../../cli/command.ts";
import { EXIT, usageError } from "../../cli/errors.ts";
import { withSession } from "../../cli/session.ts";
import type { Answer } from "../../http/api.ts";
import { triggerFields, triggerTable } from "../../schedules/tables.ts";
import { show } from "../../terminal/output.ts";
import { oneLine } from "../../terminal/sanitize.ts";
import { triggerIdOf, wholeIdOf } from "../../workflows/ids.ts";
import { pages, showList } from "../../workflows/pages.ts";
import { confirmed } from "../workflow/experiments.ts";

export const list: CommandModule = {
  run: async (context) =>
    await withSession(context, async (session) => {
      const { options } = context;
      const listed = await pages(session, ROUTES.listEventTriggers, page(eventTriggerView), {
        query: {
          group_id: options.text("group"),
          experiment_id: await wholeIdOf(session, options.text("workflow")),
        },
      });
      const human = (wide: boolean) => triggerTable(context, listed.items, wide);
      await showList(context, listed, human, "No event triggers match: aiepctl trigger create makes one.");
      return EXIT.ok;
    }),
};

export const get: CommandModule = {
  run: async (context) => {
    const id = triggerIdOf(context.args[0]);
    return await withSession(context, async (session) => {
      const options = { params: { trigger_id: id }, signal: session.signal };
      await showTrigger(context, await session.api.call(ROUTES.getEventTrigger, eventTriggerView, options));
      return EXIT.ok;
    });
  },
};

export async function showTrigger(
  context: CommandContext,
  { raw, data }: Answer<EventTriggerView>,
): Promise<void> {
  await show(context, { raw, names: [data.id], human: () => triggerFields(data) });
}

export const remove: CommandModule = {
  run: async (context) => {
    const ids = context.args.map(triggerIdOf);
    const { terminal, shell, options } = context;
    const asks = !options.flag("yes");
    if (asks && shell.stdin.isTTY !== true) throw usageError("deleting needs a confirmation", "add --yes");
    return await withSession(context, async (session) => {
      const { signal } = session;
      const found: EventTriggerView[] = [];
      for (const id of ids) {
        const options = { params: { trigger_id: id }, signal };
        found.push((await session.api.call(ROUTES.getEventTrigger, eventTriggerView, options)).data);
      }
      if (asks) {
        terminal.err(found.map(({ id, name, event }) => `  ${id}  ${oneLine(name)}  ${event}\n`).join(""));
        if (!(await confirmed(session, "Delete? [y/N] "))) return EXIT.ok;
      }
      for (const { id } of found) {
        await session.api.call(ROUTES.deleteEventTrigger, z.unknown(), {
          params: { trigger_id: id },
          signal,
        });
        terminal.out(`${id}\n`);
      }
      return EXIT.ok;
    });
  },
};
