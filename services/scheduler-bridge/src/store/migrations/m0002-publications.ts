import { Migration } from "@mikro-orm/migrations";
import { TABLE } from "./table.ts";

const PUBLICATIONS = `CREATE TABLE publications (
  seq BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  id CHAR(32) NOT NULL,
  version INT UNSIGNED NOT NULL,
  generation INT UNSIGNED NOT NULL,
  group_id VARCHAR(64) NOT NULL,
  experiment_id CHAR(32) NOT NULL,
  experiment_name VARCHAR(253) NOT NULL,
  scheduler VARCHAR(16) NOT NULL,
  state VARCHAR(16) NOT NULL,
  reason VARCHAR(64) NULL,
  message TEXT NULL,
  wanted MEDIUMTEXT NOT NULL,
  live MEDIUMTEXT NULL,
  standing VARCHAR(16) NOT NULL,
  remote TEXT NOT NULL,
  owner VARCHAR(253) NOT NULL,
  purpose VARCHAR(16) NOT NULL,
  next_attempt_at DATETIME(3) NULL,
  give_up_at DATETIME(3) NULL,
  created_at DATETIME(3) NOT NULL,
  updated_at DATETIME(3) NOT NULL,
  published_at DATETIME(3) NULL,
  UNIQUE KEY publications_id (id),
  UNIQUE KEY publications_binding (experiment_id, scheduler),
  KEY publications_group (group_id, seq),
  KEY publications_due (next_attempt_at)
) ${TABLE}`;

/** A generation keeps the steps it did. */
const STEPS = `CREATE TABLE publication_steps (
  publication_id CHAR(32) NOT NULL,
  generation INT UNSIGNED NOT NULL,
  position SMALLINT UNSIGNED NOT NULL,
  purpose VARCHAR(16) NOT NULL,
  name VARCHAR(64) NOT NULL,
  state VARCHAR(16) NOT NULL,
  attempts INT UNSIGNED NOT NULL,
  message TEXT NULL,
  started_at DATETIME(3) NULL,
  finished_at DATETIME(3) NULL,
  PRIMARY KEY (publication_id, generation, position)
) ${TABLE}`;

/** Two are valid at once: the newest, and the one before until its time. */
const SECRETS = `CREATE TABLE publication_secrets (
  publication_id CHAR(32) NOT NULL,
  number INT UNSIGNED NOT NULL,
  secret VARCHAR(128) NOT NULL,
  valid_until DATETIME(3) NULL,
  PRIMARY KEY (publication_id, number)
) ${TABLE}`;

export class Publications extends Migration {
  override up(): void {
    for (const statement of [PUBLICATIONS, STEPS, SECRETS]) this.addSql(statement);
  }
}
