import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { ROUTES, whoamiView } from "@aiep/contracts";
import type { CommandContext } from "../../cli/command.ts";
import { CliError, EXIT } from "../../cli/errors.ts";
import { withSession } from "../../cli/session.ts";
import { anyConfiguration } from "../../config/present.ts";
import { renderTaskFile, type TemplateFacts, type TemplateMode } from "../../tasks/task-template.ts";

const ASK_MS = 2_000;

export async function run(context: CommandContext): Promise<number> {
  const { options, terminal, shell } = context;
  const facts = await factsOf(context);
  const text = renderTaskFile(modeOf(options.text("mode")), facts);
  const file = options.text("file");
  if (file === undefined) {
    terminal.out(text);
    return EXIT.ok;
  }
  await writeFile(resolve(shell.cwd, file), text, { flag: "wx" }).catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === "EEXIST" ? "it exists already and is left as it is" : cause.message;
    throw new CliError(`${file} cannot be written`, {
      code: "FILE_UNWRITABLE",
      exitCode: EXIT.usage,
      why,
      cause,
    });
  });
  terminal.say(`Wrote ${file}. Next: edit it, then aiepctl mltask run -f ${file}`);
  return EXIT.ok;
}

function modeOf(text: string | undefined): TemplateMode {
  return text === "ddp" || text === "ps-worker" ? text : "standalone";
}

/** What the caller may really use, when a server can be asked; the file is useful without it. */
async function factsOf(context: CommandContext): Promise<TemplateFacts> {
  const facts: TemplateFacts = {};
  if (context.options.flag("offline") || !(await anyConfiguration(context.options, context.shell)))
    return facts;
  try {
    await withSession(context, async (session) => {
      const { data } = await session.api.call(ROUTES.whoami, whoamiView, {
        signal: AbortSignal.any([session.signal, AbortSignal.timeout(ASK_MS)]),
        timeoutMs: ASK_MS,
      });
      const group = data.groups.find((each) => each.id === session.settings.groupId) ?? data.groups[0];
      facts.groupId = group?.id;
      facts.namespace = group?.namespaces[0]?.name;
      facts.image = data.images.find(
        (image) => image.group_id === null || image.group_id === group?.id,
      )?.name;
      facts.storageRoot = data.storage_roots[0]?.path;
      return EXIT.ok;
    });
  } catch {
    context.terminal.say("The server could not be asked; group, namespace and image are placeholders.");
  }
  return facts;
}
