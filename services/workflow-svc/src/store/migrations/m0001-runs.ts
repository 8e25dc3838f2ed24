import { SERVICE_KIT_DDL } from "@aiep/service-kit";
import { Migration } from "@mikro-orm/migrations";
import { SHARDS } from "../../domain/shard.ts";

const table = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin";

/** Deflated JSON of a definition, once per content. */
const DEFINITIONS = `CREATE TABLE definitions (
  digest CHAR(64) NOT NULL PRIMARY KEY,
  body MEDIUMBLOB NOT NULL,
  bytes INT UNSIGNED NOT NULL,
  created_at DATETIME(3) NOT NULL
) ${table}`;

const RUNS = `CREATE TABLE runs (
  seq BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  id CHAR(32) NOT NULL,
  shard SMALLINT UNSIGNED NOT NULL,
  version INT UNSIGNED NOT NULL,
  live TINYINT(1) NOT NULL,
  state VARCHAR(16) NOT NULL,
  reason VARCHAR(64) NULL,
  message TEXT NULL,
  deadline_at DATETIME(3) NULL,
  paused_at DATETIME(3) NULL,
  nodes_by_state TEXT NOT NULL,
  group_id VARCHAR(64) NOT NULL,
  experiment_id CHAR(32) NOT NULL,
  experiment_name VARCHAR(253) NOT NULL,
  version_name VARCHAR(32) NOT NULL,
  digest CHAR(64) NOT NULL,
  mode VARCHAR(16) NOT NULL,
  selected MEDIUMTEXT NOT NULL,
  base_run_id CHAR(32) NULL,
  parameters MEDIUMTEXT NOT NULL,
  run_date CHAR(8) NOT NULL,
  origin TEXT NOT NULL,
  origin_kind VARCHAR(16) NOT NULL,
  publication_id VARCHAR(64) NULL,
  external_id VARCHAR(256) NULL,
  parent_run_id CHAR(32) NULL,
  parent_node VARCHAR(160) NULL,
  node_count INT UNSIGNED NOT NULL,
  depth TINYINT UNSIGNED NOT NULL,
  created_by VARCHAR(253) NOT NULL,
  traceparent VARCHAR(64) NULL,
  created_at DATETIME(3) NOT NULL,
  started_at DATETIME(3) NULL,
  finished_at DATETIME(3) NULL,
  UNIQUE KEY runs_id (id),
  KEY runs_live (live, shard, seq),
  KEY runs_experiment (experiment_id, live, seq),
  KEY runs_group (group_id, seq),
  KEY runs_state (state, seq),
  KEY runs_external (external_id, seq),
  KEY runs_parent (parent_run_id),
  KEY runs_digest (digest)
) ${table}`;

/** A node without a row is Waiting. Its view is what the world is told, `executor` what its executor remembers. */
const RUN_NODES = `CREATE TABLE run_nodes (
  run_id CHAR(32) NOT NULL,
  node_key VARCHAR(160) NOT NULL,
  state VARCHAR(16) NOT NULL,
  view MEDIUMTEXT NOT NULL,
  executor TEXT NULL,
  PRIMARY KEY (run_id, node_key)
) ${table}`;

/** Attempts that another one followed; the last stands in the node. */
const RUN_ATTEMPTS = `CREATE TABLE run_attempts (
  run_id CHAR(32) NOT NULL,
  node_key VARCHAR(160) NOT NULL,
  attempt INT UNSIGNED NOT NULL,
  view MEDIUMTEXT NOT NULL,
  PRIMARY KEY (run_id, node_key, attempt)
) ${table}`;

const RUN_REQUESTS = `CREATE TABLE run_requests (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  run_id CHAR(32) NOT NULL,
  shard SMALLINT UNSIGNED NOT NULL,
  request MEDIUMTEXT NOT NULL,
  created_at DATETIME(3) NOT NULL,
  KEY run_requests_shard (shard, id)
) ${table}`;

const SHARD_LEASES = `CREATE TABLE shard_leases (
  shard SMALLINT UNSIGNED NOT NULL PRIMARY KEY,
  holder VARCHAR(64) NOT NULL,
  epoch BIGINT UNSIGNED NOT NULL,
  expires_at DATETIME(3) NOT NULL,
  KEY shard_leases_holder (holder)
) ${table}`;

const REPLICAS = `CREATE TABLE replicas (
  id VARCHAR(64) NOT NULL PRIMARY KEY,
  expires_at DATETIME(3) NOT NULL
) ${table}`;

const POOL_WISHES = `CREATE TABLE pool_wishes (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  pool VARCHAR(64) NOT NULL,
  run_id CHAR(32) NOT NULL,
  node_key VARCHAR(160) NOT NULL,
  attempt INT UNSIGNED NOT NULL,
  slots INT UNSIGNED NOT NULL,
  priority INT NOT NULL,
  granted TINYINT(1) NOT NULL,
  UNIQUE KEY pool_wishes_node (run_id, node_key),
  KEY pool_wishes_pool (pool, granted, priority)
) ${table}`;

/** One row per experiment that limits its active runs: its lock orders the creation of runs. */
const RUN_QUEUES = `CREATE TABLE run_queues (
  experiment_id CHAR(32) NOT NULL PRIMARY KEY
) ${table}`;

/** Outputs of nodes that allow their reuse. */
const NODE_CACHE = `CREATE TABLE node_cache (
  digest CHAR(64) NOT NULL PRIMARY KEY,
  run_id CHAR(32) NOT NULL,
  outputs MEDIUMTEXT NOT NULL,
  expires_at DATETIME(3) NOT NULL,
  KEY node_cache_expires (expires_at)
) ${table}`;

const TABLES = [
  DEFINITIONS,
  RUNS,
  RUN_NODES,
  RUN_ATTEMPTS,
  RUN_REQUESTS,
  SHARD_LEASES,
  REPLICAS,
  POOL_WISHES,
  RUN_QUEUES,
  NODE_CACHE,
];

/** Runs and what the engine needs, and the tables of service-kit. */
export class Runs extends Migration {
  override up(): void {
    for (const statement of [...SERVICE_KIT_DDL, ...TABLES]) this.addSql(statement);
    const shards = Array.from({ length: SHARDS }, (_, shard) => `(${shard}, '', 0, '2000-01-01')`);
    this.addSql(`INSERT INTO shard_leases (shard, holder, epoch, expires_at) VALUES ${shards.join(", ")}`);
  }
}
