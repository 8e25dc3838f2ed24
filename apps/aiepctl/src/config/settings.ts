/**
 * Which server, who, and how to prove it. Order: flag, environment (`AIEPCTL_*`), context of the configuration file,
 * context of a local stack, in `AIEP_HOME` or found above the working folder.
 */
import { join, resolve } from "node:path";
import { CliError, EXIT } from "../cli/errors.ts";
import type { Options } from "../cli/options.ts";
import type { Shell } from "../cli/shell.ts";
import { durationOption } from "../terminal/time.ts";
import {
  type ConfigContext,
  configError,
  fileExists,
  type LoadedConfig,
  readConfigFile,
} from "./config-file.ts";
import { localStackFiles } from "./present.ts";

export type Credentials =
  | { readonly kind: "none" }
  | { readonly kind: "token"; readonly token: string }
  | { readonly kind: "token-file"; readonly path: string }
  | { readonly kind: "token-command"; readonly command: string | readonly string[] }
  | {
      readonly kind: "key";
      readonly path: string;
      readonly user: string;
      readonly issuer: string | undefined;
      readonly keyId: string | undefined;
    };

export interface Settings {
  readonly server: URL;
  readonly contextName: string | undefined;
  /** Where the context came from: a path, `the command line` or `the environment`. */
  readonly source: string;
  readonly credentials: Credentials;
  readonly groupId: string | undefined;
  readonly caFile: string | undefined;
  readonly insecure: boolean;
  /** How long a lost server is looked for; undefined means the default of the operation. */
  readonly retryForMs: number | undefined;
  readonly warnings: readonly string[];
}

export interface ConfigSources {
  /** The file named, or the user's own if it exists. */
  readonly file: LoadedConfig | undefined;
  /** `client.yaml` in `AIEP_HOME`, or in `.aiep` of the checkout around the working folder. */
  readonly local: LoadedConfig | undefined;
}

/** Where the configuration is or would be: flag, environment, XDG, home. */
export async function configPath(options: Options, shell: Shell): Promise<{ path: string; named: boolean }> {
  const named = options.text("aiepctl-config") ?? nonEmpty(shell.env["AIEPCTL_CONFIG"]);
  if (named !== undefined) return { path: resolve(shell.cwd, named), named: true };
  const xdg = nonEmpty(shell.env["XDG_CONFIG_HOME"]) ?? join(shell.home, ".config");
  const places = [join(xdg, "aiepctl", "config.yaml"), join(shell.home, ".aiepctl", "config")];
  for (const path of places) if (await fileExists(path)) return { path, named: false };
  return { path: places[0] ?? "", named: false };
}

export async function loadSources(options: Options, shell: Shell): Promise<ConfigSources> {
  const { path, named } = await configPath(options, shell);
  const file = named || (await fileExists(path)) ? await readConfigFile(path) : undefined;
  if (named) return { file, local: undefined };
  const found = await findLocalStack(shell);
  return { file, local: found === undefined ? undefined : await readConfigFile(found) };
}

async function findLocalStack({ env, cwd }: Shell): Promise<string | undefined> {
  for (const path of localStackFiles(env, cwd)) if (await fileExists(path)) return path;
  return undefined;
}

interface ChosenContext {
  readonly name: string;
  readonly context: ConfigContext;
  readonly from: LoadedConfig;
}

export function chooseContext(sources: ConfigSources, wanted: string | undefined): ChosenContext | undefined {
  const loaded = [sources.file, sources.local].filter((each) => each !== undefined);
  const find = (name: string, among: readonly LoadedConfig[]) => {
    const from = among.find((each) => Object.hasOwn(each.content.contexts, name));
    const context = from?.content.contexts[name];
    return from === undefined || context === undefined ? undefined : { name, context, from };
  };
  if (wanted !== undefined) {
    const chosen = find(wanted, loaded);
    if (chosen !== undefined) return chosen;
    const known = loaded.flatMap((each) => Object.keys(each.content.contexts));
    throw new CliError(`there is no context "${wanted}"`, {
      code: "CONTEXT_UNKNOWN",
      exitCode: EXIT.usage,
      why: known.length === 0 ? "no context is configured" : `known contexts: ${known.join(", ")}`,
      hint: "aiepctl config get-contexts",
    });
  }
  for (const each of loaded) {
    const names = Object.keys(each.content.contexts);
    const current = each.content.current_context ?? (names.length === 1 ? names[0] : undefined);
    if (current === undefined) continue;
    const chosen = find(current, [each]);
    if (chosen === undefined)
      throw configError(each.path, `current_context names ${current}, which is not there`);
    return chosen;
  }
  return undefined;
}

