import { Migration } from "@mikro-orm/migrations";

/** Runs go in steps (`run-removal.ts`): `deleted_at` says that nobody finds it any more, `emptied` that only this row is left. */
const RUNS = `ALTER TABLE runs
  ADD COLUMN deleted_at DATETIME(3) NULL,
  ADD COLUMN emptied TINYINT(1) NOT NULL DEFAULT 0,
  ADD KEY runs_removal (emptied, deleted_at, finished_at),
  ADD KEY runs_base (base_run_id)`;

export class RunRemoval extends Migration {
  override up(): void {
    this.addSql(RUNS);
  }
}
