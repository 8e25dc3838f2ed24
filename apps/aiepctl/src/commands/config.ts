/** `config …`: contexts are read with all their sources, and written only to the user's own file. */
import { resolve } from "node:path";
import type { CommandContext, CommandModule } from "../cli/command.ts";
import { EXIT, usageError } from "../cli/errors.ts";
import {
  CONTEXT_KEYS,
  type ConfigContext,
  type ConfigFile,
  configContext,
  fileExists,
  readConfigFile,
  writeConfigFile,
} from "../config/config-file.ts";
import { chooseContext, configPath, loadSources } from "../config/settings.ts";
import { show, table } from "../terminal/output.ts";

const wanted = ({ options, shell }: CommandContext) =>
  options.text("context") ?? (shell.env["AIEPCTL_CONTEXT"] || undefined);

export const view: CommandModule = {
  async run(context) {
    const sources = await loadSources(context.options, context.shell);
    const chosen = chooseContext(sources, wanted(context));
    const contexts = { ...sources.local?.content.contexts, ...sources.file?.content.contexts };
    const raw = {
      files: [sources.file?.path, sources.local?.path].filter((path) => path !== undefined),
      current_context: chosen?.name ?? null,
      contexts: Object.fromEntries(
        Object.entries(contexts).map(([name, each]) => [name, shownContext(each)]),
      ),
    };
    const { stringify } = await import("yaml");
    await show(context, { raw, names: Object.keys(contexts), human: () => stringify(raw) });
    return EXIT.ok;
  },
};

/** Where tokens come from is shown; a command line may hold a secret and is not. */
function shownContext(context: ConfigContext): object {
  return context.token_command === undefined ? context : { ...context, token_command: "<redacted>" };
}

export const getContexts: CommandModule = {
  async run(context) {
    const sources = await loadSources(context.options, context.shell);
    const current = chooseContext(sources, wanted(context))?.name;
    const rows = [sources.file, sources.local].flatMap((loaded) =>
      Object.entries(loaded?.content.contexts ?? {}).map(([name, each]) => ({
        name,
        ...each,
        current: name === current,
        file: loaded?.path ?? "",
      })),
    );
    await show(context, {
      raw: {
        items: rows.map(({ name, server, user, group_id, current, file }) => ({
          name,
          server,
          user,
          group_id,
          current,
          file,
        })),
        next_cursor: null,
      },
      names: rows.map(({ name }) => name),
      human: () =>
        table(
          context,
          ["CURRENT", "NAME", "SERVER", "USER", "GROUP", "FILE"],
          rows.map((row) => [
            row.current ? "*" : "",
            row.name,
            row.server,
            row.user ?? "-",
            row.group_id ?? "-",
            row.file,
          ]),
        ),
    });
    return EXIT.ok;
  },
};

export const currentContext: CommandModule = {
  async run(context) {
    const chosen = chooseContext(await loadSources(context.options, context.shell), wanted(context));
    if (chosen === undefined)
      throw usageError("there is no current context", "aiepctl config init --server URL");
    context.terminal.out(`${chosen.name}\n`);
    return EXIT.ok;
  },
};

export const useContext: CommandModule = {
  async run(context) {
    const name = context.args[0] ?? "";
    const { path, content } = await ownFile(context);
    const sources = await loadSources(context.options, context.shell);
    // Choosing a found stack's context by name from the own file would go stale: it is found again by itself.
    if (!Object.hasOwn(content.contexts, name)) {
      chooseContext(sources, name);
      throw usageError(
        `the context "${name}" belongs to a local stack and is found by itself`,
        `--context ${name}, or AIEPCTL_CONTEXT=${name}`,
      );
    }
    await writeConfigFile(path, { ...content, current_context: name });
    context.terminal.say(`Now using context ${name} (${content.contexts[name]?.server ?? ""}).`);
    return EXIT.ok;
  },
};

export const set: CommandModule = {
  async run(context) {
    const [key = "", value = ""] = context.args;
    const normal = key.replaceAll("-", "_");
    if (!CONTEXT_KEYS.includes(normal))
      throw usageError(`a context has no key "${key}"`, `one of ${CONTEXT_KEYS.join(", ")}`);
    const { path, content } = await ownFile(context);
    const name = wanted(context) ?? content.current_context;
    const old = name === undefined ? undefined : content.contexts[name];
    if (name === undefined || old === undefined)
      throw usageError(
        "there is no such context in your configuration file",
        "aiepctl config init --server URL",
      );
    const changed: Record<string, unknown> = {
      ...old,
      [normal]: normal === "insecure_skip_tls_verify" ? value === "true" : value,
    };
    if (value === "") delete changed[normal];
    await writeConfigFile(path, {
      ...content,
      contexts: { ...content.contexts, [name]: checkedContext(changed) },
    });
    context.terminal.say(`Set ${normal} of context ${name}.`);
    return EXIT.ok;
  },
};

export const init: CommandModule = {
  async run(context) {
    const { options, shell, terminal } = context;
    const server = options.text("server");
    if (server === undefined)
      throw usageError("--server URL is missing", "aiepctl config init --server https://aiep.example.com");
    const { path, content } = await ownFile(context);
    const name = options.text("context") ?? "default";
    if (Object.hasOwn(content.contexts, name))
      throw usageError(
        `the context "${name}" exists already in ${path}`,
        `aiepctl config set server ${server} --context ${name}`,
      );
    const file = (option: string) => {
      const given = options.text(option);
      return given === undefined ? undefined : resolve(shell.cwd, given);
    };
    const entries = {
      server,
      user: options.text("user"),
      group_id: options.text("group"),
      key_file: file("key-file"),
      token_file: file("token-file"),
      token_command: options.text("token-command"),
      ca_file: file("ca-file"),
    };
    const created = checkedContext(
      Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined)),
    );
    await writeConfigFile(path, {
      current_context: content.current_context ?? name,
      contexts: { ...content.contexts, [name]: created },
    });
    terminal.say(`Wrote context ${name} to ${path}. Check it with: aiepctl doctor`);
    return EXIT.ok;
  },
};

function checkedContext(value: unknown): ConfigContext {
  const parsed = configContext.safeParse(value);
  if (parsed.success) return parsed.data;
  throw usageError(
    "the context would not be valid",
    undefined,
    parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`),
  );
}

async function ownFile({ options, shell }: CommandContext): Promise<{ path: string; content: ConfigFile }> {
  const { path } = await configPath(options, shell);
  return (await fileExists(path)) ? readConfigFile(path) : { path, content: { contexts: {} } };
}
