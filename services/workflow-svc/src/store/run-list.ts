/** Lists of runs: filters as conditions. */
import type { ListRunsQuery } from "@aiep/contracts";
import { compare, equal, oneOf, type Sql, sql } from "@aiep/service-kit";

const dateOf = (text: string | undefined) => (text === undefined ? undefined : new Date(text));

/** Groups and the cursor are the page's own. */
export function listConditions(query: ListRunsQuery): readonly Sql[] {
  return [
    sql("deleted_at IS NULL"),
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
  ];
}
