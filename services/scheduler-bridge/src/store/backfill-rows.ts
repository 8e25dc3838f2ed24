/** Rows of back-fills, and the statements that write a change of one: row and event together. */
import {
  type BackfillId,
  type BackfillState,
  type BackfillView,
  backfillEnded,
  backfillStarted,
  backfillUpdated,
  type GroupId,
  type ScheduleId,
} from "@aiep/contracts";
import { fromJson, insertRow, type Sql, type SqlValue, updateRow } from "@aiep/service-kit";
import type { Backfill, BackfillChange, Progress } from "../domain/backfill.ts";
import { eventRow, type Writing } from "./outbox.ts";

const BACKFILL_AGGREGATE = "backfill";

export interface BackfillRow {
  readonly seq: number;
  readonly id: BackfillId;
  readonly version: number;
  readonly schedule_id: ScheduleId;
  readonly group_id: GroupId;
  readonly from_day: string;
  readonly to_day: string;
  readonly parallelism: number;
  readonly backwards: number;
  readonly stop_on_failure: number;
  readonly parameters: string;
  readonly state: BackfillState;
  readonly message: string | null;
  readonly total: number;
  readonly started: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly created_by: string;
  readonly created_at: Date;
  readonly finished_at: Date | null;
}

export function backfillOf(row: BackfillRow): Backfill {
  return {
    id: row.id,
    version: row.version,
    scheduleId: row.schedule_id,
    groupId: row.group_id,
    from: row.from_day,
    to: row.to_day,
    parallelism: row.parallelism,
    reverse: row.backwards !== 0,
    stopOnFailure: row.stop_on_failure !== 0,
    parameters: fromJson(row.parameters) as Backfill["parameters"], // written below
    state: row.state,
    message: row.message,
    total: row.total,
    started: row.started,
    succeeded: row.succeeded,
    failed: row.failed,
    createdBy: row.created_by,
    createdAt: row.created_at,
    finishedAt: row.finished_at,
  };
}

const EVENTS = { started: backfillStarted, updated: backfillUpdated, ended: backfillEnded } as const;

/** Whoever changes a back-fill that was there holds its row; the outbox's version is the second lock. */
export function backfillStatements(
  { backfill, event, at }: BackfillChange,
  writing: Writing,
): readonly Sql[] {
  return [
    backfill.version === 1
      ? insertBackfill(backfill)
      : updateRow("backfills", backfill.id, changing(backfill)),
    eventRow(
      { definition: EVENTS[event], data: backfillView(backfill), at },
      { ...backfill, type: BACKFILL_AGGREGATE },
      writing,
    ),
  ];
}

/** How far it is; no event, its fires tell. */
export function progressStatement({ id, ...progress }: Progress & Pick<Backfill, "id">): Sql {
  const { started, succeeded, failed } = progress;
  return updateRow("backfills", id, { started, succeeded, failed });
}

function changing(backfill: Backfill): Readonly<Record<string, SqlValue>> {
  return {
    version: backfill.version,
    state: backfill.state,
    message: backfill.message,
    started: backfill.started,
    succeeded: backfill.succeeded,
    failed: backfill.failed,
    finished_at: backfill.finishedAt,
  };
}

function insertBackfill(backfill: Backfill): Sql {
  return insertRow("backfills", {
    id: backfill.id,
    schedule_id: backfill.scheduleId,
    group_id: backfill.groupId,
    from_day: backfill.from,
    to_day: backfill.to,
    parallelism: backfill.parallelism,
    backwards: backfill.reverse,
    stop_on_failure: backfill.stopOnFailure,
    parameters: JSON.stringify(backfill.parameters),
    total: backfill.total,
    created_by: backfill.createdBy,
    created_at: backfill.createdAt,
    ...changing(backfill),
  });
}

export function backfillView(backfill: Backfill): BackfillView {
  return {
    id: backfill.id,
    schedule_id: backfill.scheduleId,
    group_id: backfill.groupId,
    from: backfill.from,
    to: backfill.to,
    parallelism: backfill.parallelism,
    reverse: backfill.reverse,
    stop_on_failure: backfill.stopOnFailure,
    state: backfill.state,
    message: backfill.message,
    total: backfill.total,
    started: backfill.started,
    succeeded: backfill.succeeded,
    failed: backfill.failed,
    version: backfill.version,
    created_by: backfill.createdBy,
    created_at: backfill.createdAt.toISOString(),
    finished_at: backfill.finishedAt?.toISOString() ?? null,
  };
}
