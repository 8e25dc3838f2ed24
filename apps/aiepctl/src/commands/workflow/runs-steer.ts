import { ROUTES, type RouteDefinition, runView } from "@aiep/contracts";
import type { CommandContext, CommandModule } from "../../cli/command.ts";
import { EXIT, usageError } from "../../cli/errors.ts";
import { withSession } from "../../cli/session.ts";
import { show } from "../../terminal/output.ts";
import { runIdOf } from "../../workflows/ids.ts";
import { valuesOf } from "../../workflows/run-options.ts";
import { runTable } from "../../workflows/tables.ts";

export const pause = steer(ROUTES.pauseRun, () => ({}));
export const resume = steer(ROUTES.resumeRun, () => ({}));
export const cancel = steer(ROUTES.cancelRun, ({ options }) => ({ reason: options.text("reason") }));
export const approve = steer(ROUTES.approveNode, ({ options }) => ({
  comment: options.text("comment"),
  values: valuesOf(options.list("value")),
}));
export const reject = steer(ROUTES.rejectNode, ({ options }) => ({ comment: options.text("comment") }));

function steer(route: RouteDefinition, bodyOf: (context: CommandContext) => unknown): CommandModule {
  return {
    run: async (context) => {
      const [run, node] = context.args;
      const id = runIdOf(run);
      if (node === "") throw usageError("the node's id is missing");
      return await withSession(context, async (session) => {
        const { raw, data } = await session.api.call(route, runView, {
          params: { run_id: id, ...(node === undefined ? {} : { node_key: node }) },
          body: bodyOf(context),
          signal: session.signal,
        });
        await show(context, { raw, names: [data.id], human: (wide) => runTable(context, [data], wide) });
        return EXIT.ok;
      });
    },
  };
}
