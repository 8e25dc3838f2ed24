import { Migration } from "@mikro-orm/migrations";

/** What is old is found without reading what is not. */
export class Retention extends Migration {
  override up(): void {
    this.addSql("ALTER TABLE fires ADD KEY fires_finished (finished_at)");
    this.addSql(
      "ALTER TABLE run_lineage ADD KEY run_lineage_fire (fire_id), ADD KEY run_lineage_age (created_at)",
    );
    this.addSql("ALTER TABLE backfills ADD KEY backfills_finished (finished_at)");
  }
}
