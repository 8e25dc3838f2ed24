import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { compiledView, ROUTES } from "@aiep/contracts";
import type { CommandContext } from "../../cli/command.ts";
import { EXIT, usageError } from "../../cli/errors.ts";
import { withSession } from "../../cli/session.ts";
import { formatOf, show } from "../../terminal/output.ts";
import { oneLine } from "../../terminal/sanitize.ts";
import { experimentIdOf } from "../../workflows/ids.ts";

export async function run(context: CommandContext): Promise<number> {
  const id = experimentIdOf(context.args[0]);
  const { options, terminal, shell } = context;
  const target = options.text("to");
  if (target === undefined) throw usageError("--to kfp or --to argo is missing");
  return await withSession(context, async (session) => {
    const { raw, data } = await session.api.call(ROUTES.compileExperiment, compiledView, {
      params: { experiment_id: id },
      body: { target, version_name: options.text("version"), allow_loss: options.flag("allow-loss") },
      signal: session.signal,
    });
    for (const { severity, node, field, detail } of data.inexpressible)
      terminal.err(
        `${severity === "note" ? "Note" : "Lost"}: ${node === null ? "" : `${node}: `}${field}: ${oneLine(detail)}\n`,
      );
    const secrets = options.text("secrets");
    if (secrets !== undefined) await writeFile(resolve(shell.cwd, secrets), data.secrets);
    else if (data.secrets !== "")
      terminal.err("It needs Secrets in its namespace before it runs: write them with --secrets FILE.\n");
    const { kind } = formatOf(context);
    // YAML is what both targets take: the document itself, not an object around it.
    if (kind === "json" || kind === "jsonpath") await show(context, { raw, names: [], human: () => "" });
    else terminal.out(data.document);
    return EXIT.ok;
  });
}
