import type * as z from "zod";

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The environment as a typed value. All problems at once, each naming its variable, as AiepError CONFIG_INVALID. An empty
 * string is unset; `X_FILE` names a file that holds X's value.
 */
export function loadConfig<Schema extends z.ZodObject>(_schema: Schema, _env: Environment): z.output<Schema> {
  throw new Error("pending");
}
