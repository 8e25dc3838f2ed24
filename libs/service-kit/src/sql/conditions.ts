/** WHERE clauses of lists, put together from the filters that were given. */
import type { GroupId } from "@aiep/contracts";
import type { VisibleGroups } from "../auth/access.ts";
import { rowsOf, type Sql, type SqlValue, sql } from "./sql.ts";

export function oneOf(column: string, values: readonly string[] | undefined): Sql[] {
  return values === undefined || values.length === 0
    ? []
    : [sql(`${column} IN ${rowsOf(1, values.length)}`, values)];
}

export const equal = (column: string, value: SqlValue | undefined): Sql[] => compare(`${column} =`, value);

export function compare(comparison: string, value: SqlValue | undefined): Sql[] {
  return value === undefined || value === "" ? [] : [sql(`${comparison} ?`, [value])];
}

export function startsWith(column: string, prefix: string | undefined): Sql[] {
  if (prefix === undefined || prefix === "") return [];
  return [sql(`${column} LIKE ?`, [`${prefix.replace(/[\\%_]/g, (each) => `\\${each}`)}%`])];
}

/** Groups both asked for and visible; undefined: any. An empty list matches nothing. */
export function groupsAmong(
  asked: readonly GroupId[] | undefined,
  visible: VisibleGroups,
): readonly GroupId[] | undefined {
  if (visible === "all") return asked;
  return asked === undefined ? visible : asked.filter((group) => visible.includes(group));
}

/** All of them; without any, everything. */
export function allOf(conditions: readonly Sql[]): Sql {
  if (conditions.length === 0) return sql("1 = 1");
  return sql(
    conditions.map(({ text }) => text).join(" AND "),
    conditions.flatMap(({ values }) => values),
  );
}
