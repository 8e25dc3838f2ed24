import { fireView, page, ROUTES } from "@aiep/contracts";
import * as z from "zod";
import type { CommandModule } from "../../cli/command.ts";
import { CliError, EXIT } from "../../cli/errors.ts";
import { type Session, withSession } from "../../cli/session.ts";
import { unlessMissing } from "../../schedules/find-publications.ts";
import { fireTable } from "../../schedules/tables.ts";
import { isWhole, scheduleIdOf, wholeIdOf } from "../../workflows/ids.ts";
import { pages, showList } from "../../workflows/pages.ts";

export const fires: CommandModule = {
  run: async (context) =>
    await withSession(context, async (session) => {
      const { options, args } = context;
      const listed = await pages(session, ROUTES.listFires, page(fireView), {
        query: {
          group_id: options.text("group"),
          source_id: args[0] === undefined ? undefined : await sourceOf(session, scheduleIdOf(args[0])),
          experiment_id: await wholeIdOf(session, options.text("workflow")),
          kind: options.list("kind"),
          state: options.list("state"),
        },
      });
      const human = (wide: boolean) => fireTable(context, listed.items, wide);
      await showList(context, listed, human, "Nothing fired yet.");
      return EXIT.ok;
    }),
};

const named = z.object({ id: z.string() });

/** The filter takes whole ids; what was deleted is found by its whole id alone. */
async function sourceOf({ api, signal }: Session, prefix: string): Promise<string> {
  if (isWhole(prefix)) return prefix;
  const asked = [
    { route: ROUTES.getSchedule, params: { schedule_id: prefix } },
    { route: ROUTES.getPublication, params: { publication_id: prefix } },
    { route: ROUTES.getEventTrigger, params: { trigger_id: prefix } },
  ];
  for (const { route, params } of asked) {
    const found = await unlessMissing(async () => await api.call(route, named, { params, signal }));
    if (found !== undefined) return found.data.id;
  }
  throw new CliError(`no schedule, publication or event trigger has the id ${prefix}`, {
    code: "SCHEDULE_NOT_FOUND",
    exitCode: EXIT.notFound,
    hint: "aiepctl schedule list, aiepctl workflow publish-status, aiepctl trigger list",
  });
}
