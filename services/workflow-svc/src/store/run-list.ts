/** Lists of runs: filters as conditions, and cursors that belong to their filter. */
import { createHash } from "node:crypto";
import { AiepError, type GroupId, type ListRunsQuery } from "@aiep/contracts";
import { rowsOf, type Sql, type SqlValue, sql } from "@aiep/service-kit";
import * as z from "zod";
import { RUN_COLUMNS } from "./run-rows.ts";

const cursorShape = z.strictObject({ seq: z.int().min(1), filter: z.string() });

/** The cursor's filter part: pages of one list share it. */
function filterHash({ cursor: _cursor, limit: _limit, ...filter }: ListRunsQuery): string {
  const text = JSON.stringify(Object.entries(filter).sort(([a], [b]) => (a < b ? -1 : 1)));
  return createHash("sha256").update(text).digest("base64url").slice(0, 16);
}

export function encodeCursor(seq: number, query: ListRunsQuery): string {
  return Buffer.from(JSON.stringify({ seq, filter: filterHash(query) })).toString("base64url");
}

/** Sequence number below which the page begins. */
function decodeCursor(query: ListRunsQuery): number | undefined {
  if (query.cursor === undefined) return undefined;
  const parsed = cursorShape.safeParse(jsonOf(query.cursor));
  if (!parsed.success) throw new AiepError("BAD_CURSOR", "The cursor is not one of this list's.");
  if (parsed.data.filter !== filterHash(query)) {
    throw new AiepError("BAD_CURSOR", "The cursor belongs to a list with other filters.");
  }
  return parsed.data.seq;
}

function jsonOf(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
}

/** One row more than the page, to know whether there is another. Undefined when no run can match. */
export function listStatement(query: ListRunsQuery, groups: readonly GroupId[] | "all"): Sql | undefined {
  const visible = visibleGroups(query.group_id, groups);
  if (visible?.length === 0) return undefined;
  const conditions: Sql[] = [
    ...oneOf("group_id", visible),
    ...oneOf("state", query.state),
    ...oneOf("mode", query.mode),
    ...oneOf("origin_kind", query.origin),
    ...equal("experiment_id", query.experiment_id),
    ...equal("version_name", query.version_name),
    ...equal("publication_id", query.publication_id),
    ...equal("external_id", query.external_id),
    ...equal("run_date", query.run_date),
    ...equal("created_by", query.created_by),
    ...compare("created_at >", query.created_after === undefined ? undefined : new Date(query.created_after)),
    ...compare(
      "created_at <",
      query.created_before === undefined ? undefined : new Date(query.created_before),
    ),
    ...compare("seq <", decodeCursor(query)),
  ];
  const where = conditions.map(({ text }) => text).join(" AND ");
  return sql(
    `SELECT ${RUN_COLUMNS.join(", ")} FROM runs${where === "" ? "" : ` WHERE ${where}`} ORDER BY seq DESC LIMIT ?`,
    [...conditions.flatMap(({ values }) => values), query.limit + 1],
  );
}

function oneOf(column: string, values: readonly string[] | undefined): Sql[] {
  return values === undefined || values.length === 0
    ? []
    : [sql(`${column} IN ${rowsOf(1, values.length)}`, values)];
}

const equal = (column: string, value: SqlValue | undefined): Sql[] => compare(`${column} =`, value);

function compare(comparison: string, value: SqlValue | undefined): Sql[] {
  return value === undefined || value === "" ? [] : [sql(`${comparison} ?`, [value])];
}

function visibleGroups(
  asked: readonly GroupId[] | undefined,
  groups: readonly GroupId[] | "all",
): readonly GroupId[] | undefined {
  if (groups === "all") return asked;
  return asked === undefined ? groups : asked.filter((group) => groups.includes(group));
}
