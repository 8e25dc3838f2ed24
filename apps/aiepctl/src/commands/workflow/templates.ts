import { page, ROUTES, type TemplateView, templateView } from "@aiep/contracts";
import * as z from "zod";
import type { CommandContext, CommandModule } from "../../cli/command.ts";
import { asksFirst, confirmed } from "../../cli/deletion.ts";
import { EXIT, usageError } from "../../cli/errors.ts";
import { withSession } from "../../cli/session.ts";
import { show, table } from "../../terminal/output.ts";
import { age } from "../../terminal/time.ts";
import { experimentIdOf } from "../../workflows/ids.ts";
import { pages, showList } from "../../workflows/pages.ts";

function templateTable(context: CommandContext, items: readonly TemplateView[]): string {
  const rows = items.map((each) => [
    each.id,
    each.name,
    each.scope === "all" ? "all" : each.group_id,
    String(each.node_count),
    age(each.created_at, context.shell.now()),
    each.created_by,
    each.description ?? "",
  ]);
  return table(context, ["ID", "NAME", "FOR", "NODES", "AGE", "BY", "DESCRIPTION"], rows);
}

export const list: CommandModule = {
  run: async (context) =>
    await withSession(context, async (session) => {
      const listed = await pages(session, ROUTES.listTemplates, page(templateView), {});
      await showList(context, listed, () => templateTable(context, listed.items), "No templates yet.");
      return EXIT.ok;
    }),
};

export const create: CommandModule = {
  run: async (context) => {
    const { options } = context;
    const name = options.text("name");
    if (name === undefined) throw usageError("--name is missing");
    return await withSession(context, async (session) => {
      const { raw, data } = await session.api.call(ROUTES.createTemplate, templateView, {
        body: {
          experiment_id: experimentIdOf(context.args[0]),
          version_name: options.text("version"),
          name,
          description: options.text("description"),
          scope: options.flag("for-all") ? "all" : "group",
        },
        signal: session.signal,
      });
      await show(context, { raw, names: [data.id], human: () => templateTable(context, [data]) });
      return EXIT.ok;
    });
  },
};

export const remove: CommandModule = {
  run: async (context) => {
    const [id = ""] = context.args;
    const asks = asksFirst(context);
    return await withSession(context, async (session) => {
      if (asks && !(await confirmed(session, `Delete the template ${id}? [y/N] `))) return EXIT.ok;
      const params = { template_id: id };
      await session.api.call(ROUTES.deleteTemplate, z.unknown(), { params, signal: session.signal });
      context.terminal.out(`${id}\n`);
      return EXIT.ok;
    });
  },
};
