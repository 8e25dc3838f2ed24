import { createInterface } from "node:readline/promises";
import { experimentDetail, experimentView, page, ROUTES, whoamiView } from "@aiep/contracts";
import * as z from "zod";
import type { CommandModule } from "../../cli/command.ts";
import { EXIT, usageError } from "../../cli/errors.ts";
import { type Session, withSession } from "../../cli/session.ts";
import { fields, show } from "../../terminal/output.ts";
import { oneLine } from "../../terminal/sanitize.ts";
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

export const remove: CommandModule = {
  run: async (context) => {
    const ids = context.args.map(experimentIdOf);
    const { terminal, shell, options } = context;
    const asks = !options.flag("yes");
    if (asks && shell.stdin.isTTY !== true) throw usageError("deleting needs a confirmation", "add --yes");
    return await withSession(context, async (session) => {
      const found: z.infer<typeof experimentView>[] = [];
      for (const id of ids) {
        const params = { experiment_id: id };
        const options = { params, signal: session.signal };
        found.push((await session.api.call(ROUTES.getExperiment, experimentView, options)).data);
      }
      if (asks) {
        terminal.err(`${found.map(({ id, name }) => `  ${id}  ${oneLine(name)}`).join("\n")}\n`);
        if (!(await confirmed(session, "Delete with all versions? [y/N] "))) return EXIT.ok;
      }
      for (const { id } of found) {
        const params = { experiment_id: id };
        await session.api.call(ROUTES.deleteExperiment, z.unknown(), { params, signal: session.signal });
        terminal.out(`${id}\n`);
      }
      return EXIT.ok;
    });
  },
};

export async function confirmed(
  { context: { shell, terminal }, signal }: Session,
  question: string,
): Promise<boolean> {
  const lines = createInterface({ input: shell.stdin });
  try {
    terminal.err(question);
    return /^y(es)?$/i.test((await lines.question("", { signal })).trim());
  } finally {
    lines.close();
  }
}
