import { experimentDetail, experimentView, page, ROUTES, whoamiView } from "@aiep/contracts";
import type { CommandModule } from "../../cli/command.ts";
import { deletion } from "../../cli/deletion.ts";
import { EXIT } from "../../cli/errors.ts";
import { type Session, withSession } from "../../cli/session.ts";
import { fields, show } from "../../terminal/output.ts";
import { experimentIdOf } from "../../workflows/ids.ts";
import { pages, showList } from "../../workflows/pages.ts";
import { experimentTable } from "../../workflows/tables.ts";

export const list: CommandModule = {
  run: async (context) =>
    await withSession(context, async (session) => {
      const { options } = context;
      const listed = await pages(session, ROUTES.listExperiments, page(experimentView), {
        query: {
          group_id: options.text("group"),
          name_prefix: options.text("name-prefix"),
          created_by: options.flag("mine") ? await whoAmI(session) : undefined,
        },
      });
      const human = (wide: boolean) => experimentTable(context, listed.items, wide);
      await showList(context, listed, human, "No experiments match.");
      return EXIT.ok;
    }),
};

export async function whoAmI(session: Session): Promise<string> {
  const { credentials } = session.settings;
  if (credentials.kind === "key") return credentials.user;
  const { data } = await session.api.call(ROUTES.whoami, whoamiView, { signal: session.signal });
  return data.user;
}

export const get: CommandModule = {
  run: async (context) =>
    await withSession(context, async (session) => {
      const { raw, data } = await session.api.call(ROUTES.getExperiment, experimentDetail, {
        params: { experiment_id: experimentIdOf(context.args[0]) },
        signal: session.signal,
      });
      const { definition } = data;
      await show(context, {
        raw,
        names: [data.id],
        human: () =>
          fields([
            ["Id", data.id],
            ["Name", data.name],
            ["Description", data.description],
            ["Group", data.group_id],
            ["Version", data.latest_version ?? "none yet"],
            ["Draft", data.draft_changed ? `changed by ${data.updated_by}` : "as the newest version"],
            ["From", data.copied_from],
            [
              "Nodes",
              definition.nodes
                .map(({ id, kind }) => `${id} (${kind})`)
                .slice(0, 20)
                .join(", "),
            ],
            ["Parameters", definition.parameters.map(({ name, type }) => `${name}: ${type}`).join(", ")],
            ...data.problems.map(({ node, detail }): [string, string] => [
              "Note",
              `${node === null ? "" : `${node}: `}${detail}`,
            ]),
          ]),
      });
      return EXIT.ok;
    }),
};

export const remove = deletion({
  idsOf: ({ args }) => args.map(experimentIdOf),
  param: "experiment_id",
  find: ROUTES.getExperiment,
  view: experimentView,
  remove: ROUTES.deleteExperiment,
  words: ({ name }) => [name],
  question: () => "Delete with all versions?",
});
