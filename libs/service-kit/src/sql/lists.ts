/** Lists of what a caller may see: by the beginning of an id, and page by page, newest first. */
import type { GroupId } from "@aiep/contracts";
import type { VisibleGroups } from "../auth/access.ts";
import { decodeCursor, type PageQuery, pageOf } from "../http/page-cursor.ts";
import { allOf, compare, groupsAmong, oneOf, startsWith } from "./conditions.ts";
import type { SqlExecutor } from "./pool.ts";
import { type Sql, sql } from "./sql.ts";

export interface ListedPage<Item> {
  readonly items: readonly Item[];
  readonly nextCursor: string | null;
}

/** What `findVisible` looks among. `columns`: id first; `where`: what every row of the list keeps. */
export async function rowsByPrefix<Row extends object>(
  pool: Pick<SqlExecutor, "query">,
  given: { readonly table: string; readonly columns: string; readonly where?: string },
  prefix: string,
  groups: VisibleGroups,
  limit: number,
): Promise<readonly Row[]> {
  if (groups !== "all" && groups.length === 0) return [];
  const where = allOf([
    ...(given.where === undefined ? [] : [sql(given.where)]),
    ...startsWith("id", prefix),
    ...oneOf("group_id", groups === "all" ? undefined : groups),
  ]);
  return await pool.query<Row>(
    `SELECT ${given.columns} FROM ${given.table} WHERE ${where.text} ORDER BY seq DESC LIMIT ?`,
    [...where.values, limit],
  );
}

export interface PageSource {
  /** `SELECT … FROM …`, with columns `seq` and `group_id`. */
  readonly select: string;
  /** Of the table they belong to, such as `s.`. */
  readonly alias?: string;
  readonly where: readonly Sql[];
}

/** A page of the groups that are both asked for and visible. Throws BAD_CURSOR. */
export async function pageOfRows<Row extends { readonly seq: number }>(
  pool: Pick<SqlExecutor, "query">,
  { select, alias = "", where: conditions }: PageSource,
  query: PageQuery & { readonly group_id?: readonly GroupId[] | undefined },
  groups: VisibleGroups,
): Promise<ListedPage<Row>> {
  const visible = groupsAmong(query.group_id, groups);
  if (visible?.length === 0) return { items: [], nextCursor: null };
  const where = allOf([
    ...conditions,
    ...oneOf(`${alias}group_id`, visible),
    ...compare(`${alias}seq <`, decodeCursor(query)),
  ]);
  const rows = await pool.query<Row>(`${select} WHERE ${where.text} ORDER BY ${alias}seq DESC LIMIT ?`, [
    ...where.values,
    query.limit + 1,
  ]);
  return pageOf(rows, query);
}
