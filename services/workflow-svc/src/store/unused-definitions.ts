/**
 * Definitions that nothing names any more go after a while (I10): every save of a draft leaves the one before behind.
 *
 * U1 what a transaction under way is about to name is not removed: storing a definition renews its age (`definitions.ts`), and
 *    the age is looked at again once the row's lock is had. (MariaDB locks what the conditions read as well; MySQL need not.)
 */
import { type SqlPool, sql } from "@aiep/service-kit";

const KEPT_DAYS = 2;
/** Short transactions, so that nobody waits for them. */
const ROWS = 100;

/** How many were removed. */
export async function removeUnusedDefinitions(pool: SqlPool, keptDays = KEPT_DAYS): Promise<number> {
  let removed = 0;
  for (let gone = ROWS; gone === ROWS; ) {
    const { affectedRows } = await pool.execute(
      sql(
        `DELETE FROM definitions WHERE created_at < UTC_TIMESTAMP(3) - INTERVAL ? DAY
           AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.digest = definitions.digest AND runs.deleted_at IS NULL)
           AND NOT EXISTS (SELECT 1 FROM experiments WHERE experiments.draft_digest = definitions.digest
                           AND experiments.deleted_at IS NULL)
           AND NOT EXISTS (SELECT 1 FROM experiment_versions
                           JOIN experiments ON experiments.id = experiment_versions.experiment_id
                           WHERE experiment_versions.digest = definitions.digest AND experiments.deleted_at IS NULL)
           AND NOT EXISTS (SELECT 1 FROM workflow_templates WHERE workflow_templates.digest = definitions.digest)
         LIMIT ${ROWS}`,
        [keptDays],
      ),
    );
    gone = affectedRows;
    removed += gone;
  }
  return removed;
}
