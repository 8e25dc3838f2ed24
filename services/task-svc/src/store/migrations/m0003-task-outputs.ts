import { Migration } from "@mikro-orm/migrations";

/** What a task left for others; small, beside the rest of its status. */
export class TaskOutputs extends Migration {
  override up(): void {
    this.addSql("ALTER TABLE tasks ADD COLUMN outputs MEDIUMTEXT NULL");
  }
}
