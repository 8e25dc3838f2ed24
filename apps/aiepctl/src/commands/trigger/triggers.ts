import { type EventTriggerView, eventTriggerView, page, ROUTES } from "@aiep/contracts";
import type { CommandContext, CommandModule } from "../../cli/command.ts";
import { deletion } from "../../cli/deletion.ts";
import { EXIT } from "../../cli/errors.ts";
import { withSession } from "../../cli/session.ts";
import type { Answer } from "../../http/api.ts";
import { triggerFields, triggerTable } from "../../schedules/tables.ts";
import { show } from "../../terminal/output.ts";
import { triggerIdOf, wholeIdOf } from "../../workflows/ids.ts";
import { pages, showList } from "../../workflows/pages.ts";

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

export const remove = deletion({
  idsOf: ({ args }) => args.map(triggerIdOf),
  param: "trigger_id",
  find: ROUTES.getEventTrigger,
  view: eventTriggerView,
  remove: ROUTES.deleteEventTrigger,
  words: ({ name, event }) => [name, event],
  question: () => "Delete?",
});
