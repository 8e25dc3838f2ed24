/** Rows of experiments, versions and templates, and the statements that write them. */
import {
  type EventDefinition,
  type ExperimentId,
  experimentCreated,
  experimentDeleted,
  experimentUpdated,
  experimentVersionFrozen,
  type GroupId,
  type TemplateId,
} from "@aiep/contracts";
import { insertRow, newOutboxRecord, outboxInsert, type Sql, type SqlValue, sql } from "@aiep/service-kit";
import {
  type Experiment,
  type ExperimentChange,
  type ExperimentEvent,
  type FrozenVersion,
  versionNameOf,
} from "../domain/experiment.ts";
import type { Template } from "./experiment-store.ts";
import type { OutboxAddress } from "./outbox.ts";
import type { ChangeContext } from "./run-store.ts";

export const EXPERIMENT_AGGREGATE = "experiment";

export interface ExperimentRow {
  readonly seq: number;
  readonly id: ExperimentId;
  readonly version: number;
  readonly group_id: GroupId;
  readonly name: string;
  readonly description: string | null;
  readonly draft_version: number;
  readonly draft_digest: string;
  readonly draft_nodes: number;
  readonly draft_by: string;
  readonly draft_at: Date;
  readonly latest_number: number | null;
  readonly latest_digest: string | null;
  readonly copied_from: string | null;
  readonly created_by: string;
  readonly created_at: Date;
  readonly updated_by: string;
  readonly updated_at: Date;
}

export function experimentOf(row: ExperimentRow): Experiment {
  const { latest_number: number, latest_digest: digest } = row;
  return {
    id: row.id,
    groupId: row.group_id,
    name: row.name,
    description: row.description,
    version: row.version,
    draft: {
      version: row.draft_version,
      digest: row.draft_digest,
      nodeCount: row.draft_nodes,
      by: row.draft_by,
      at: row.draft_at,
    },
    latest: number === null || digest === null ? null : { number, digest },
    copiedFrom: row.copied_from,
    createdBy: row.created_by,
    createdAt: row.created_at,
    updatedBy: row.updated_by,
    updatedAt: row.updated_at,
  };
}

/** Inserted when it was created, else changed; a writer that came too late meets the outbox's unique version (X2). */
export function experimentStatement({ experiment, event, at }: ExperimentChange): Sql {
  if (event.name === "deleted")
    return sql("UPDATE experiments SET version = ?, deleted_at = ? WHERE id = ?", [
      experiment.version,
      at,
      experiment.id,
    ]);
  const { draft, latest } = experiment;
  const columns: Readonly<Record<string, SqlValue>> = {
    version: experiment.version,
    name: experiment.name,
    description: experiment.description,
    draft_version: draft.version,
    draft_digest: draft.digest,
    draft_nodes: draft.nodeCount,
    draft_by: draft.by,
    draft_at: draft.at,
    latest_number: latest?.number ?? null,
    latest_digest: latest?.digest ?? null,
    updated_by: experiment.updatedBy,
    updated_at: experiment.updatedAt,
  };
  if (event.name !== "created") {
    const assignments = Object.keys(columns).map((name) => `${name} = ?`);
    return sql(`UPDATE experiments SET ${assignments.join(", ")} WHERE id = ? AND version = ?`, [
      ...Object.values(columns),
      experiment.id,
      experiment.version - 1,
    ]);
  }
  const all: Readonly<Record<string, SqlValue>> = {
    id: experiment.id,
    group_id: experiment.groupId,
    copied_from: experiment.copiedFrom,
    created_by: experiment.createdBy,
    created_at: experiment.createdAt,
    ...columns,
  };
  return insertRow("experiments", all);
}

export interface VersionRow {
  readonly experiment_id: ExperimentId;
  readonly number: number;
  readonly description: string;
  readonly digest: string;
  readonly node_count: number;
  readonly created_by: string;
  readonly created_at: Date;
}

export function versionOf(row: VersionRow): FrozenVersion {
  return {
    experimentId: row.experiment_id,
    number: row.number,
    description: row.description,
    digest: row.digest,
    nodeCount: row.node_count,
    createdBy: row.created_by,
    createdAt: row.created_at,
  };
}

export function insertVersion(version: FrozenVersion): Sql {
  return insertRow("experiment_versions", {
    experiment_id: version.experimentId,
    number: version.number,
    description: version.description,
    digest: version.digest,
    node_count: version.nodeCount,
    created_by: version.createdBy,
    created_at: version.createdAt,
  });
}

export interface TemplateRow {
  readonly seq: number;
  readonly id: TemplateId;
  readonly scope: "group" | "all";
  readonly group_id: GroupId;
  readonly name: string;
  readonly description: string | null;
  readonly digest: string;
  readonly node_count: number;
  readonly experiment_id: ExperimentId;
  readonly version_number: number;
  readonly created_by: string;
  readonly created_at: Date;
}

export function templateOf(row: TemplateRow): Template {
  return {
    id: row.id,
    scope: row.scope,
    groupId: row.group_id,
    name: row.name,
    description: row.description,
    digest: row.digest,
    nodeCount: row.node_count,
    experimentId: row.experiment_id,
    versionNumber: row.version_number,
    createdBy: row.created_by,
    createdAt: row.created_at,
  };
}

export function insertTemplate(template: Template): Sql {
  return insertRow("workflow_templates", {
    id: template.id,
    scope: template.scope,
    group_id: template.groupId,
    name: template.name,
    description: template.description,
    digest: template.digest,
    node_count: template.nodeCount,
    experiment_id: template.experimentId,
    version_number: template.versionNumber,
    created_by: template.createdBy,
    created_at: template.createdAt,
  });
}

const DEFINITIONS = {
  created: experimentCreated,
  updated: experimentUpdated,
  deleted: experimentDeleted,
  frozen: experimentVersionFrozen,
} as const satisfies Record<ExperimentEvent["name"], EventDefinition>;

export function eventStatement(
  { experiment, event, by, at }: ExperimentChange,
  address: OutboxAddress,
  context: ChangeContext,
): Sql {
  const { id, groupId, name, version } = experiment;
  const data = { experiment_id: id, group_id: groupId, name, by };
  const record = {
    groupId,
    aggregateType: EXPERIMENT_AGGREGATE,
    aggregateId: id,
    aggregateVersion: version,
    authId: by,
    correlationId: context.correlationId,
    causationId: context.causationId,
    traceparent: context.traceparent,
    now: at,
    ...address,
  };
  if (event.name !== "frozen")
    return outboxInsert(newOutboxRecord({ ...record, definition: DEFINITIONS[event.name], data }));
  const { number, description } = event.frozen;
  return outboxInsert(
    newOutboxRecord({
      ...record,
      definition: DEFINITIONS.frozen,
      data: { ...data, version_name: versionNameOf(number), description },
    }),
  );
}
