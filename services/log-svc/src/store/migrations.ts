/**
 * Schema of the log store's own database (D3). Ids are binary collated: 'abc' is not 'ABC'.
 *
 * log_sources    a row per source: what of it is stored, and the write position that fences a second writer
 * log_segments   what the bytes [position, position + length) of a source are: a chunk in the object store, or a gap
 * tasks          projection of the TASK events: whose a log is, and whether more will come
 */
import { CONSUMER_VERSIONS_DDL } from "@aiep/service-kit";
import { Migration } from "@mikro-orm/migrations";

const TABLE = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin";
const ID = "CHARACTER SET ascii COLLATE ascii_bin NOT NULL";

const CREATE_TASKS = `CREATE TABLE tasks (
  task_id CHAR(32) ${ID} PRIMARY KEY,
  group_id VARCHAR(64) ${ID},
  state VARCHAR(16) ${ID},
  attempt INT UNSIGNED NOT NULL,
  nodes JSON NOT NULL,
  finished_at DATETIME(3) NULL,
  deleted BOOLEAN NOT NULL DEFAULT FALSE,
  expired BOOLEAN NOT NULL DEFAULT FALSE,
  KEY retention (expired, finished_at),
  KEY deleted_tasks (deleted)
) ${TABLE}`;

const CREATE_SOURCES = `CREATE TABLE log_sources (
  id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  source VARCHAR(255) ${ID},
  task_id CHAR(32) ${ID},
  group_id VARCHAR(64) ${ID},
  node VARCHAR(16) ${ID},
  attempt INT UNSIGNED NOT NULL,
  next_position BIGINT UNSIGNED NOT NULL DEFAULT 0,
  line_count BIGINT UNSIGNED NOT NULL DEFAULT 0,
  first_time CHAR(30) CHARACTER SET ascii NULL,
  last_time CHAR(30) CHARACTER SET ascii NULL,
  complete BOOLEAN NOT NULL DEFAULT FALSE,
  UNIQUE KEY by_task (task_id, source)
) ${TABLE}`;

const CREATE_SEGMENTS = `CREATE TABLE log_segments (
  source_id INT UNSIGNED NOT NULL,
  position BIGINT UNSIGNED NOT NULL,
  length BIGINT UNSIGNED NOT NULL,
  line_count INT UNSIGNED NOT NULL,
  first_time CHAR(30) CHARACTER SET ascii NULL,
  last_time CHAR(30) CHARACTER SET ascii NULL,
  object_key VARCHAR(512) CHARACTER SET ascii COLLATE ascii_bin NULL,
  stored_bytes INT UNSIGNED NOT NULL DEFAULT 0,
  gap VARCHAR(8) CHARACTER SET ascii NULL,
  PRIMARY KEY (source_id, position)
) ${TABLE}`;

class Migration20261121Initial extends Migration {
  override up(): void {
    for (const statement of [CREATE_TASKS, CREATE_SOURCES, CREATE_SEGMENTS, CONSUMER_VERSIONS_DDL])
      this.addSql(statement);
  }
}

/** When a source last grew: logs of tasks that never end expire by that. */
class Migration20261121SourceAge extends Migration {
  override up(): void {
    this.addSql(
      "ALTER TABLE log_sources ADD COLUMN changed_at DATETIME(3) NULL, ADD KEY by_age (changed_at)",
    );
    this.addSql("UPDATE log_sources SET changed_at = UTC_TIMESTAMP(3)");
  }
}

export const MIGRATIONS = [
  { name: "Migration20261121Initial", class: Migration20261121Initial },
  { name: "Migration20261121SourceAge", class: Migration20261121SourceAge },
];
