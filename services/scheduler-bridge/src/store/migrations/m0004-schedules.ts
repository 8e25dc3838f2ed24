import { Migration } from "@mikro-orm/migrations";
import { TABLE } from "./table.ts";

const SCHEDULES = `CREATE TABLE schedules (
  seq BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  id CHAR(32) NOT NULL,
  version INT UNSIGNED NOT NULL,
  group_id VARCHAR(64) NOT NULL,
  name VARCHAR(253) NOT NULL,
  experiment_id CHAR(32) NOT NULL,
  version_name VARCHAR(32) NULL,
  cron VARCHAR(200) NOT NULL,
  time_zone VARCHAR(64) NOT NULL,
  parameters MEDIUMTEXT NOT NULL,
  misfire VARCHAR(16) NOT NULL,
  max_catch_up INT UNSIGNED NOT NULL,
  overlap VARCHAR(16) NOT NULL,
  max_queued INT UNSIGNED NOT NULL,
  starts_at DATETIME(3) NULL,
  ends_at DATETIME(3) NULL,
  paused TINYINT(1) NOT NULL,
  deleted TINYINT(1) NOT NULL DEFAULT 0,
  planned_until DATETIME(3) NOT NULL,
  next_fire_at DATETIME(3) NULL,
  publication_id CHAR(32) NULL,
  owner VARCHAR(253) NOT NULL,
  created_at DATETIME(3) NOT NULL,
  updated_at DATETIME(3) NOT NULL,
  UNIQUE KEY schedules_id (id),
  UNIQUE KEY schedules_publication (publication_id),
  KEY schedules_due (next_fire_at),
  KEY schedules_group (group_id, seq),
  KEY schedules_experiment (experiment_id, seq)
) ${TABLE}`;

const BACKFILLS = `CREATE TABLE backfills (
  seq BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  id CHAR(32) NOT NULL,
  version INT UNSIGNED NOT NULL,
  schedule_id CHAR(32) NOT NULL,
  group_id VARCHAR(64) NOT NULL,
  from_day CHAR(8) NOT NULL,
  to_day CHAR(8) NOT NULL,
  parallelism INT UNSIGNED NOT NULL,
  backwards TINYINT(1) NOT NULL,
  stop_on_failure TINYINT(1) NOT NULL,
  parameters MEDIUMTEXT NOT NULL,
  state VARCHAR(16) NOT NULL,
  message TEXT NULL,
  total INT UNSIGNED NOT NULL,
  started INT UNSIGNED NOT NULL,
  succeeded INT UNSIGNED NOT NULL,
  failed INT UNSIGNED NOT NULL,
  created_by VARCHAR(253) NOT NULL,
  created_at DATETIME(3) NOT NULL,
  finished_at DATETIME(3) NULL,
  UNIQUE KEY backfills_id (id),
  KEY backfills_schedule (schedule_id, seq),
  KEY backfills_open (state)
) ${TABLE}`;

export class Schedules extends Migration {
  override up(): void {
    for (const statement of [SCHEDULES, BACKFILLS]) this.addSql(statement);
  }
}
