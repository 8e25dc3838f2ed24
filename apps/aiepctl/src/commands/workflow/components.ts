import { componentView, page, ROUTES } from "@aiep/contracts";
import type { CommandContext } from "../../cli/command.ts";
import { EXIT } from "../../cli/errors.ts";
import { withSession } from "../../cli/session.ts";
import { show, table } from "../../terminal/output.ts";

export async function run(context: CommandContext): Promise<number> {
  const [kind] = context.args;
  return await withSession(context, async (session) => {
    const { signal } = session;
    if (kind !== undefined) {
      const { raw, data } = await session.api.call(ROUTES.getComponent, componentView, {
        params: { kind },
        signal,
      });
      const { stringify } = await import("yaml");
      const human = () =>
        `${data.title.en} / ${data.title.zh}\n${data.summary.en}\n\nExample manifest:\n${stringify(data.example)}`;
      await show(context, { raw, names: [data.kind], human });
      return EXIT.ok;
    }
    const { raw, data } = await session.api.call(ROUTES.listComponents, page(componentView), { signal });
    const rows = data.items.map((each) => [each.kind, each.title.zh, each.category, each.summary.en]);
    await show(context, {
      raw,
      names: data.items.map((each) => each.kind),
      human: () => table(context, ["KIND", "TITLE", "CATEGORY", "SUMMARY"], rows),
    });
    return EXIT.ok;
  });
}
