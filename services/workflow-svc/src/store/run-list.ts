/** Lists of runs: filters as conditions. */
import type { GroupId, ListRunsQuery } from "@aiep/contracts";
import { allOf, compare, decodeCursor, equal, groupsAmong, oneOf, type Sql, sql } from "@aiep/service-kit";
import { RUN_COLUMNS } from "./run-rows.ts";

const dateOf = (text: string | undefined) => (text === undefined ? undefined : new Date(text));

/** One row more than the page, to know whether there is another. Undefined when no run can match. */
export function listStatement(query: ListRunsQuery, groups: readonly GroupId[] | "all"): Sql | undefined {
  const visible = groupsAmong(query.group_id, groups);
  if (visible?.length === 0) return undefined;
  const where = allOf([
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
    ...compare("created_at >", dateOf(query.created_after)),
    ...compare("created_at <", dateOf(query.created_before)),
    ...compare("seq <", decodeCursor(query)),
  ]);
  return sql(`SELECT ${RUN_COLUMNS.join(", ")} FROM runs WHERE ${where.text} ORDER BY seq DESC LIMIT ?`, [
    ...where.values,
    query.limit + 1,
  ]);
}
