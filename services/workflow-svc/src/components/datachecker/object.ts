/**
 * What is looked for: `db.table`, or `db.table{ds=20260301/ph=05}` with every level of the partition, as Linkis and Schedulis
 * write it. Blanks and quotes do not count. Pure.
 */
export interface TableObject {
  readonly database: string;
  readonly table: string;
  /** In the table's order; empty: the table itself, with its newest partition. */
  readonly partition: readonly { readonly column: string; readonly value: string }[];
}

export type ParsedObject =
  | { readonly ok: true; readonly object: TableObject }
  | { readonly ok: false; readonly detail: string };

const NAME = /^[\p{L}\p{N}_][\p{L}\p{N}_-]{0,127}$/u;
/** What ends an object, or a list of objects, for one of those who read them. */
const UNSAFE_VALUE = /[{}/;\\`\p{Cc}]/u;

const no = (detail: string): ParsedObject => ({ ok: false, detail });

export function parseObject(text: string): ParsedObject {
  const match = /^([^{}]*)(?:\{([^{}]*)\})?$/.exec(text.replace(/[\s'"]/g, ""));
  if (match === null) return no("the braces are not right; write db.table or db.table{ds=20260301}");
  const [, name = "", levels] = match;
  const [database = "", table = "", ...rest] = name.split(".");
  if (rest.length > 0 || !NAME.test(database) || !NAME.test(table))
    return no("write db.table or db.table{ds=20260301}, names of letters, digits, '_' and '-'");
  if (levels === undefined) return { ok: true, object: { database, table, partition: [] } };
  const partition: TableObject["partition"][number][] = [];
  for (const level of levels.split("/")) {
    const at = level.indexOf("=");
    const [column, value] = [level.slice(0, at), level.slice(at + 1)];
    if (at < 1 || !NAME.test(column) || value === "" || UNSAFE_VALUE.test(value))
      return no("a partition is column=value, its levels joined by '/': {ds=20260301/ph=05}");
    if (partition.some((each) => each.column === column)) return no(`the partition names ${column} twice`);
    partition.push({ column, value });
  }
  return { ok: true, object: { database, table, partition } };
}

/** As Linkis reads and logs it. */
export function objectText({ database, table, partition }: TableObject): string {
  const levels = partition.map(({ column, value }) => `${column}=${value}`).join("/");
  return `${database}.${table}${levels === "" ? "" : `{${levels}}`}`;
}
