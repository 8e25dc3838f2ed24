/** What the collector of unused code packages asks of the database, and tells it. */
import type { CodePackageId } from "@aiep/contracts";
import { rowsOf, type SqlPool } from "@aiep/service-kit";

export interface CodePackageRows {
  /** Packages not asked for since then that no task needs; a deleted task needs none. */
  unused(before: Date, limit: number): Promise<readonly CodePackageId[]>;
  /** False when it was asked for meanwhile, or is gone. */
  forget(id: CodePackageId, before: Date): Promise<boolean>;
  /** Which of these contents some group still has a package of. */
  known(sha256s: readonly string[]): Promise<ReadonlySet<string>>;
}

export function createCodePackageRows(pool: SqlPool): CodePackageRows {
  return {
    unused: async (before, limit) => {
      const rows = await pool.query<{ id: CodePackageId }>(
        `SELECT id FROM code_packages WHERE last_used_at < ? AND NOT EXISTS (
           SELECT 1 FROM tasks WHERE tasks.code_package_id = code_packages.id AND tasks.deleted_at IS NULL)
         ORDER BY last_used_at LIMIT ?`,
        [before, limit],
      );
      return rows.map(({ id }) => id);
    },
    forget: async (id, before) => {
      const { affectedRows } = await pool.execute(
        "DELETE FROM code_packages WHERE id = ? AND last_used_at < ?",
        [id, before],
      );
      return affectedRows > 0;
    },
    known: async (sha256s) => {
      if (sha256s.length === 0) return new Set();
      const rows = await pool.query<{ sha256: string }>(
        `SELECT DISTINCT sha256 FROM code_packages WHERE sha256 IN ${rowsOf(1, sha256s.length)}`,
        [...sha256s],
      );
      return new Set(rows.map(({ sha256 }) => sha256));
    },
  };
}
