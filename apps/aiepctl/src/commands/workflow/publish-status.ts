import { page, publicationView, ROUTES } from "@aiep/contracts";
import type { CommandModule } from "../../cli/command.ts";
import { EXIT } from "../../cli/errors.ts";
import { withSession } from "../../cli/session.ts";
import { findPublications } from "../../schedules/find-publications.ts";
import { publicationFields, publicationTable, stepTable } from "../../schedules/tables.ts";
import { show } from "../../terminal/output.ts";
import { pages, showList } from "../../workflows/pages.ts";

export const status: CommandModule = {
  run: async (context) =>
    await withSession(context, async (session) => {
      const { options, args } = context;
      const [id] = args;
      if (id === undefined) {
        const listed = await pages(session, ROUTES.listPublications, page(publicationView), {
          query: {
            group_id: options.text("group"),
            scheduler: options.text("scheduler"),
            state: options.list("state"),
          },
        });
        const human = (wide: boolean) => publicationTable(context, listed.items, wide);
        await showList(context, listed, human, "Nothing is published: aiepctl workflow publish ID");
        return EXIT.ok;
      }
      const found = await findPublications(session, id);
      const raw = found.map((each) => each.raw);
      await show(context, {
        raw: raw.length === 1 ? raw[0] : { items: raw, next_cursor: null },
        names: found.map(({ data }) => data.id),
        human: () =>
          found.map(({ data }) => `${stepTable(context, data.steps)}\n${publicationFields(data)}`).join("\n"),
      });
      return EXIT.ok;
    }),
};
