/** SQL as values: text with `?` placeholders beside its values, formatted only at the edge. */
import { format as formatSql } from "mysql2";

export type SqlValue = string | number | bigint | boolean | null | Date | Uint8Array;

export interface Sql {
  readonly text: string;
  readonly values: readonly SqlValue[];
}

export function sql(text: string, values: readonly SqlValue[] = []): Sql {
  return { text, values };
}

/** One statement with its values escaped; times in UTC. Needs a session without NO_BACKSLASH_ESCAPES (see pool.ts). */
export function format(statement: Sql): string {
  const values = statement.values.map((value) =>
    value instanceof Uint8Array && !Buffer.isBuffer(value) ? Buffer.from(value) : value,
  );
  return formatSql(statement.text, values, false, "Z");
}

/** `(?, ?), (?, ?)` for a multi-row VALUES or IN. */
export function rowsOf(rows: number, columns: number): string {
  const row = `(${Array.from({ length: columns }, () => "?").join(", ")})`;
  return Array.from({ length: rows }, () => row).join(", ");
}

/** A JSON column: MySQL and MariaDB both arrive as text here. */
export function fromJson(value: unknown): unknown {
  return typeof value === "string" ? JSON.parse(value) : value;
}
