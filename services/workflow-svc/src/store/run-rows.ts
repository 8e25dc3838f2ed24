/** Runs from their rows. The rows are our own writing, so enums and shapes are taken at their word. */
import { inflateRawSync } from "node:zlib";
import type {
  ExperimentId,
  GroupId,
  RunId,
  RunMode,
  RunNodeView,
  RunOrigin,
  RunState,
  WorkflowDefinition,
  WorkflowNodeId,
} from "@aiep/contracts";
import type { AttemptRow, JsonObject, NodeRow, RunFacts, RunRecord, RunStatus } from "./run-store.ts";

/** A row of `runs` as the driver gives it. */
export interface RunColumns {
  readonly seq: number;
  readonly id: RunId;
  readonly version: number;
  readonly state: RunState;
  readonly reason: string | null;
  readonly message: string | null;
  readonly deadline_at: Date | null;
  readonly paused_at: Date | null;
  readonly nodes_by_state: string;
  readonly group_id: GroupId;
  readonly experiment_id: ExperimentId;
  readonly experiment_name: string;
  readonly version_name: string;
  readonly digest: string;
  readonly mode: RunMode;
  readonly selected: string;
  readonly base_run_id: RunId | null;
  readonly parameters: string;
  readonly run_date: string;
  readonly origin: string;
  readonly node_count: number;
  readonly depth: number;
  readonly created_by: string;
  readonly traceparent: string | null;
  readonly created_at: Date;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
}

export const RUN_COLUMNS = [
  "seq",
  "id",
  "version",
  "state",
  "reason",
  "message",
  "deadline_at",
  "paused_at",
  "nodes_by_state",
  "group_id",
  "experiment_id",
  "experiment_name",
  "version_name",
  "digest",
  "mode",
  "selected",
  "base_run_id",
  "parameters",
  "run_date",
  "origin",
  "node_count",
  "depth",
  "created_by",
  "traceparent",
  "created_at",
  "started_at",
  "finished_at",
] as const satisfies readonly (keyof RunColumns)[];

export function runRecordOf(row: RunColumns): RunRecord {
  return {
    facts: runFactsOf(row),
    status: runStatusOf(row),
    nodesByState: JSON.parse(row.nodes_by_state) as RunRecord["nodesByState"],
  };
}

function runFactsOf(row: RunColumns): RunFacts {
  return {
    id: row.id,
    experimentId: row.experiment_id,
    experimentName: row.experiment_name,
    groupId: row.group_id,
    versionName: row.version_name,
    digest: row.digest,
    mode: row.mode,
    selected: JSON.parse(row.selected) as WorkflowNodeId[],
    baseRunId: row.base_run_id,
    parameters: JSON.parse(row.parameters) as JsonObject,
    runDate: row.run_date,
    origin: JSON.parse(row.origin) as RunOrigin,
    nodeCount: row.node_count,
    depth: row.depth,
    createdBy: row.created_by,
    traceparent: row.traceparent,
    createdAt: row.created_at,
  };
}

function runStatusOf(row: RunColumns): RunStatus {
  return {
    version: row.version,
    state: row.state,
    reason: row.reason,
    message: row.message,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    deadlineAt: row.deadline_at,
    pausedAt: row.paused_at,
  };
}

export interface NodeColumns {
  readonly view: string;
  readonly executor: string | null;
}

export function nodeRowOf(row: NodeColumns): NodeRow {
  return {
    view: JSON.parse(row.view) as RunNodeView,
    executor: row.executor === null ? null : (JSON.parse(row.executor) as NodeRow["executor"]),
  };
}

export interface AttemptColumns {
  readonly node_key: string;
  readonly attempt: number;
  readonly view: string;
}

export function attemptRowOf(row: AttemptColumns): AttemptRow {
  return { key: row.node_key, attempt: row.attempt, view: JSON.parse(row.view) as RunNodeView };
}

export function definitionOf(body: Uint8Array): WorkflowDefinition {
  return JSON.parse(inflateRawSync(body).toString("utf8")) as WorkflowDefinition;
}
