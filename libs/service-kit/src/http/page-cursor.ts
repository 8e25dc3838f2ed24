/** Cursors of lists that page by a growing number, newest first; a cursor belongs to the filter it was made with (D30). */
import { createHash } from "node:crypto";
import { AiepError } from "@aiep/contracts";
import * as z from "zod";

const shape = z.strictObject({ seq: z.int().min(1), filter: z.string() });

/** Every filter of a list; `cursor` and `limit` may change from page to page. */
export interface PageQuery {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

function encodeCursor(seq: number, query: PageQuery): string {
  return Buffer.from(JSON.stringify({ seq, filter: filterHash(query) })).toString("base64url");
}

/** The number below which the page begins; undefined on the first. Throws BAD_CURSOR. */
export function decodeCursor(query: PageQuery): number | undefined {
  if (query.cursor === undefined) return undefined;
  const parsed = shape.safeParse(jsonOf(query.cursor));
  if (!parsed.success) throw new AiepError("BAD_CURSOR", "The cursor is not one of this list's.");
  if (parsed.data.filter !== filterHash(query))
    throw new AiepError("BAD_CURSOR", "The cursor belongs to a list with other filters.");
  return parsed.data.seq;
}

/** A page cut from one row more than asked for, which says whether there is another. */
export function pageOf<Row extends { readonly seq: number }>(rows: readonly Row[], query: PageQuery) {
  const items = rows.slice(0, query.limit);
  const last = items.at(-1);
  const more = rows.length > items.length && last !== undefined;
  return { items, nextCursor: more ? encodeCursor(last.seq, query) : null };
}

function filterHash({ cursor: _cursor, limit: _limit, ...filter }: PageQuery): string {
  const text = JSON.stringify(Object.entries(filter).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return createHash("sha256").update(text).digest("base64url").slice(0, 16);
}

function jsonOf(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
}
