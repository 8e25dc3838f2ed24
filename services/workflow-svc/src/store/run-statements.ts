/** The hot writes of runs (D5): statements that the commit queue sends in one round trip. */
import { isTerminalRun, type RunId } from "@aiep/contracts";
import { type Columns, insertRow, rowsOf, type Sql, sql } from "@aiep/service-kit";
import { shardOf } from "../domain/shard.ts";
import type { AttemptRow, NodeRow, RunFacts, RunRecord, RunRequest, RunStatus } from "./run-store.ts";

type Counts = RunRecord["nodesByState"];

/** Of one multi-row statement: a packet and its memory stay small. */
const ROWS_PER_STATEMENT = 250;

function statusColumns(status: RunStatus, counts: Counts): Columns {
  return {
    live: !isTerminalRun(status.state),
    state: status.state,
    reason: status.reason,
    message: status.message,
    deadline_at: status.deadlineAt,
    paused_at: status.pausedAt,
    started_at: status.startedAt,
    finished_at: status.finishedAt,
    nodes_by_state: JSON.stringify(counts),
  };
}

export function insertRun(facts: RunFacts, status: RunStatus, counts: Counts): Sql {
  const { origin } = facts;
  const columns: Columns = {
    id: facts.id,
    shard: shardOf(facts.id),
    version: status.version,
    ...statusColumns(status, counts),
    group_id: facts.groupId,
    experiment_id: facts.experimentId,
    experiment_name: facts.experimentName,
    version_name: facts.versionName,
    digest: facts.digest,
    mode: facts.mode,
    selected: JSON.stringify(facts.selected),
    base_run_id: facts.baseRunId,
    parameters: JSON.stringify(facts.parameters),
    run_date: facts.runDate,
    origin: JSON.stringify(origin),
    origin_kind: origin.kind,
    publication_id: origin.publication_id ?? null,
    external_id: origin.external_id ?? null,
    parent_run_id: origin.parent_run_id ?? null,
    parent_node: origin.parent_node ?? null,
    node_count: facts.nodeCount,
    depth: facts.depth,
    created_by: facts.createdBy,
    traceparent: facts.traceparent,
    created_at: facts.createdAt,
  };
  return insertRow("runs", columns);
}

export interface Guard {
  /** As the writer knows it. */
  readonly version: number;
  readonly epoch: number;
}

/**
 * R2 in one statement: a writer that lost its shard, or knows an older version, makes NULL of a column that takes none; the
 * server refuses the statement and with it the transaction. The row's lock orders the writers.
 */
export function updateRun(id: RunId, guard: Guard, status: RunStatus, counts: Counts): Sql {
  const columns = statusColumns(status, counts);
  const shard = shardOf(id);
  return sql(
    `UPDATE runs SET version = IF(version = ? AND (SELECT epoch FROM shard_leases WHERE shard = ?) = ?, ?, NULL),
       ${Object.keys(columns)
         .map((name) => `${name} = ?`)
         .join(", ")}
     WHERE id = ?`,
    [guard.version, shard, guard.epoch, status.version, ...Object.values(columns), id],
  );
}

const BAD_NULL = 1048;

/** What `updateRun` and `keepBase` make of a condition that does not hold. */
export function isRefusedVersion(error: unknown): boolean {
  return (
    error instanceof Error &&
    "errno" in error &&
    error.errno === BAD_NULL &&
    error.message.includes("version")
  );
}

/** Z4: orders a new run and the deletion of the run it takes results from; refused when that one is deleted already. */
export function keepBase(id: RunId): Sql {
  return sql("UPDATE runs SET version = IF(deleted_at IS NULL, version, NULL) WHERE id = ?", [id]);
}

export function upsertNodes(id: RunId, nodes: readonly NodeRow[]): Sql[] {
  return inSteps(nodes).map((step) =>
    sql(
      `INSERT INTO run_nodes (run_id, node_key, state, view, executor) VALUES ${rowsOf(step.length, 5)}
       ON DUPLICATE KEY UPDATE state = VALUES(state), view = VALUES(view), executor = VALUES(executor)`,
      step.flatMap(({ view, executor }) => [
        id,
        view.key,
        view.state,
        JSON.stringify(view),
        executor === null ? null : JSON.stringify(executor),
      ]),
    ),
  );
}

/** Given again after a lost answer it changes nothing: an attempt is never overwritten. */
export function insertAttempts(id: RunId, attempts: readonly AttemptRow[]): Sql[] {
  return inSteps(attempts).map((step) =>
    sql(
      `INSERT IGNORE INTO run_attempts (run_id, node_key, attempt, view) VALUES ${rowsOf(step.length, 4)}`,
      step.flatMap(({ key, attempt, view }) => [id, key, attempt, JSON.stringify(view)]),
    ),
  );
}

export function insertRequest(id: RunId, request: RunRequest): Sql {
  return sql(
    "INSERT INTO run_requests (run_id, shard, request, created_at) VALUES (?, ?, ?, UTC_TIMESTAMP(3))",
    [id, shardOf(id), JSON.stringify(request)],
  );
}

export function deleteRequests(ids: readonly number[]): Sql[] {
  return ids.length === 0 ? [] : [sql(`DELETE FROM run_requests WHERE id IN (${ids.join(", ")})`)];
}

function inSteps<T>(rows: readonly T[]): T[][] {
  const steps: T[][] = [];
  for (let at = 0; at < rows.length; at += ROWS_PER_STATEMENT)
    steps.push(rows.slice(at, at + ROWS_PER_STATEMENT));
  return steps;
}
