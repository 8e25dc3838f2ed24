/** Statements made from columns and their values. */
import { rowsOf, type Sql, type SqlValue, sql } from "@aiep/service-kit";

type Columns = Readonly<Record<string, SqlValue>>;

export function insertRow(table: string, columns: Columns): Sql {
  const names = Object.keys(columns);
  return sql(
    `INSERT INTO ${table} (${names.join(", ")}) VALUES ${rowsOf(1, names.length)}`,
    Object.values(columns),
  );
}

export function updateRow(table: string, id: string, columns: Columns): Sql {
  const assignments = Object.keys(columns).map((name) => `${name} = ?`);
  return sql(`UPDATE ${table} SET ${assignments.join(", ")} WHERE id = ?`, [...Object.values(columns), id]);
}
