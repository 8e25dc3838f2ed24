/**
 * Configuration is a function of the environment, resolved once at start: a wrong value fails at boot, by name.
 *
 * C1 All problems are reported at once, each naming its variable. C2 An empty string is unset.
 * C3 `X_FILE` names a file that holds X's value, so that secrets need not stand in the environment.
 */
import { readFileSync } from "node:fs";
import { AiepError, type ErrorField } from "@aiep/contracts";
import type * as z from "zod";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment as a typed value. Throws AiepError CONFIG_INVALID; values never appear in its message. */
export function loadConfig<Schema extends z.ZodObject>(schema: Schema, env: Environment): z.output<Schema> {
  const problems: ErrorField[] = [];
  const given: Record<string, string> = {};
  for (const name of Object.keys(schema.shape)) {
    const value = read(name, env, problems);
    if (value !== undefined) given[name] = value;
  }
  const parsed = schema.safeParse(given);
  if (!parsed.success) problems.push(...parsed.error.issues.map((issue) => problemOf(issue, given)));
  if (parsed.success && problems.length === 0) return parsed.data;
  const list = problems.map((problem) => `${problem.pointer}: ${problem.detail}`).join("; ");
  throw new AiepError("CONFIG_INVALID", `The environment is not valid: ${list}`, { errors: problems });
}

function read(name: string, env: Environment, problems: ErrorField[]): string | undefined {
  const value = env[name];
  const file = env[`${name}_FILE`];
  if (value !== undefined && value !== "") {
    if (file !== undefined && file !== "") {
      problems.push({
        pointer: name,
        code: "AMBIGUOUS",
        detail: `set either ${name} or ${name}_FILE, not both`,
      });
    }
    return value;
  }
  if (file === undefined || file === "") return undefined;
  try {
    // A mounted secret usually ends in a newline that is not part of it.
    return readFileSync(file, "utf8").trimEnd();
  } catch (error) {
    const why = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    problems.push({ pointer: `${name}_FILE`, code: "UNREADABLE", detail: `${file} cannot be read (${why})` });
    return undefined;
  }
}

function problemOf(issue: z.core.$ZodIssue, given: Readonly<Record<string, string>>): ErrorField {
  const name = String(issue.path[0] ?? "environment");
  return given[name] === undefined
    ? { pointer: name, code: "REQUIRED", detail: `is required; set it or ${name}_FILE` }
    : { pointer: name, code: "INVALID", detail: issue.message };
}
