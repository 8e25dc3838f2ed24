import type { SqlPool } from "./pool.ts";

/** MySQL's limit on the name of a lock. */
const MAX_NAME = 64;

/**
 * Runs `work` while no other process runs anything under this name in the same database, e.g. migrations when several
 * replicas start at once. The lock belongs to a connection, so it goes with a process that dies.
 */
export async function withDatabaseLock<T>(
  pool: SqlPool,
  name: string,
  options: { readonly waitSeconds: number },
  work: () => Promise<T>,
): Promise<T> {
  return await pool.transaction(async (session) => {
    const [row] = await session.query<{ locked: number | null }>(
      `SELECT GET_LOCK(LEFT(CONCAT(?, DATABASE()), ${MAX_NAME}), ?) AS locked`,
      [`${name}-`, options.waitSeconds],
    );
    if (row?.locked !== 1) throw new Error(`another process has held "${name}" for ${options.waitSeconds} s`);
    try {
      return await work();
    } finally {
      await session.query(`DO RELEASE_LOCK(LEFT(CONCAT(?, DATABASE()), ${MAX_NAME}))`, [`${name}-`]);
    }
  });
}
