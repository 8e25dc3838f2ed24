/**
 * Runs as their owner reads and writes them (R1, R2). One commit is everything that one step of a run changed: the run's row,
 * nodes, attempts, events, commands and the requests that were answered.
 */
import type { RunId } from "@aiep/contracts";
import { type CommitQueue, type Sql, type SqlPool, sql } from "@aiep/service-kit";
import { commandRow, eventRow, type OutboxAddress, type OutgoingCommand, type RunEvent } from "./outbox.ts";
import { type NodeColumns, nodeRowOf, RUN_COLUMNS, type RunColumns, runRecordOf } from "./run-rows.ts";
import {
  deleteRequests,
  insertAttempts,
  insertRequest,
  isRefusedVersion,
  updateRun,
  upsertNodes,
} from "./run-statements.ts";
import type {
  AttemptRow,
  LoadedRun,
  NodeRow,
  RunFacts,
  RunRecord,
  RunRequest,
  RunStatus,
  StoredRequest,
} from "./run-store.ts";

/** The shard is somebody else's by now, or the run went on without us: forget it, or read it again. Nothing was written. */
export class RunFencedError extends Error {
  override readonly name = "RunFencedError";
}

export interface RunStep {
  readonly facts: RunFacts;
  /** Of the lease of the run's shard. */
  readonly epoch: number;
  /** Before this step. */
  readonly version: number;
  /** After it; its version counts the events. */
  readonly status: RunStatus;
  readonly nodesByState: RunRecord["nodesByState"];
  readonly nodes: readonly NodeRow[];
  readonly attempts: readonly AttemptRow[];
  readonly events: readonly RunEvent[];
  readonly commands: readonly OutgoingCommand[];
  /** Requests answered by it. */
  readonly answered: readonly number[];
  /** Requests to other runs, e.g. to the parent of a run that ended. */
  readonly requests: readonly { readonly runId: RunId; readonly request: RunRequest }[];
  readonly also: readonly Sql[];
  readonly now: Date;
}

export interface OwnedRuns {
  /** Ids of the shards' runs that have not ended, oldest first. */
  live(shards: readonly number[]): Promise<readonly RunId[]>;
  /** Undefined when there is no such run. One that was deleted is there, and has ended. */
  load(id: RunId): Promise<LoadedRun | undefined>;
  /** Oldest first, those with a larger id than `after`. */
  requests(shards: readonly number[], limit: number): Promise<readonly StoredRequest[]>;
  /** Requests to runs that have ended, or never were. */
  dropRequests(ids: readonly number[]): Promise<void>;
  /** Throws RunFencedError (R2), or DEPENDENCY_UNAVAILABLE: then it may have been written. */
  commit(step: RunStep): Promise<void>;
}

export interface OwnedRunsDeps {
  readonly pool: SqlPool;
  readonly commits: CommitQueue;
  readonly address: OutboxAddress;
}

export function createOwnedRuns({ pool, commits, address }: OwnedRunsDeps): OwnedRuns {
  return {
    live: async (shards) => {
      if (shards.length === 0) return [];
      const rows = await pool.query<{ id: RunId }>(
        `SELECT id FROM runs WHERE live = 1 AND shard IN (${shards.join(", ")}) ORDER BY seq`,
      );
      return rows.map(({ id }) => id);
    },
    load: async (id) => {
      const results = await pool.multi([
        sql(`SELECT ${RUN_COLUMNS.join(", ")} FROM runs WHERE id = ?`, [id]),
        sql("SELECT view, executor FROM run_nodes WHERE run_id = ?", [id]),
      ]);
      const [run] = results[0] as RunColumns[]; // the SELECTs say so
      if (run === undefined) return undefined;
      const { facts, status, nodesByState } = runRecordOf(run);
      return { facts, status, nodesByState, nodes: (results[1] as NodeColumns[]).map(nodeRowOf) };
    },
    requests: async (shards, limit) => {
      if (shards.length === 0) return [];
      const rows = await pool.query<{ id: number; run_id: RunId; request: string; age_ms: number }>(
        `SELECT id, run_id, request, TIMESTAMPDIFF(MICROSECOND, created_at, UTC_TIMESTAMP(3)) / 1000 AS age_ms
         FROM run_requests WHERE shard IN (${shards.join(", ")}) ORDER BY id LIMIT ?`,
        [limit],
      );
      return rows.map(({ id, run_id: runId, request, age_ms: ageMs }) => ({
        id,
        runId,
        ageMs,
        request: JSON.parse(request) as RunRequest,
      }));
    },
    dropRequests: async (ids) => {
      for (const statement of deleteRequests(ids)) await pool.execute(statement);
    },
    commit: async (step) => {
      try {
        await commits.commit({ key: step.facts.id, statements: statementsOf(step, address) });
      } catch (error) {
        if (!isRefusedVersion(error)) throw error;
        throw new RunFencedError(`run ${step.facts.id} is not ours to change`, { cause: error });
      }
    },
  };
}

function statementsOf(step: RunStep, address: OutboxAddress): Sql[] {
  const { facts, now } = step;
  const given = { address, now };
  return [
    updateRun(facts.id, step, step.status, step.nodesByState),
    ...upsertNodes(facts.id, step.nodes),
    ...insertAttempts(facts.id, step.attempts),
    ...step.events.map((event, index) => eventRow(facts, event, step.version + index + 1, given)),
    ...step.commands.map((command) => commandRow(facts, command, given)),
    ...deleteRequests(step.answered),
    ...step.requests.map(({ runId, request }) => insertRequest(runId, request)),
    ...step.also,
  ];
}
