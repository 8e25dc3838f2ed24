/** Ids of experiments and runs on a command line: a unique prefix will do (D33). */
import { usageError } from "../cli/errors.ts";

const PREFIX = /^[0-9a-f]{4,32}$/;

export const experimentIdOf = (text: string | undefined) =>
  checked(text, "experiment", "aiepctl workflow list");
export const runIdOf = (text: string | undefined) => checked(text, "run", "aiepctl workflow runs list");

function checked(text: string | undefined, what: string, hint: string): string {
  const id = (text ?? "").trim().toLowerCase();
  if (!PREFIX.test(id)) throw usageError(`"${text ?? ""}" is no ${what} id: 4 to 32 hex digits`, hint);
  return id;
}
