import { Migration } from "@mikro-orm/migrations";
import { TABLE } from "./table.ts";

const EVENT_TRIGGERS = `CREATE TABLE event_triggers (
  seq BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  id CHAR(32) NOT NULL,
  version INT UNSIGNED NOT NULL,
  group_id VARCHAR(64) NOT NULL,
  name VARCHAR(253) NOT NULL,
  experiment_id CHAR(32) NOT NULL,
  version_name VARCHAR(32) NULL,
  event VARCHAR(256) NOT NULL,
  condition_text TEXT NULL,
  parameters MEDIUMTEXT NOT NULL,
  run_date TEXT NULL,
  max_per_hour INT UNSIGNED NOT NULL,
  paused TINYINT(1) NOT NULL,
  deleted TINYINT(1) NOT NULL DEFAULT 0,
  problem TEXT NULL,
  owner VARCHAR(253) NOT NULL,
  created_at DATETIME(3) NOT NULL,
  updated_at DATETIME(3) NOT NULL,
  UNIQUE KEY event_triggers_id (id),
  KEY event_triggers_group (group_id, seq),
  KEY event_triggers_experiment (experiment_id, seq)
) ${TABLE}`;

/** Outside events that were taken in, by the hash of group, source and id. */
const EXTERNAL_EVENTS = `CREATE TABLE external_events (
  event_key CHAR(64) NOT NULL PRIMARY KEY,
  received_at DATETIME(3) NOT NULL,
  KEY external_events_age (received_at)
) ${TABLE}`;

export class EventTriggers extends Migration {
  override up(): void {
    for (const statement of [EVENT_TRIGGERS, EXTERNAL_EVENTS]) this.addSql(statement);
  }
}
