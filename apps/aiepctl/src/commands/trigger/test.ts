import { eventTriggerTest, ROUTES } from "@aiep/contracts";
import type { CommandContext, CommandModule } from "../../cli/command.ts";
import { EXIT, usageError } from "../../cli/errors.ts";
import { withSession } from "../../cli/session.ts";
import { fields, show } from "../../terminal/output.ts";
import { fileText } from "../../workflows/definition-file.ts";
import { triggerIdOf } from "../../workflows/ids.ts";

export const test: CommandModule = {
  run: async (context) => {
    const id = triggerIdOf(context.args[0]);
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
  },
};

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
