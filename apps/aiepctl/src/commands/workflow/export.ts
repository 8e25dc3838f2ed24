import { createWriteStream } from "node:fs";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { ROUTES, workflowBundle } from "@aiep/contracts";
import type { CommandContext } from "../../cli/command.ts";
import { EXIT, usageError } from "../../cli/errors.ts";
import { type Session, withSession } from "../../cli/session.ts";
import { surface } from "../../http/api.ts";
import { readText } from "../../http/transport.ts";
import { experimentIdOf } from "../../workflows/ids.ts";

const FORMATS = { flowjson: "flowjson", zip: "flowjson_zip", yaml: "yaml", json: "native" } as const;
const MAX_BYTES = 64 * 1024 * 1024;

export async function run(context: CommandContext): Promise<number> {
  const id = experimentIdOf(context.args[0]);
  const format = context.options.text("format") ?? "flowjson";
  const file = context.options.text("file");
  if (format === "zip" && file === undefined)
    throw usageError("a zip is written to a file", "add --file flow.zip");
  return await withSession(context, async (session) => {
    if (format === "bundle") return await bundle(session, id, file);
    const known = Object.entries(FORMATS).find(([name]) => name === format)?.[1];
    try {
      const answer = await session.api.open(ROUTES.exportExperiment, {
        params: { experiment_id: id },
        query: { format: known, version_name: context.options.text("version") },
        accept: "*/*",
        signal: session.signal,
      });
      if (file !== undefined)
        await pipeline(answer, createWriteStream(resolve(context.shell.cwd, file)), {
          signal: session.signal,
        });
      else context.terminal.out(await readText(answer, MAX_BYTES));
    } catch (error) {
      throw surface(error, session.settings);
    }
    return EXIT.ok;
  });
}

async function bundle(session: Session, id: string, file: string | undefined): Promise<number> {
  const { options, terminal, shell } = session.context;
  const version = options.text("version");
  if (version === undefined)
    throw usageError(
      "a bundle is of a frozen version",
      "add --version v1; aiepctl workflow versions lists them",
    );
  const { raw } = await session.api.call(ROUTES.exportBundle, workflowBundle, {
    params: { experiment_id: id, version_name: version },
    signal: session.signal,
  });
  const text = `${JSON.stringify(raw, undefined, 2)}\n`;
  if (file === undefined) terminal.out(text);
  else await pipeline([text], createWriteStream(resolve(shell.cwd, file)));
  return EXIT.ok;
}
