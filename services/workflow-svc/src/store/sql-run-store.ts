/** The RunStore on MySQL or MariaDB: writes through the commit queue, reads as plain statements. */
import {
  type ExperimentId,
  type GroupId,
  type HistoryEntry,
  type ListRunsQuery,
  type RunId,
  type RunState,
  runCreated,
  type WorkflowDefinition,
} from "@aiep/contracts";
import {
  type CommitQueue,
  HISTORY_COLUMNS,
  type HistoryRow,
  historyEntryOf,
  pageOf,
  rowsOf,
  type Sql,
  type SqlPool,
  sql,
} from "@aiep/service-kit";
import { storeDefinition } from "./definitions.ts";
import { eventRow, type OutboxAddress, RUN_AGGREGATE } from "./outbox.ts";
import { listStatement } from "./run-list.ts";
import {
  type AttemptColumns,
  attemptRowOf,
  definitionOf,
  type NodeColumns,
  nodeRowOf,
  RUN_COLUMNS,
  type RunColumns,
  runRecordOf,
} from "./run-rows.ts";
import { insertRequest, insertRun } from "./run-statements.ts";
import type {
  AttemptRow,
  InsertRunOptions,
  NewRun,
  NodeRow,
  RunPage,
  RunRecord,
  RunRequest,
  RunStatus,
  RunStore,
} from "./run-store.ts";

export interface SqlRunStoreDeps {
  readonly pool: SqlPool;
  readonly commits: CommitQueue;
  readonly address: OutboxAddress;
}

export function createRunStore(deps: SqlRunStoreDeps): RunStore {
  return new SqlRunStore(deps);
}

const CREATED: RunStatus = {
  version: 1,
  state: "Created",
  reason: null,
  message: null,
  startedAt: null,
  finishedAt: null,
  deadlineAt: null,
  pausedAt: null,
};

class SqlRunStore implements RunStore {
  readonly #deps: SqlRunStoreDeps;

  constructor(deps: SqlRunStoreDeps) {
    this.#deps = deps;
  }

  async insert(run: NewRun, options: InsertRunOptions = {}): Promise<void> {
    const { facts, definition } = run;
    await this.#deps.commits.commit({
      key: facts.id,
      statements: [
        ...queueLock(run),
        ...(options.also ?? []),
        ...storeDefinition(definition).statements,
        insertRun(facts, CREATED, {}),
        createdEvent(run, this.#deps.address, options),
        insertRequest(facts.id, { kind: "start" }),
      ],
    });
  }

  async request(id: RunId, request: RunRequest): Promise<void> {
    await this.#deps.commits.commit({ key: id, statements: [insertRequest(id, request)] });
  }

  async get(id: RunId): Promise<RunRecord | undefined> {
    const [row] = await this.#deps.pool.query<RunColumns>(
      `SELECT ${RUN_COLUMNS.join(", ")} FROM runs WHERE id = ?`,
      [id],
    );
    return row === undefined ? undefined : runRecordOf(row);
  }

  async findByPrefix(prefix: string, groups: readonly GroupId[] | "all", limit: number) {
    if (groups !== "all" && groups.length === 0) return [];
    const inGroups = groups === "all" ? "" : ` AND group_id IN ${rowsOf(1, groups.length)}`;
    const rows = await this.#deps.pool.query<{ id: RunId; experiment_name: string; state: RunState }>(
      `SELECT id, experiment_name, state FROM runs WHERE id LIKE ?${inGroups} ORDER BY seq DESC LIMIT ?`,
      [`${prefix}%`, ...(groups === "all" ? [] : groups), limit],
    );
    return rows.map(({ id, experiment_name: experimentName, state }) => ({ id, experimentName, state }));
  }

  async list(query: ListRunsQuery, groups: readonly GroupId[] | "all"): Promise<RunPage> {
    const statement = listStatement(query, groups);
    if (statement === undefined) return { runs: [], nextCursor: null };
    const rows = await this.#deps.pool.query<RunColumns>(statement);
    const { items, nextCursor } = pageOf(rows, query);
    return { runs: items.map(runRecordOf), nextCursor };
  }

  async nodes(id: RunId): Promise<readonly NodeRow[]> {
    const rows = await this.#deps.pool.query<NodeColumns>(
      "SELECT view, executor FROM run_nodes WHERE run_id = ?",
      [id],
    );
    return rows.map(nodeRowOf);
  }

  async node(id: RunId, key: string): Promise<NodeRow | undefined> {
    const [row] = await this.#deps.pool.query<NodeColumns>(
      "SELECT view, executor FROM run_nodes WHERE run_id = ? AND node_key = ?",
      [id, key],
    );
    return row === undefined ? undefined : nodeRowOf(row);
  }

  async attempts(id: RunId, key: string): Promise<readonly AttemptRow[]> {
    const rows = await this.#deps.pool.query<AttemptColumns>(
      "SELECT node_key, attempt, view FROM run_attempts WHERE run_id = ? AND node_key = ? ORDER BY attempt",
      [id, key],
    );
    return rows.map(attemptRowOf);
  }

  async history(id: RunId, afterVersion: number, limit: number): Promise<readonly HistoryEntry[]> {
    const rows = await this.#deps.pool.query<HistoryRow>(
      `SELECT ${HISTORY_COLUMNS} FROM outbox
       WHERE aggregate_type = ? AND aggregate_id = ? AND aggregate_version > ?
       ORDER BY aggregate_version LIMIT ?`,
      [RUN_AGGREGATE, id, afterVersion, limit],
    );
    return rows.map(historyEntryOf);
  }

  async definition(digest: string): Promise<WorkflowDefinition | undefined> {
    const [row] = await this.#deps.pool.query<{ body: Buffer }>(
      "SELECT body FROM definitions WHERE digest = ?",
      [digest],
    );
    return row === undefined ? undefined : definitionOf(row.body);
  }

  async active(experimentId: ExperimentId): Promise<readonly RunRecord[]> {
    const rows = await this.#deps.pool.query<RunColumns>(
      `SELECT ${RUN_COLUMNS.join(", ")} FROM runs WHERE experiment_id = ? AND live = 1 ORDER BY seq`,
      [experimentId],
    );
    return rows.map(runRecordOf);
  }
}

/**
 * Runs of an experiment that limits its active runs are created one after the other: then a run's number says how many were
 * before it, for everybody.
 */
function queueLock({ facts, definition }: NewRun): Sql[] {
  if (definition.options.max_active_runs === undefined) return [];
  return [
    sql(
      "INSERT INTO run_queues (experiment_id) VALUES (?) ON DUPLICATE KEY UPDATE experiment_id = VALUES(experiment_id)",
      [facts.experimentId],
    ),
  ];
}

function createdEvent({ facts, commandId }: NewRun, address: OutboxAddress, context: InsertRunOptions): Sql {
  const data = {
    run_id: facts.id,
    experiment_id: facts.experimentId,
    group_id: facts.groupId,
    experiment_name: facts.experimentName,
    version_name: facts.versionName,
    state: CREATED.state,
    reason: null,
    message: null,
    nodes: [],
    started_at: null,
    finished_at: null,
    deadline_at: null,
    paused_at: null,
    mode: facts.mode,
    selected: [...facts.selected],
    parameters: facts.parameters,
    run_date: facts.runDate,
    origin: facts.origin,
    node_count: facts.nodeCount,
    created_by: facts.createdBy,
    ...(commandId === undefined ? {} : { command_id: commandId }),
  };
  const event = { definition: runCreated, data };
  return eventRow(facts, event, CREATED.version, { address, now: facts.createdAt, context });
}
