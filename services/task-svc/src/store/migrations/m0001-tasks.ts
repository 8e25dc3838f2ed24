import { SERVICE_KIT_DDL } from "@aiep/service-kit";
import { Migration } from "@mikro-orm/migrations";

const table = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin";

const TASKS = `CREATE TABLE tasks (
  seq BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  id CHAR(32) NOT NULL,
  version INT UNSIGNED NOT NULL,
  group_id VARCHAR(64) NOT NULL,
  name VARCHAR(253) NOT NULL,
  description TEXT NULL,
  mode VARCHAR(16) NOT NULL,
  namespace VARCHAR(63) NOT NULL,
  image VARCHAR(512) NOT NULL,
  state VARCHAR(16) NOT NULL,
  reason VARCHAR(64) NOT NULL,
  message TEXT NOT NULL,
  nodes MEDIUMTEXT NOT NULL,
  spec MEDIUMTEXT NOT NULL,
  task_config MEDIUMTEXT NOT NULL,
  set_envs MEDIUMTEXT NOT NULL,
  warnings TEXT NOT NULL,
  labels TEXT NOT NULL,
  created_by VARCHAR(253) NOT NULL,
  proxy_user VARCHAR(253) NULL,
  gen_ai_llm TINYINT(1) NOT NULL,
  experiment_id VARCHAR(64) NULL,
  experiment_run_id VARCHAR(64) NULL,
  experiment_version_name VARCHAR(64) NULL,
  copied_from CHAR(32) NULL,
  code_package_id CHAR(32) NULL,
  traceparent VARCHAR(64) NULL,
  cpu DOUBLE NOT NULL,
  memory_gb DOUBLE NOT NULL,
  gpu INT UNSIGNED NOT NULL,
  attempt INT UNSIGNED NOT NULL,
  launching_at DATETIME(3) NULL,
  launched_at DATETIME(3) NULL,
  started_at DATETIME(3) NULL,
  finished_at DATETIME(3) NULL,
  removed_at DATETIME(3) NULL,
  stop_requested_at DATETIME(3) NULL,
  stop_requested_by VARCHAR(253) NULL,
  stop_grace_seconds INT UNSIGNED NULL,
  deleted_at DATETIME(3) NULL,
  deleted_by VARCHAR(253) NULL,
  created_at DATETIME(3) NOT NULL,
  unsettled TINYINT(1) NOT NULL,
  UNIQUE KEY tasks_id (id),
  KEY tasks_group (group_id, seq),
  KEY tasks_state (state, seq),
  KEY tasks_run (experiment_run_id),
  KEY tasks_namespace (namespace, state),
  KEY tasks_unsettled (unsettled, seq)
) ${table}`;

const CODE_PACKAGES = `CREATE TABLE code_packages (
  id CHAR(32) NOT NULL PRIMARY KEY,
  group_id VARCHAR(64) NOT NULL,
  sha256 CHAR(64) NOT NULL,
  size_bytes BIGINT UNSIGNED NOT NULL,
  file_count INT UNSIGNED NOT NULL,
  created_by VARCHAR(253) NOT NULL,
  created_at DATETIME(3) NOT NULL,
  UNIQUE KEY code_packages_content (group_id, sha256)
) ${table}`;

/** Tasks and code packages, and the tables of service-kit. */
export class Tasks extends Migration {
  override up(): void {
    for (const statement of [...SERVICE_KIT_DDL, TASKS, CODE_PACKAGES]) this.addSql(statement);
  }
}
