/** Task ids of a command: positional, or `--task-id` as the documents write it; a unique prefix will do (D33). */
import type { CommandContext } from "../cli/command.ts";
import { usageError } from "../cli/errors.ts";

const PREFIX = /^[0-9a-f]{4,32}$/;

export function taskIds({ args, options }: CommandContext): [string, ...string[]] {
  const [first, ...rest] = [...args, ...options.list("task-id").flatMap((text) => text.split(","))].map(
    checkedId,
  );
  if (first === undefined) throw usageError("the id of a task is missing", "aiepctl mltask list");
  return [first, ...rest];
}

export function oneTaskId(context: CommandContext): string {
  const [id, ...others] = taskIds(context);
  if (others.length > 0) throw usageError("only one task id is taken here");
  return id;
}

function checkedId(text: string): string {
  const id = text.trim().toLowerCase();
  if (!PREFIX.test(id))
    throw usageError(`"${text}" is no task id: 4 to 32 hex digits`, "aiepctl mltask list");
  return id;
}

/** Enough of an id to type again. */
export const shortId = (id: string) => id.slice(0, 12);
