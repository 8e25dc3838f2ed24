import { type DefinitionChange, diffView, page, ROUTES, versionSummary } from "@aiep/contracts";
import type { CommandModule } from "../../cli/command.ts";
import { EXIT } from "../../cli/errors.ts";
import { withSession } from "../../cli/session.ts";
import { show, table } from "../../terminal/output.ts";
import { oneLine } from "../../terminal/sanitize.ts";
import { age } from "../../terminal/time.ts";
import { experimentIdOf } from "../../workflows/ids.ts";
import { pages, showList } from "../../workflows/pages.ts";

export const list: CommandModule = {
  run: async (context) =>
    await withSession(context, async (session) => {
      const listed = await pages(session, ROUTES.listVersions, page(versionSummary), {
        params: { experiment_id: experimentIdOf(context.args[0]) },
      });
      const rows = listed.items.map((each) => [
        each.version_name,
        String(each.node_count),
        age(each.created_at, context.shell.now()),
        each.created_by,
        each.description,
      ]);
      const named = { ...listed, items: listed.items.map((each) => ({ id: each.version_name })) };
      const human = () => table(context, ["VERSION", "NODES", "AGE", "BY", "DESCRIPTION"], rows);
      await showList(context, named, human, "No version yet: aiepctl workflow save-as makes one.");
      return EXIT.ok;
    }),
};

export const saveAs: CommandModule = {
  run: async (context) =>
    await withSession(context, async (session) => {
      const { options } = context;
      const { raw, data } = await session.api.call(ROUTES.freezeVersion, versionSummary, {
        params: { experiment_id: experimentIdOf(context.args[0]) },
        body: { description: options.text("description"), version_name: options.text("version") },
        signal: session.signal,
      });
      await show(context, {
        raw,
        names: [data.version_name],
        human: () => `Saved as ${data.version_name}.\n`,
      });
      return EXIT.ok;
    }),
};

export const diff: CommandModule = {
  run: async (context) =>
    await withSession(context, async (session) => {
      const [id, from, to] = context.args;
      const { raw, data } = await session.api.call(ROUTES.diffVersions, diffView, {
        params: { experiment_id: experimentIdOf(id) },
        query: { from, to },
        signal: session.signal,
      });
      await show(context, { raw, names: [], human: () => data.changes.map(changeLine).join("") });
      if (data.changes.length === 0) context.terminal.say(`${data.from} and ${data.to} are the same.`);
      return EXIT.ok;
    }),
};

const MARKS = { added: "+", removed: "-", changed: "~" } as const;

function changeLine({ change, what, key, field, before, after }: DefinitionChange): string {
  const place = [what, key, field].filter((each) => each !== null).join(" ");
  const values = change === "changed" ? `: ${short(before)} → ${short(after)}` : "";
  return `${MARKS[change]} ${oneLine(place)}${values}\n`;
}

function short(value: unknown): string {
  const text = oneLine(value === undefined ? "nothing" : JSON.stringify(value));
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
