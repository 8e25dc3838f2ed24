/** Deleting by ids: all are found first, shown and asked about once, then deleted one by one, each id printed when it is gone. */
import { once } from "node:events";
import { createInterface } from "node:readline/promises";
import type { RouteDefinition } from "@aiep/contracts";
import * as z from "zod";
import { oneLine } from "../terminal/sanitize.ts";
import type { CommandContext, CommandModule } from "./command.ts";
import { EXIT, usageError } from "./errors.ts";
import { type Session, withSession } from "./session.ts";

export interface Deletion<Item extends { readonly id: string }> {
  readonly idsOf: (context: CommandContext) => readonly string[];
  /** Name of the id in both routes: `task_id`. */
  readonly param: string;
  readonly find: RouteDefinition;
  readonly view: z.ZodType<Item>;
  readonly remove: RouteDefinition;
  /** What is shown of an item behind its id. */
  readonly words: (item: Item) => readonly string[];
  readonly question: (count: number) => string;
}

export function deletion<Item extends { readonly id: string }>(given: Deletion<Item>): CommandModule {
  return {
    run: async (context) => {
      const ids = given.idsOf(context);
      const asks = asksFirst(context);
      return await withSession(context, async (session) => {
        const { api, signal } = session;
        const found: Item[] = [];
        for (const id of ids)
          found.push(
            (await api.call(given.find, given.view, { params: { [given.param]: id }, signal })).data,
          );
        if (asks) {
          context.terminal.err(found.map((item) => `${line(item, given)}\n`).join(""));
          if (!(await confirmed(session, `${given.question(found.length)} [y/N] `))) return EXIT.ok;
        }
        for (const { id } of found) {
          await api.call(given.remove, z.unknown(), { params: { [given.param]: id }, signal });
          context.terminal.out(`${id}\n`);
        }
        return EXIT.ok;
      });
    },
  };
}

function line<Item extends { readonly id: string }>(item: Item, { words }: Deletion<Item>): string {
  return `  ${[item.id, ...words(item).map(oneLine)].join("  ")}`;
}

/** A usage error where nobody can be asked. */
export function asksFirst({ options, shell }: CommandContext): boolean {
  const asks = !options.flag("yes");
  if (asks && shell.stdin.isTTY !== true) throw usageError("deleting needs a confirmation", "add --yes");
  return asks;
}

/** Ctrl-D is no answer, and no answer is no. */
export async function confirmed(
  { context: { shell, terminal }, signal }: Session,
  question: string,
): Promise<boolean> {
  const lines = createInterface({ input: shell.stdin });
  try {
    terminal.err(question);
    const nobody = once(lines, "close").then(() => "");
    return /^y(es)?$/i.test((await Promise.race([lines.question("", { signal }), nobody])).trim());
  } finally {
    lines.close();
  }
}
