import { eventTriggerTest, publicationTest, ROUTES } from "@aiep/contracts";
import type { CommandContext, CommandModule } from "../../cli/command.ts";
import { EXIT, usageError } from "../../cli/errors.ts";
import { withSession } from "../../cli/session.ts";
import { findPublication } from "../../schedules/find-publications.ts";
import { given, textPairs } from "../../schedules/options.ts";
import { fields, show } from "../../terminal/output.ts";
import { fileText } from "../../workflows/definition-file.ts";
import { triggerIdOf } from "../../workflows/ids.ts";

export const test: CommandModule = {
  run: async (context) =>
    context.options.text("publication") === undefined
      ? await testEventTrigger(context)
      : await testPublication(context),
};

async function testEventTrigger(context: CommandContext): Promise<number> {
  const id = triggerIdOf(context.args[0]);
  refuse(context, ["run-date", "param", "scheduler"], "only with --publication");
  const event = await sampleOf(context);
  return await withSession(context, async (session) => {
    const { raw, data } = await session.api.call(ROUTES.testEventTrigger, eventTriggerTest, {
      params: { trigger_id: id },
      body: { event },
      signal: session.signal,
    });
    const human = () =>
      fields([
        ["Fires", data.fires ? "yes" : "no"],
        ["Why", data.message],
        ["Run date", data.run_date],
        ["Parameters", Object.keys(data.parameters).length === 0 ? "" : JSON.stringify(data.parameters)],
      ]);
    await show(context, { raw, names: [String(data.fires)], human });
    return EXIT.ok;
  });
}

async function testPublication(context: CommandContext): Promise<number> {
  const { options, args } = context;
  if (args[0] !== undefined) throw usageError("only one of TRIGGER_ID and --publication is taken");
  refuse(context, ["event", "type", "data"], "only for an event trigger");
  const body = { run_date: options.text("run-date"), parameters: given(options.list("param"), textPairs) };
  return await withSession(context, async (session) => {
    const { data: publication } = await findPublication(session, options.text("publication"));
    const { raw, data } = await session.api.call(ROUTES.testPublication, publicationTest, {
      params: { publication_id: publication.id },
      body,
      signal: session.signal,
    });
    const human = () =>
      data.checks.map(({ name, ok, message }) => `${ok ? "pass" : "fail"}  ${name}: ${message}\n`).join("");
    await show(context, { raw, names: [String(data.ok)], human });
    return data.ok ? EXIT.ok : EXIT.error;
  });
}

function refuse({ options }: CommandContext, names: readonly string[], why: string): void {
  for (const name of names)
    if (name === "param" ? options.list(name).length > 0 : options.text(name) !== undefined)
      throw usageError(`--${name} is taken ${why}`);
}

async function sampleOf(context: CommandContext): Promise<unknown> {
  const { options } = context;
  const file = options.text("event");
  const type = options.text("type");
  const data = options.text("data");
  if (file !== undefined) {
    if (type !== undefined || data !== undefined)
      throw usageError("--type and --data are taken without --event");
    return parsed(await fileText(context, file), file);
  }
  if (type === undefined) throw usageError("--event FILE or --type NAME is missing");
  return { type, ...(data === undefined ? {} : { data: parsed(data, "--data") }) };
}

function parsed(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw usageError(`${where} is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}
