/** The RunStore on MySQL or MariaDB: writes through the commit queue, reads as plain statements. */
import {
  AiepError,
  type ExperimentId,
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
  pageOfRows,
  rowsByPrefix,
  type Sql,
  type SqlPool,
  sql,
  type VisibleGroups,
} from "@aiep/service-kit";
import { storeDefinition } from "./definitions.ts";
import { eventRow, identityOf, type OutboxAddress, RUN_AGGREGATE } from "./outbox.ts";
import { listConditions } from "./run-list.ts";
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
import { insertRequest, insertRun, isRefusedVersion, keepBase } from "./run-statements.ts";
import type {
  AttemptRow,
  InsertRunOptions,
  NewRun,
  NodeRow,
  RunFacts,
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

const SELECT_RUNS = `SELECT ${RUN_COLUMNS.join(", ")} FROM runs`;

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
    const statements = [
      ...(facts.baseRunId === null ? [] : [keepBase(facts.baseRunId)]),
      ...queueLock(run),
      ...(options.also ?? []),
      ...storeDefinition(definition).statements,
      insertRun(facts, CREATED, {}),
      createdEvent(run, this.#deps.address, options),
      insertRequest(facts.id, { kind: "start" }),
    ];
    try {
      await this.#deps.commits.commit({ key: facts.id, statements });
    } catch (error) {
      if (facts.baseRunId === null || !isRefusedVersion(error)) throw error;
      throw new AiepError("RUN_NOT_FOUND", `The run ${facts.baseRunId} was deleted at the same moment.`, {
        cause: error,
      });
    }
  }

  async request(id: RunId, request: RunRequest): Promise<void> {
    await this.#deps.commits.commit({ key: id, statements: [insertRequest(id, request)] });
  }

  async get(id: RunId): Promise<RunRecord | undefined> {
    return await this.#one("id = ? AND deleted_at IS NULL", id);
  }

  async accepted(id: RunId): Promise<RunFacts | undefined> {
    return (await this.#one("id = ?", id))?.facts;
  }

  async #one(where: string, id: RunId): Promise<RunRecord | undefined> {
    const [row] = await this.#deps.pool.query<RunColumns>(`${SELECT_RUNS} WHERE ${where}`, [id]);
    return row && runRecordOf(row);
  }

  async findByPrefix(prefix: string, groups: VisibleGroups, limit: number) {
    const list = { table: "runs", columns: "id, experiment_name, state", where: "deleted_at IS NULL" };
    const rows = await rowsByPrefix<{ id: RunId; experiment_name: string; state: RunState }>(
      this.#deps.pool,
      list,
      prefix,
      groups,
      limit,
    );
    return rows.map(({ id, experiment_name: experimentName, state }) => ({ id, experimentName, state }));
  }

  async list(query: ListRunsQuery, groups: VisibleGroups): Promise<RunPage> {
    const list = { select: SELECT_RUNS, where: listConditions(query) };
    const { items, nextCursor } = await pageOfRows<RunColumns>(this.#deps.pool, list, query, groups);
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
      `${SELECT_RUNS} WHERE experiment_id = ? AND live = 1 ORDER BY seq`,
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
    ...identityOf(facts),
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
