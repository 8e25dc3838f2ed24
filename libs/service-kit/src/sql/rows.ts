/** Statements made from columns and their values. */
import { rowsOf, type Sql, type SqlValue, sql } from "./sql.ts";

export type Columns = Readonly<Record<string, SqlValue>>;

export function insertRow(table: string, columns: Columns): Sql {
  const names = Object.keys(columns);
  return sql(
    `INSERT INTO ${table} (${names.join(", ")}) VALUES ${rowsOf(1, names.length)}`,
    Object.values(columns),
  );
}

/** Of the row with this id; `where`: what else must hold. */
export function updateRow(table: string, id: string, columns: Columns, where: Columns = {}): Sql {
  const assignments = Object.keys(columns).map((name) => `${name} = ?`);
  const conditions = ["id = ?", ...Object.keys(where).map((name) => `${name} = ?`)];
  return sql(`UPDATE ${table} SET ${assignments.join(", ")} WHERE ${conditions.join(" AND ")}`, [
    ...Object.values(columns),
    id,
    ...Object.values(where),
  ]);
}
