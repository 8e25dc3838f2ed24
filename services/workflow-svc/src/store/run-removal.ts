/**
 * Runs that go: somebody deleted them, or they are older than runs are kept (I10). In three steps, each begun again wherever a
 * crash left it:
 *
 * Z1 Marked: `deleted_at`, the run's next version and `run_deleted` are one transaction, and only of a run that has ended. From
 *    then on nobody finds it.
 * Z2 Emptied: nodes, attempts and parameters go in short transactions; nobody reads them any more.
 * Z3 Forgotten: the row goes last, and with it all events of the run at once, so that a stream is never filled again with the
 *    end of a history alone. As long as it is there the id is taken, should its command come once more (I2; later the inbox
 *    alone knows), and a writer that was paused long ago is fenced (R2).
 * Z4 What a live run still reads is not deleted: the run whose results it takes over, and its children. Who starts such a run
 *    locks the same row (`keepBase`). By age a child goes after its parent, so that no run is left with half of its story.
 */
import { type RunId, runDeleted } from "@aiep/contracts";
import { type CommitQueue, type Failpoints, NO_FAILPOINTS, type SqlExecutor, sql } from "@aiep/service-kit";
import { eventRow, identityOf, type OutboxAddress, RUN_AGGREGATE } from "./outbox.ts";
import { RUN_COLUMNS, type RunColumns, runRecordOf } from "./run-rows.ts";
import type { ChangeContext, RunRecord } from "./run-store.ts";

export type Marked =
  | { readonly outcome: "deleted" }
  /** There is none, or it was deleted before. */
  | { readonly outcome: "gone" }
  | { readonly outcome: "live" }
  | { readonly outcome: "needed"; readonly by: RunId };

export interface MarkOptions extends ChangeContext {
  /** Null: it is older than runs are kept. */
  readonly by: string | null;
  readonly now: Date;
}

export interface RunRemoval {
  /** Z1. */
  mark(id: RunId, options: MarkOptions): Promise<Marked>;
  /** Runs that ended before then and that nothing keeps (Z4), oldest first. */
  expired(before: Date, limit: number): Promise<readonly RunId[]>;
  /** Z2, of at most so many marked runs. How many were emptied. */
  empty(limit: number, signal: AbortSignal): Promise<number>;
  /** Z3, of at most so many runs that were marked before then. How many were forgotten. */
  forget(before: Date, limit: number, signal: AbortSignal): Promise<number>;
}

export interface RunRemovalDeps {
  readonly pool: Pick<SqlExecutor, "query" | "execute">;
  readonly commits: Pick<CommitQueue, "transaction">;
  readonly address: OutboxAddress;
  readonly failpoints?: Failpoints;
  /** Rows of one short transaction; default 1 000. */
  readonly step?: number;
}

export function createRunRemoval(deps: RunRemovalDeps): RunRemoval {
  const { pool, commits, address, failpoints = NO_FAILPOINTS, step = 1_000 } = deps;
  /** Row by row from one table, in short transactions; false when it was told to leave off. */
  const removeAll = async (from: string, id: RunId, signal: AbortSignal): Promise<boolean> => {
    for (let gone = step; gone === step; ) {
      if (signal.aborted) return false;
      gone = (await pool.execute(`DELETE FROM ${from} LIMIT ${step}`, [id])).affectedRows;
      await failpoints.hit("run.removal-step");
    }
    return true;
  };
  const each = async (
    ids: readonly { readonly id: RunId }[],
    tables: readonly string[],
    last: string,
    signal: AbortSignal,
  ): Promise<number> => {
    for (const [done, { id }] of ids.entries()) {
      for (const from of tables) if (!(await removeAll(from, id, signal))) return done;
      await pool.execute(last, [id]);
    }
    return ids.length;
  };

  return {
    mark: async (id, { by, now, ...context }) =>
      await commits.transaction(async (tx) => {
        const [row] = await tx.query<RunColumns>(
          `SELECT ${RUN_COLUMNS.join(", ")} FROM runs WHERE id = ? AND deleted_at IS NULL FOR UPDATE`,
          [id],
        );
        if (row === undefined) return { outcome: "gone" };
        const run = runRecordOf(row);
        if (run.status.finishedAt === null) return { outcome: "live" };
        const user = await liveUser(tx, run);
        if (user !== undefined) return { outcome: "needed", by: user };
        const version = run.status.version + 1;
        const event = { definition: runDeleted, data: { ...identityOf(run.facts), deleted_by: by } };
        await tx.multi([
          sql("UPDATE runs SET version = ?, deleted_at = ? WHERE id = ?", [version, now, id]),
          eventRow(run.facts, event, version, { address, now, context }),
        ]);
        await failpoints.hit("run.removal-before-commit");
        return { outcome: "deleted" };
      }),

    expired: async (before, limit) => {
      const rows = await pool.query<{ id: RunId }>(
        `SELECT runs.id FROM runs
         LEFT JOIN runs AS rerun ON rerun.base_run_id = runs.id AND rerun.live = 1
         LEFT JOIN runs AS parent ON runs.origin_kind = 'sub_workflow' AND parent.id = runs.parent_run_id
           AND parent.deleted_at IS NULL
         WHERE runs.emptied = 0 AND runs.deleted_at IS NULL AND runs.finished_at < ?
           AND rerun.id IS NULL AND parent.id IS NULL
         ORDER BY runs.finished_at LIMIT ?`,
        [before, limit],
      );
      return rows.map(({ id }) => id);
    },

    empty: async (limit, signal) => {
      const marked = await pool.query<{ id: RunId }>(
        "SELECT id FROM runs WHERE emptied = 0 AND deleted_at IS NOT NULL LIMIT ?",
        [limit],
      );
      return await each(
        marked,
        ["run_nodes WHERE run_id = ?", "run_attempts WHERE run_id = ?"],
        "UPDATE runs SET emptied = 1, parameters = '{}', selected = '[]', message = NULL WHERE id = ?",
        signal,
      );
    },

    forget: async (before, limit, signal) => {
      const history = `outbox WHERE aggregate_type = '${RUN_AGGREGATE}' AND aggregate_id`;
      const old = await pool.query<{ id: RunId }>(
        `SELECT id FROM runs WHERE emptied = 1 AND deleted_at < ?
           AND NOT EXISTS (SELECT 1 FROM ${history} = runs.id AND published_at IS NULL)
         ORDER BY deleted_at LIMIT ?`,
        [before, limit],
      );
      return await each(old, [`${history} = ?`], "DELETE FROM runs WHERE id = ?", signal);
    },
  };
}

/** Z4. The run's row is locked: nobody begins to need it meanwhile. */
async function liveUser(tx: SqlExecutor, { facts }: RunRecord): Promise<RunId | undefined> {
  const { kind, parent_run_id: parent } = facts.origin;
  const [user] = await tx.query<{ id: RunId }>(
    `SELECT id FROM runs WHERE base_run_id = ? AND live = 1
     UNION ALL SELECT id FROM runs WHERE id = ? AND live = 1 LIMIT 1`,
    [facts.id, kind === "sub_workflow" ? (parent ?? null) : null],
  );
  return user?.id;
}
