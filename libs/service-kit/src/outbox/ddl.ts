/**
 * Tables that every service keeps beside its own, for its first migration. Ids and keys are binary: 'abc' is not 'ABC'.
 *
 * outbox (D5): `outbox_aggregate` is the optimistic guard of all writers: who writes a version twice is rolled back.
 * `published_at` NULL means: not yet on the bus. Published rows stay as history; the service's predicate purges them.
 */
const table = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin";

export const OUTBOX_DDL = `CREATE TABLE outbox (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  event_id CHAR(36) NOT NULL,
  stream VARCHAR(32) NOT NULL,
  subject VARCHAR(255) NOT NULL,
  type VARCHAR(128) NOT NULL,
  aggregate_type VARCHAR(64) NOT NULL,
  aggregate_id VARCHAR(128) NOT NULL,
  aggregate_version INT UNSIGNED NOT NULL,
  group_id VARCHAR(64) NOT NULL,
  headers TEXT NOT NULL,
  payload MEDIUMTEXT NOT NULL,
  created_at DATETIME(3) NOT NULL,
  published_at DATETIME(3) NULL,
  parked_at DATETIME(3) NULL,
  error VARCHAR(512) NULL,
  UNIQUE KEY outbox_event (event_id),
  UNIQUE KEY outbox_aggregate (aggregate_type, aggregate_id, aggregate_version),
  KEY outbox_unpublished (published_at, id),
  KEY outbox_stream (stream, id)
) ${table}`;

/** Commands seen (D6, D8). */
export const INBOX_DDL = `CREATE TABLE inbox (
  consumer VARCHAR(64) NOT NULL,
  event_id VARCHAR(128) NOT NULL,
  received_at DATETIME(3) NOT NULL,
  PRIMARY KEY (consumer, event_id),
  KEY inbox_received (received_at)
) ${table}`;

/** Last version applied of each aggregate (D6). */
export const CONSUMER_VERSIONS_DDL = `CREATE TABLE consumer_versions (
  consumer VARCHAR(64) NOT NULL,
  aggregate_type VARCHAR(64) NOT NULL,
  aggregate_id VARCHAR(128) NOT NULL,
  version INT UNSIGNED NOT NULL,
  PRIMARY KEY (consumer, aggregate_type, aggregate_id)
) ${table}`;

/** Answers by Idempotency-Key (D30). */
export const IDEMPOTENCY_DDL = `CREATE TABLE idempotency (
  user VARCHAR(253) NOT NULL,
  route VARCHAR(64) NOT NULL,
  idempotency_key VARCHAR(128) NOT NULL,
  fingerprint CHAR(64) NOT NULL,
  status SMALLINT UNSIGNED NOT NULL,
  body MEDIUMTEXT NOT NULL,
  created_at DATETIME(3) NOT NULL,
  PRIMARY KEY (user, route, idempotency_key),
  KEY idempotency_created (created_at)
) ${table}`;

/** One active instance per name, with a fencing epoch that only grows. */
export const LEASE_DDL = `CREATE TABLE lease (
  name VARCHAR(64) NOT NULL PRIMARY KEY,
  holder VARCHAR(64) NOT NULL,
  epoch BIGINT UNSIGNED NOT NULL,
  expires_at DATETIME(3) NOT NULL
) ${table}`;

/** What the relay knows of each stream, to notice that it was wiped or went back (D5). */
export const RELAY_STATE_DDL = `CREATE TABLE relay_state (
  stream VARCHAR(32) NOT NULL PRIMARY KEY,
  stream_created VARCHAR(64) NOT NULL,
  acked_seq BIGINT UNSIGNED NOT NULL
) ${table}`;

/** All of the above, in order. */
export const SERVICE_KIT_DDL: readonly string[] = [
  OUTBOX_DDL,
  INBOX_DDL,
  CONSUMER_VERSIONS_DDL,
  IDEMPOTENCY_DDL,
  LEASE_DDL,
  RELAY_STATE_DDL,
];