export async function loadSettings(options: Options, shell: Shell): Promise<Settings> {
  const { env } = shell;
  const sources = await loadSources(options, shell);
  const chosen = chooseContext(sources, options.text("context") ?? nonEmpty(env["AIEPCTL_CONTEXT"]));
  const context = chosen?.context;
  const flagServer = options.text("server");
  const server = flagServer ?? nonEmpty(env["AIEPCTL_SERVER"]) ?? context?.server;
  if (server === undefined) {
    throw new CliError("no server is configured", {
      code: "NO_SERVER",
      exitCode: EXIT.usage,
      why: `there is no configuration file, and no local stack ${nonEmpty(env["AIEP_HOME"]) === undefined ? "above this folder" : "in AIEP_HOME"}`,
      hint: "aiepctl config init --server https://…, or start a local stack: npm run quickstart",
    });
  }
  const outside = flagServer === undefined ? "the environment" : "the command line";
  const caFile = options.text("ca-file") ?? nonEmpty(env["AIEPCTL_CA_FILE"]);
  return {
    server: serverUrl(server),
    contextName: chosen?.name,
    source: chosen?.from.path ?? outside,
    credentials: credentials(options, shell, context),
    groupId: options.text("group") ?? nonEmpty(env["AIEPCTL_GROUP"]) ?? context?.group_id,
    caFile: caFile === undefined ? context?.ca_file : resolve(shell.cwd, caFile),
    insecure: options.flag("insecure-skip-tls-verify") || context?.insecure_skip_tls_verify === true,
    retryForMs: durationOption("retry-for", options.text("retry-for")),
    warnings: chosen?.from.warnings ?? [],
  };
}

function credentials(options: Options, shell: Shell, context: ConfigContext | undefined): Credentials {
  const tokenFile = options.text("token-file") ?? nonEmpty(shell.env["AIEPCTL_TOKEN_FILE"]);
  if (options.text("token-file") === undefined) {
    const token = nonEmpty(shell.env["AIEPCTL_TOKEN"]);
    if (token !== undefined) return { kind: "token", token };
  }
  if (tokenFile !== undefined) return { kind: "token-file", path: resolve(shell.cwd, tokenFile) };
  if (context?.token_file !== undefined) return { kind: "token-file", path: context.token_file };
  if (context?.token_command !== undefined) return { kind: "token-command", command: context.token_command };
  if (context?.key_file !== undefined) {
    const user = options.text("user") ?? nonEmpty(shell.env["AIEPCTL_USER"]) ?? context.user;
    if (user === undefined) {
      throw new CliError("the context has a key_file but no user", {
        code: "CONFIG_INVALID",
        exitCode: EXIT.usage,
        hint: "aiepctl config set user NAME, or --user NAME",
      });
    }
    return { kind: "key", path: context.key_file, user, issuer: context.issuer, keyId: context.key_id };
  }
  return { kind: "none" };
}

function serverUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (
    url === undefined ||
    (url.protocol !== "http:" && url.protocol !== "https:") ||
    url.username !== "" ||
    url.password !== ""
  ) {
    throw new CliError("the server address is not usable", {
      code: "CONFIG_INVALID",
      exitCode: EXIT.usage,
      why: "it must be an http or https URL without user and password",
      hint: "--server https://aiep.example.com",
    });
  }
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === undefined || value === "" ? undefined : value;
}
