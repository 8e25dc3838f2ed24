import { page, ROUTES, runNodeView, runView } from "@aiep/contracts";
import type { CommandModule } from "../../cli/command.ts";
import { EXIT } from "../../cli/errors.ts";
import { withSession } from "../../cli/session.ts";
import { show } from "../../terminal/output.ts";
import { timeOption } from "../../terminal/time.ts";
import { runLine } from "../../workflows/follow-run.ts";
import { runIdOf, wholeIdOf } from "../../workflows/ids.ts";
import { pages, showList } from "../../workflows/pages.ts";
import { runDateOf } from "../../workflows/run-options.ts";
import { nodeTable, runTable } from "../../workflows/tables.ts";
import { whoAmI } from "./experiments.ts";

export const list: CommandModule = {
  run: async (context) =>
    await withSession(context, async (session) => {
      const { options, shell } = context;
      const now = shell.now();
      const listed = await pages(session, ROUTES.listRuns, page(runView), {
        query: {
          group_id: options.text("group"),
          experiment_id: await wholeIdOf(session, options.text("experiment")),
          version_name: options.text("version"),
          state: options.list("state"),
          run_date: runDateOf(options.text("run-date")),
          origin: options.list("origin"),
          publication_id: options.text("source"),
          external_id: options.text("external-id"),
          created_by: options.flag("mine") ? await whoAmI(session) : undefined,
          created_after: timeOption("created-after", options.text("created-after"), now),
          created_before: timeOption("created-before", options.text("created-before"), now),
        },
      });
      const human = (wide: boolean) => runTable(context, listed.items, wide);
      await showList(context, listed, human, "No runs match.");
      return EXIT.ok;
    }),
};

export const get: CommandModule = {
  run: async (context) =>
    await withSession(context, async (session) => {
      const { raw, data } = await session.api.call(ROUTES.getRun, runView, {
        params: { run_id: runIdOf(context.args[0]) },
        signal: session.signal,
      });
      const params = { run_id: data.id };
      const nodes = await pages(session, ROUTES.listRunNodes, page(runNodeView), { params, all: true });
      const run = typeof raw === "object" && raw !== null ? raw : {};
      await show(context, {
        raw: { ...run, nodes: nodes.raw },
        names: [data.id],
        human: () =>
          `${runLine(data)}\n${data.state}${data.message === null ? "" : `: ${data.message}`}\n\n${nodeTable(context, nodes.items)}`,
      });
      return EXIT.ok;
    }),
};
