/**
 * A check by plain SQL over the MySQL protocol: the table exists and holds rows, those of the partition when one is named
 * (its levels are columns), otherwise those of the newest one. All objects in one look.
 *
 * Nothing of the manifest reaches a statement but as a quoted name that `parseObject` let pass, or as a value.
 */
import { AiepError } from "@aiep/contracts";
import { type Sql, sql } from "@aiep/service-kit";
import type { Outcome, Waiting } from "../../component.ts";
import { failed, succeeded } from "../../define.ts";
import type { SqlLooking } from "../handle.ts";
import { objectText, type TableObject } from "../object.ts";
import type { SqlSource } from "../settings.ts";
import { backoffSeconds, hours, listed, MAX_FAILURES, thereOf } from "../words.ts";

const DEFAULT_INTERVAL_SECONDS = 30;

export interface SqlWish {
  readonly source: SqlSource;
  readonly sourceName: string;
  readonly objects: readonly TableObject[];
  readonly timeoutSeconds: number;
  readonly intervalSeconds: number | undefined;
}

type Found =
  | { readonly kind: "there"; readonly newest: string | null }
  | { readonly kind: "missing"; readonly why: string }
  | { readonly kind: "wrong"; readonly why: string };

export async function lookBySql(
  { source, sourceName, objects, timeoutSeconds, intervalSeconds = DEFAULT_INTERVAL_SECONDS }: SqlWish,
  handle: SqlLooking,
  now: number,
): Promise<Waiting | Outcome> {
  const late = now >= handle.began + timeoutSeconds * 1000;
  let found: readonly Found[];
  try {
    found = await Promise.all(objects.map(async (object) => await look(source, object)));
  } catch (error) {
    const failures = handle.failures + 1;
    const what = `The SQL source ${sourceName} cannot be asked (${codeOf(error)})`;
    if (late || failures > MAX_FAILURES)
      return failed(
        "system",
        "SqlSourceUnreachable",
        `${what}, ${failures} times in a row; ask the platform's operators.`,
      );
    return {
      kind: "waiting",
      handle: { ...handle, failures },
      checkAfterSeconds: backoffSeconds(intervalSeconds, failures),
      message: `${what}. It is asked again.`,
    };
  }
  return judge({ found, objects, sourceName, timeoutSeconds, intervalSeconds }, handle, late);
}

function judge(
  given: Omit<SqlWish, "source"> & { readonly found: readonly Found[]; readonly intervalSeconds: number },
  handle: SqlLooking,
  late: boolean,
): Waiting | Outcome {
  const { found, objects, sourceName, timeoutSeconds, intervalSeconds } = given;
  const told = (kind: "missing" | "wrong") =>
    objects.flatMap((object, at) => {
      const one = found[at];
      return one?.kind === kind ? [`${objectText(object)} (${one.why})`] : [];
    });
  const [wrong, missing] = [told("wrong"), told("missing")];
  if (wrong.length > 0) return failed("user", "ObjectWrong", `It can never be there: ${listed(wrong)}.`);
  if (missing.length === 0) {
    const texts = objects.map((object, at) => {
      const one = found[at];
      return one?.kind === "there" && one.newest !== null
        ? `${objectText(object)} (newest: ${one.newest})`
        : objectText(object);
    });
    return succeeded(
      { objects: objects.map(objectText), source: sourceName, rows_checked: true },
      `There and with rows: ${listed(texts)}.`,
    );
  }
  if (late)
    return failed(
      "timeout",
      "DataNotThere",
      `Not there within ${hours(timeoutSeconds)}: ${listed(missing)}.`,
    );
  return {
    kind: "waiting",
    handle: { ...handle, failures: 0 },
    checkAfterSeconds: intervalSeconds,
    message: `Not there yet: ${listed(missing)}; ${thereOf(objects.length - missing.length, objects.length)}.`,
  };
}

async function look({ pool, partitionColumn }: SqlSource, object: TableObject): Promise<Found> {
  const columns = await pool.query<{ name: string }>(
    "SELECT COLUMN_NAME AS name FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?",
    [object.database, object.table],
  );
  if (columns.length === 0) return { kind: "missing", why: "no such table" };
  const known = new Map(columns.map(({ name }) => [name.toLowerCase(), name]));
  const unknown = object.partition.find(({ column }) => !known.has(column.toLowerCase()));
  if (unknown !== undefined) return { kind: "wrong", why: `it has no column ${unknown.column}` };
  const newestBy = object.partition.length === 0 ? known.get(partitionColumn.toLowerCase()) : undefined;
  if (newestBy !== undefined) {
    const [row] = await pool.query<{ newest: string | null }>(
      sql(`SELECT CAST(MAX(${name(newestBy)}) AS CHAR) AS newest FROM ${tableOf(object)}`, []),
    );
    const newest = row?.newest ?? null;
    return newest === null
      ? { kind: "missing", why: "no rows" }
      : { kind: "there", newest: `${newestBy}=${newest}` };
  }
  const rows = await pool.query(anyRow(object));
  return rows.length > 0 ? { kind: "there", newest: null } : { kind: "missing", why: "no rows" };
}

function anyRow(object: TableObject): Sql {
  const { partition } = object;
  const where = partition.map(({ column }) => `${name(column)} = ?`).join(" AND ");
  return sql(
    `SELECT 1 FROM ${tableOf(object)}${where === "" ? "" : ` WHERE ${where}`} LIMIT 1`,
    partition.map(({ value }) => value),
  );
}

/** Names have no backtick: `parseObject` and the server's own catalogue see to it; doubled all the same. */
const name = (text: string): string => `\`${text.replaceAll("`", "``")}\``;
const tableOf = ({ database, table }: TableObject): string => `${name(database)}.${name(table)}`;

/** The driver's word alone: its message may hold the statement. */
function codeOf(error: unknown): string {
  const cause = AiepError.is(error) ? error.cause : error;
  if (cause instanceof Error && "code" in cause && typeof cause.code === "string") return cause.code;
  return AiepError.is(error) ? error.code : "it does not answer";
}
