/** Rows of fires, and the statements that write a change of one: row, event and command together. */
import {
  type BackfillId,
  cancelRun,
  type ExperimentId,
  type FireId,
  type FireKind,
  type FireState,
  type FireView,
  fireEnded,
  fireOrdered,
  fireQueued,
  fireRunning,
  fireSkipped,
  type GroupId,
  type RunId,
  startRun,
} from "@aiep/contracts";
import {
  fromJson,
  insertRow,
  newOutboxCommand,
  outboxInsert,
  type Sql,
  type SqlValue,
  sql,
  updateRow,
} from "@aiep/service-kit";
import { cancelCommandId, type Fire, type FireChange, originOf, startCommandId } from "../domain/fire.ts";
import { eventRow, type Writing } from "./outbox.ts";

const FIRE_AGGREGATE = "fire";
export const COMMAND_AGGREGATE = "fire-command";

export interface FireRow {
  readonly seq: number;
  readonly id: FireId;
  readonly fire_key: string;
  readonly version: number;
  readonly kind: FireKind;
  readonly source_id: string;
  readonly backfill_id: BackfillId | null;
  readonly external_id: string;
  readonly group_id: GroupId;
  readonly experiment_id: ExperimentId;
  readonly version_name: string | null;
  readonly state: FireState;
  readonly reason: string | null;
  readonly message: string | null;
  readonly scheduled_at: Date | null;
  readonly run_date: string | null;
  readonly parameters: string;
  readonly requested_by: string;
  readonly run_id: RunId | null;
  readonly run_version: number;
  readonly depth: number;
  readonly lineage: string;
  readonly created_at: Date;
  readonly finished_at: Date | null;
}

export function fireOf(row: FireRow): Fire {
  return {
    id: row.id,
    key: row.fire_key,
    version: row.version,
    kind: row.kind,
    sourceId: row.source_id,
    backfillId: row.backfill_id,
    externalId: row.external_id,
    groupId: row.group_id,
    experimentId: row.experiment_id,
    versionName: row.version_name,
    state: row.state,
    reason: row.reason,
    message: row.message,
    scheduledAt: row.scheduled_at,
    runDate: row.run_date,
    parameters: fromJson(row.parameters) as Fire["parameters"], // written below
    requestedBy: row.requested_by,
    runId: row.run_id,
    runVersion: row.run_version,
    depth: row.depth,
    lineage: fromJson(row.lineage) as string[], // written below
    createdAt: row.created_at,
    finishedAt: row.finished_at,
  };
}

const EVENTS = {
  queued: fireQueued,
  ordered: fireOrdered,
  running: fireRunning,
  ended: fireEnded,
  skipped: fireSkipped,
} as const;

/**
 * The statements of one change. Somebody who was faster is met as DuplicateKeyError: of the fire's key when it is new, of the
 * outbox's version when it was there.
 */
export function fireStatements(change: FireChange, writing: Writing): readonly Sql[] {
  const { fire } = change;
  return [
    fire.version === 1 ? insertFire(fire) : updateFire(fire),
    eventRow(
      { definition: EVENTS[change.event], data: fireView(fire), at: change.at },
      { ...fire, type: FIRE_AGGREGATE },
      writing,
    ),
    ...(change.command === undefined ? [] : [commandRow(change, change.command, writing)]),
    ...(change.command?.name === "start_run" ? [insertLineage(fire, change.at)] : []),
  ];
}

function changing(fire: Fire): Readonly<Record<string, SqlValue>> {
  return {
    version: fire.version,
    version_name: fire.versionName,
    state: fire.state,
    reason: fire.reason,
    message: fire.message,
    run_id: fire.runId,
    run_version: fire.runVersion,
    finished_at: fire.finishedAt,
  };
}

function insertFire(fire: Fire): Sql {
  const columns: Readonly<Record<string, SqlValue>> = {
    id: fire.id,
    fire_key: fire.key,
    kind: fire.kind,
    source_id: fire.sourceId,
    backfill_id: fire.backfillId,
    external_id: fire.externalId,
    group_id: fire.groupId,
    experiment_id: fire.experimentId,
    scheduled_at: fire.scheduledAt,
    run_date: fire.runDate,
    parameters: JSON.stringify(fire.parameters),
    requested_by: fire.requestedBy,
    depth: fire.depth,
    lineage: JSON.stringify(fire.lineage),
    created_at: fire.createdAt,
    ...changing(fire),
  };
  return insertRow("fires", columns);
}

function updateFire(fire: Fire): Sql {
  return updateRow("fires", fire.id, changing(fire), { version: fire.version - 1 });
}

/** The run of a fire, so that what it causes in turn is known as its. */
function insertLineage(fire: Fire, at: Date): Sql {
  return sql("INSERT IGNORE INTO run_lineage (run_id, fire_id, created_at) VALUES (?, ?, ?)", [
    fire.runId,
    fire.id,
    at,
  ]);
}

function commandRow(
  { fire, at }: FireChange,
  command: NonNullable<FireChange["command"]>,
  { address, context = {} }: Writing,
): Sql {
  const common = {
    aggregateType: COMMAND_AGGREGATE,
    aggregateId: fire.id,
    aggregateVersion: fire.version,
    groupId: fire.groupId,
    correlationId: context.correlationId ?? fire.id,
    traceparent: context.traceparent,
    now: at,
    ...address,
  };
  if (command.name === "start_run")
    return outboxInsert(
      newOutboxCommand({
        definition: startRun,
        id: startCommandId(fire.id),
        data: {
          experiment_id: fire.experimentId,
          version_name: command.versionName,
          parameters: { ...fire.parameters },
          ...(fire.runDate === null ? {} : { run_date: fire.runDate }),
          origin: originOf(fire),
          requested_by: fire.requestedBy,
        },
        ...common,
      }),
    );
  const runId = fire.runId;
  if (runId === null) throw new TypeError(`fire ${fire.id} has no run to cancel`);
  return outboxInsert(
    newOutboxCommand({
      definition: cancelRun,
      id: cancelCommandId(fire.id, fire.version),
      data: { run_id: runId, requested_by: fire.requestedBy, reason: command.reason.slice(0, 1024) },
      ...common,
    }),
  );
}

export function fireView(fire: Fire): FireView {
  return {
    id: fire.id,
    kind: fire.kind,
    source_id: fire.sourceId,
    external_id: fire.externalId,
    group_id: fire.groupId,
    experiment_id: fire.experimentId,
    version_name: fire.versionName,
    state: fire.state,
    reason: fire.reason,
    message: fire.message,
    scheduled_at: fire.scheduledAt?.toISOString() ?? null,
    run_date: fire.runDate,
    parameters: { ...fire.parameters },
    run_id: fire.runId,
    requested_by: fire.requestedBy,
    version: fire.version,
    created_at: fire.createdAt.toISOString(),
    finished_at: fire.finishedAt?.toISOString() ?? null,
  };
}
