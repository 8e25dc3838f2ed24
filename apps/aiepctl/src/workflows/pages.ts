/** Lists that come in pages: one, or with `--all` all of them. */
import type { page, RouteDefinition } from "@aiep/contracts";
import type * as z from "zod";
import type { CommandContext } from "../cli/command.ts";
import { usageError } from "../cli/errors.ts";
import type { Session } from "../cli/session.ts";
import type { Query } from "../http/api.ts";
import { formatOf, isMachine, show } from "../terminal/output.ts";

const PAGE = 500;

export interface Listed<Item> {
  readonly items: readonly Item[];
  readonly raw: readonly unknown[];
  readonly nextCursor: string | undefined;
}

export async function pages<Item extends z.ZodType>(
  session: Session,
  route: RouteDefinition,
  schema: ReturnType<typeof page<Item>>,
  options: {
    readonly params?: Readonly<Record<string, string>>;
    readonly query?: Query;
    readonly all?: boolean;
  },
): Promise<Listed<z.infer<Item>>> {
  const { options: given } = session.context;
  const all = options.all ?? given.flag("all");
  const limit = given.text("limit");
  if (limit !== undefined && !/^[1-9]\d{0,2}$/.test(limit))
    throw usageError(`--limit is a number from 1 to ${PAGE}, not "${limit}"`);
  const items: z.infer<Item>[] = [];
  const raws: unknown[] = [];
  let cursor = given.text("cursor");
  do {
    const { raw, data } = await session.api.call(route, schema, {
      ...(options.params === undefined ? {} : { params: options.params }),
      query: { ...options.query, limit: limit ?? (all ? PAGE : undefined), cursor },
      signal: session.signal,
    });
    items.push(...data.items);
    raws.push(...rawItems(raw));
    cursor = data.next_cursor ?? undefined;
  } while (all && cursor !== undefined);
  return { items, raw: raws, nextCursor: cursor };
}

function rawItems(raw: unknown): readonly unknown[] {
  if (typeof raw !== "object" || raw === null || !("items" in raw) || !Array.isArray(raw.items)) return [];
  return raw.items;
}

export async function showList<Item extends { readonly id: string }>(
  context: CommandContext,
  { items, raw, nextCursor }: Listed<Item>,
  human: (wide: boolean) => string,
  none: string,
): Promise<void> {
  await show(context, {
    raw: { items: raw, next_cursor: nextCursor ?? null },
    names: items.map(({ id }) => id),
    human,
  });
  if (isMachine(formatOf(context))) return;
  if (items.length === 0) context.terminal.say(none);
  if (nextCursor !== undefined) context.terminal.say(`There are more: --all, or --cursor ${nextCursor}`);
}
