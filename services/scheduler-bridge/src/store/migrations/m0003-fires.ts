import { Migration } from "@mikro-orm/migrations";
import { TABLE } from "./table.ts";

const FIRES = `CREATE TABLE fires (
  seq BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  id CHAR(32) NOT NULL,
  fire_key VARCHAR(512) NOT NULL,
  version INT UNSIGNED NOT NULL,
  kind VARCHAR(16) NOT NULL,
  source_id CHAR(32) NOT NULL,
  backfill_id CHAR(32) NULL,
  external_id VARCHAR(256) NOT NULL,
  group_id VARCHAR(64) NOT NULL,
  experiment_id CHAR(32) NOT NULL,
  version_name VARCHAR(32) NULL,
  state VARCHAR(16) NOT NULL,
  reason VARCHAR(64) NULL,
  message TEXT NULL,
  scheduled_at DATETIME(3) NULL,
  run_date CHAR(8) NULL,
  parameters MEDIUMTEXT NOT NULL,
  requested_by VARCHAR(253) NOT NULL,
  run_id CHAR(32) NULL,
  run_version INT UNSIGNED NOT NULL DEFAULT 0,
  depth TINYINT UNSIGNED NOT NULL,
  lineage TEXT NOT NULL,
  wait_token_hash CHAR(64) NULL,
  last_wait_at DATETIME(3) NULL,
  lease_checked_at DATETIME(3) NULL,
  created_at DATETIME(3) NOT NULL,
  finished_at DATETIME(3) NULL,
  UNIQUE KEY fires_id (id),
  UNIQUE KEY fires_key (fire_key),
  KEY fires_run (run_id),
  KEY fires_source (source_id, state, seq),
  KEY fires_backfill (backfill_id, seq),
  KEY fires_group (group_id, seq),
  KEY fires_experiment (experiment_id, seq),
  KEY fires_waits (state, last_wait_at)
) ${TABLE}`;

/** What a waiting caller prints: changes of nodes, one a line. */
const FIRE_LINES = `CREATE TABLE fire_lines (
  fire_id CHAR(32) NOT NULL,
  number INT UNSIGNED NOT NULL,
  text VARCHAR(2048) NOT NULL,
  PRIMARY KEY (fire_id, number)
) ${TABLE}`;

/** Runs that a fire caused, itself or through child runs and reruns: what the loop guard looks back along. */
const LINEAGE = `CREATE TABLE run_lineage (
  run_id CHAR(32) NOT NULL PRIMARY KEY,
  fire_id CHAR(32) NOT NULL,
  created_at DATETIME(3) NOT NULL
) ${TABLE}`;

/** Webhooks as they came, kept for a while: the replay store, and an administrator's second try. */
const DELIVERIES = `CREATE TABLE deliveries (
  seq BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  publication_id CHAR(32) NOT NULL,
  webhook_id VARCHAR(128) NOT NULL,
  body_hash CHAR(64) NOT NULL,
  body MEDIUMBLOB NOT NULL,
  received_at DATETIME(3) NOT NULL,
  outcome VARCHAR(64) NOT NULL,
  fire_id CHAR(32) NULL,
  UNIQUE KEY deliveries_id (publication_id, webhook_id),
  KEY deliveries_age (received_at)
) ${TABLE}`;

export class Fires extends Migration {
  override up(): void {
    for (const statement of [FIRES, FIRE_LINES, LINEAGE, DELIVERIES]) this.addSql(statement);
  }
}
