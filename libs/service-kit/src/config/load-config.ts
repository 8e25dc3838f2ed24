/**
 * The environment as one typed value, read once at start (only a service's config.ts calls this).
 *
 * C1 all problems at once, each naming its variable. C2 an empty string is unset. C3 `X_FILE` names a file that holds the
 * value of X, for secrets; both at once is a mistake. C4 messages never repeat a value: it may be a secret.
 */
import { readFileSync } from "node:fs";
import { AiepError, type ErrorField } from "@aiep/contracts";
import type * as z from "zod";

export type Environment = Readonly<Record<string, string | undefined>>;

export function loadConfig<Schema extends z.ZodObject>(schema: Schema, env: Environment): z.output<Schema> {
  const problems: ErrorField[] = [];
  const input: Record<string, string> = {};
  for (const name of Object.keys(schema.shape)) {
    const value = variable(name, env, problems);
    if (value !== undefined) input[name] = value;
  }
  const result = schema.safeParse(input);
  const unreadable = new Set(problems.map((problem) => problem.pointer));
  for (const issue of result.error?.issues ?? []) {
    const name = String(issue.path[0] ?? "environment");
    if (unreadable.has(name)) continue;
    const missing = issue.path.length > 0 && input[name] === undefined;
    problems.push({ pointer: name, code: issue.code, detail: missing ? "is not set" : issue.message });
  }
  if (problems.length === 0 && result.success) return result.data;
  const lines = problems.map(({ pointer, detail }) => `${pointer}: ${detail}`);
  throw new AiepError("CONFIG_INVALID", `The configuration is not valid. ${lines.join("; ")}.`, {
    errors: problems,
  });
}

function variable(name: string, env: Environment, problems: ErrorField[]): string | undefined {
  const direct = env[name] || undefined; // C2
  const file = name.endsWith("_FILE") ? undefined : env[`${name}_FILE`] || undefined;
  if (file === undefined) return direct;
  if (direct !== undefined) {
    problems.push({ pointer: name, code: "twice", detail: `is set and so is ${name}_FILE: keep one` });
    return undefined;
  }
  try {
    return readFileSync(file, "utf8").replace(/\r?\n$/, "") || undefined;
  } catch (error) {
    const why = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    problems.push({
      pointer: name,
      code: "file",
      detail: `the file named by ${name}_FILE cannot be read (${why})`,
    });
    return undefined;
  }
}

/** For entry points: settings that are not valid end the process with one sentence, not with a stack trace. */
export function configOrExit<Config>(load: (env: Environment) => Config, env: Environment): Config {
  try {
    return load(env);
  } catch (error) {
    if (!AiepError.is(error, "CONFIG_INVALID")) throw error;
    process.stderr.write(`${error.message} Settings are explained in docs/operations.md.\n`);
    process.exit(1);
  }
}
