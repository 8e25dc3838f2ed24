/** SQL as values: text with `?` placeholders beside its values, formatted only at the edge. */
import { escape as escapeSql, format as formatSql } from "mysql2";

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
  const pieces = piecesOf(statement.text);
  const { values } = statement;
  // Placeholders beside literals or comments, or not as many as values, are the driver's to find.
  if (pieces === undefined || pieces.length !== values.length + 1) {
    return formatSql(statement.text, values.map(driverValue), false, "Z");
  }
  let text = pieces[0] ?? "";
  for (const [index, value] of values.entries()) {
    text += escapeSql(driverValue(value), false, "Z") + (pieces[index + 1] ?? "");
  }
  return text;
}

const driverValue = (value: SqlValue): SqlValue =>
  value instanceof Uint8Array && !Buffer.isBuffer(value) ? Buffer.from(value) : value;

/** Texts between the placeholders. The same few statements are sent over and over: each is cut once. */
const cut = new Map<string, readonly string[] | undefined>();
const MOST_CUT = 500;

function piecesOf(text: string): readonly string[] | undefined {
  if (cut.has(text)) return cut.get(text);
  const pieces = /["'`#]|--|\/\*|\?\?/.test(text) ? undefined : text.split("?");
  if (cut.size >= MOST_CUT) cut.clear();
  cut.set(text, pieces);
  return pieces;
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
