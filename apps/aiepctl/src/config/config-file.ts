/** The configuration file: kubeconfig-like contexts. Tokens are never in it, only where they come from (D28). */
import { chmod, mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import * as z from "zod";
import { CliError, EXIT } from "../cli/errors.ts";

export const configContext = z.strictObject({
  server: z.string().describe("Address of the platform, e.g. https://aiep.example.com"),
  group_id: z.string().optional().describe("Group used where a task file names none."),
  /** With `key_file`: tokens of five minutes are signed here, as the local stack does. */
  user: z.string().optional(),
  issuer: z.string().optional(),
  key_file: z.string().optional(),
  key_id: z.string().optional(),
  token_file: z.string().optional().describe("File that holds a token; read again for every request."),
  token_command: z
    .union([z.string(), z.array(z.string()).min(1)])
    .optional()
    .describe("Program that prints a token."),
  ca_file: z.string().optional(),
  insecure_skip_tls_verify: z.boolean().optional(),
});
export type ConfigContext = z.infer<typeof configContext>;
export const CONTEXT_KEYS = Object.keys(configContext.shape);

export const configFile = z.strictObject({
  current_context: z.string().optional(),
  contexts: z.record(z.string().min(1), configContext).default({}),
});
export type ConfigFile = z.infer<typeof configFile>;

export interface LoadedConfig {
  readonly path: string;
  readonly content: ConfigFile;
  /** Worth telling, e.g. that others can read the file. */
  readonly warnings: readonly string[];
}

export async function fileExists(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

export async function readConfigFile(path: string): Promise<LoadedConfig> {
  const text = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw configError(path, cause.code === "ENOENT" ? "there is no such file" : cause.message, cause);
  });
  const { parse } = await import("yaml");
  const raw: unknown = (() => {
    try {
      return parse(text) ?? {};
    } catch (cause) {
      throw configError(
        path,
        cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : "not YAML",
        cause,
      );
    }
  })();
  const parsed = configFile.safeParse(raw);
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `${issue.path.join(".") || "file"}: ${issue.message}`);
    throw configError(path, issues.join("; "), parsed.error);
  }
  return { path, content: absolutePaths(parsed.data, dirname(path)), warnings: await modeWarnings(path) };
}

/** Paths in a configuration file are meant from where the file lies. */
function absolutePaths(content: ConfigFile, folder: string): ConfigFile {
  const contexts = Object.entries(content.contexts).map(([name, context]) => {
    const paths = (["key_file", "token_file", "ca_file"] as const).flatMap((key) => {
      const path = context[key];
      return path === undefined ? [] : [[key, resolve(folder, path)] as const];
    });
    return [name, { ...context, ...Object.fromEntries(paths) }] as const;
  });
  return { ...content, contexts: Object.fromEntries(contexts) };
}

/** A file that says where keys and tokens lie is nobody else's to read or change. */
async function modeWarnings(path: string): Promise<string[]> {
  if (process.platform === "win32") return [];
  const { mode } = await stat(path);
  return (mode & 0o077) === 0 ? [] : [`${path} can be read by others; run: chmod 600 ${path}`];
}

export async function writeConfigFile(path: string, content: ConfigFile): Promise<void> {
  const { stringify } = await import("yaml");
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = join(dirname(path), `.config.${process.pid}.tmp`);
  await writeFile(draft, stringify(content), { mode: 0o600 });
  await chmod(draft, 0o600);
  await rename(draft, path);
}

export function configError(path: string, why: string, cause?: unknown): CliError {
  return new CliError(`the configuration file ${path} cannot be used`, {
    code: "CONFIG_INVALID",
    exitCode: EXIT.usage,
    why,
    hint: "aiepctl config init",
    cause,
  });
}
