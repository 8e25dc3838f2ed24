import { Migration } from "@mikro-orm/migrations";

const table = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin";

/** Definitions are named by digest and lie in `definitions`. */
const EXPERIMENTS = `CREATE TABLE experiments (
  seq BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  id CHAR(32) NOT NULL,
  version INT UNSIGNED NOT NULL,
  group_id VARCHAR(64) NOT NULL,
  name VARCHAR(253) NOT NULL,
  description TEXT NULL,
  draft_version INT UNSIGNED NOT NULL,
  draft_digest CHAR(64) NOT NULL,
  draft_nodes INT UNSIGNED NOT NULL,
  draft_by VARCHAR(253) NOT NULL,
  draft_at DATETIME(3) NOT NULL,
  latest_number INT UNSIGNED NULL,
  latest_digest CHAR(64) NULL,
  copied_from VARCHAR(253) NULL,
  created_by VARCHAR(253) NOT NULL,
  created_at DATETIME(3) NOT NULL,
  updated_by VARCHAR(253) NOT NULL,
  updated_at DATETIME(3) NOT NULL,
  deleted_at DATETIME(3) NULL,
  UNIQUE KEY experiments_id (id),
  KEY experiments_group (group_id, seq),
  KEY experiments_draft (draft_digest)
) ${table}`;

const VERSIONS = `CREATE TABLE experiment_versions (
  experiment_id CHAR(32) NOT NULL,
  number INT UNSIGNED NOT NULL,
  description TEXT NOT NULL,
  digest CHAR(64) NOT NULL,
  node_count INT UNSIGNED NOT NULL,
  created_by VARCHAR(253) NOT NULL,
  created_at DATETIME(3) NOT NULL,
  PRIMARY KEY (experiment_id, number),
  KEY experiment_versions_digest (digest)
) ${table}`;

const TEMPLATES = `CREATE TABLE workflow_templates (
  seq BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  id CHAR(32) NOT NULL,
  scope VARCHAR(8) NOT NULL,
  group_id VARCHAR(64) NOT NULL,
  name VARCHAR(253) NOT NULL,
  description TEXT NULL,
  digest CHAR(64) NOT NULL,
  node_count INT UNSIGNED NOT NULL,
  experiment_id CHAR(32) NOT NULL,
  version_number INT UNSIGNED NOT NULL,
  created_by VARCHAR(253) NOT NULL,
  created_at DATETIME(3) NOT NULL,
  UNIQUE KEY workflow_templates_id (id),
  KEY workflow_templates_group (group_id, seq),
  KEY workflow_templates_scope (scope, seq),
  KEY workflow_templates_digest (digest)
) ${table}`;

/** Experiments, their frozen versions, and templates. */
export class Experiments extends Migration {
  override up(): void {
    for (const statement of [EXPERIMENTS, VERSIONS, TEMPLATES]) this.addSql(statement);
  }
}
