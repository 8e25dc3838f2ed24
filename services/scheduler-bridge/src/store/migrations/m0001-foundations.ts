import { SERVICE_KIT_DDL } from "@aiep/service-kit";
import { Migration } from "@mikro-orm/migrations";
import { TABLE } from "./table.ts";

/** What events told of experiments: whose they are, and which versions are frozen. */
const EXPERIMENTS = `CREATE TABLE experiments (
  id CHAR(32) NOT NULL PRIMARY KEY,
  group_id VARCHAR(64) NOT NULL,
  name VARCHAR(253) NOT NULL,
  deleted TINYINT(1) NOT NULL DEFAULT 0
) ${TABLE}`;

const EXPERIMENT_VERSIONS = `CREATE TABLE experiment_versions (
  experiment_id CHAR(32) NOT NULL,
  number INT UNSIGNED NOT NULL,
  PRIMARY KEY (experiment_id, number)
) ${TABLE}`;

/** One row: since when callers could reach us without a pause, by heartbeats of any replica. */
const PRESENCE = `CREATE TABLE presence (
  id TINYINT UNSIGNED NOT NULL PRIMARY KEY,
  reachable_since DATETIME(3) NOT NULL,
  seen_at DATETIME(3) NOT NULL
) ${TABLE}`;

/** Outbox, inbox, leases and the like; experiments as events told of them. */
export class Foundations extends Migration {
  override up(): void {
    for (const statement of [...SERVICE_KIT_DDL, EXPERIMENTS, EXPERIMENT_VERSIONS, PRESENCE])
      this.addSql(statement);
  }
}
