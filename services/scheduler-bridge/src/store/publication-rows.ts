/** Rows of publications, and the statements that write a change of one: row, steps, secrets and event together (D5). */
import {
  type ExperimentId,
  type GroupId,
  type PublicationDetail,
  type PublicationId,
  type PublicationState,
  type PublicationView,
  publicationFailed,
  publicationPublished,
  publicationPublishing,
  publicationStepped,
  publicationUnpublished,
  publicationUnpublishing,
  type SchedulerKind,
  type StepPurpose,
  type StepState,
} from "@aiep/contracts";
import { fromJson, insertRow, rowsOf, type Sql, type SqlValue, sql, updateRow } from "@aiep/service-kit";
import type {
  PlacedStep,
  Publication,
  PublicationChange,
  Remote,
  SecretsChange,
  Standing,
  Step,
  Wanted,
} from "../domain/publication/index.ts";
import { eventRow, type Writing } from "./outbox.ts";

export const PUBLICATION_AGGREGATE = "publication";
/** How long an earlier secret is valid beside the one that stands there. */
const SECRET_GRACE_MS = 24 * 3_600_000;

export interface PublicationRow {
  readonly seq: number;
  readonly id: PublicationId;
  readonly version: number;
  readonly generation: number;
  readonly group_id: GroupId;
  readonly experiment_id: ExperimentId;
  readonly experiment_name: string;
  readonly scheduler: SchedulerKind;
  readonly state: PublicationState;
  readonly reason: string | null;
  readonly message: string | null;
  readonly wanted: string;
  readonly live: string | null;
  readonly standing: Standing;
  readonly remote: string;
  readonly owner: string;
  readonly purpose: StepPurpose;
  readonly next_attempt_at: Date | null;
  readonly give_up_at: Date | null;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly published_at: Date | null;
}

/** As of one generation; all null where there is none. */
export interface StepColumns {
  readonly step_purpose: StepPurpose | null;
  readonly step_name: string | null;
  readonly step_state: StepState | null;
  readonly step_attempts: number | null;
  readonly step_message: string | null;
  readonly step_started_at: Date | null;
  readonly step_finished_at: Date | null;
}

export const STEP_COLUMNS = `s.purpose AS step_purpose, s.name AS step_name, s.state AS step_state, s.attempts AS step_attempts,
  s.message AS step_message, s.started_at AS step_started_at, s.finished_at AS step_finished_at`;

export function stepOf(row: StepColumns): Step[] {
  const { step_purpose: purpose, step_name: name, step_state: state } = row;
  if (purpose === null || name === null || state === null) return [];
  return [
    {
      purpose,
      name,
      state,
      attempts: row.step_attempts ?? 0,
      message: row.step_message,
      startedAt: row.step_started_at,
      finishedAt: row.step_finished_at,
    },
  ];
}

export function publicationOf(row: PublicationRow, steps: readonly Step[]): Publication {
  return {
    id: row.id,
    groupId: row.group_id,
    experimentId: row.experiment_id,
    experimentName: row.experiment_name,
    scheduler: row.scheduler,
    version: row.version,
    generation: row.generation,
    state: row.state,
    reason: row.reason,
    message: row.message,
    // The three were written below.
    wanted: fromJson(row.wanted) as Wanted,
    live: row.live === null ? null : (fromJson(row.live) as Wanted),
    standing: row.standing,
    remote: fromJson(row.remote) as Remote,
    owner: row.owner,
    purpose: row.purpose,
    steps,
    nextAttemptAt: row.next_attempt_at,
    giveUpAt: row.give_up_at,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    publishedAt: row.published_at,
  };
}

const EVENTS = {
  publishing: publicationPublishing,
  stepped: publicationStepped,
  published: publicationPublished,
  failed: publicationFailed,
  unpublishing: publicationUnpublishing,
  unpublished: publicationUnpublished,
} as const;

/** Somebody who was faster is met as DuplicateKeyError: of the binding when it is new, of the outbox's version when it was there. */
export function publicationStatements(
  { publication, event, steps, at, by, secrets }: PublicationChange,
  writing: Writing,
): readonly Sql[] {
  return [
    publication.version === 1
      ? insertRow("publications", { ...identity(publication), ...changing(publication) })
      : updateRow("publications", publication.id, changing(publication)),
    eventRow(
      { definition: EVENTS[event], data: publicationDetail(publication), at, by: by ?? undefined },
      { ...publication, type: PUBLICATION_AGGREGATE },
      writing,
    ),
    ...(steps.length === 0 ? [] : [stepsStatement(publication.id, steps)]),
    ...(secrets === undefined ? [] : [secretsStatement(publication.id, secrets, at)]),
  ];
}

function identity(publication: Publication): Readonly<Record<string, SqlValue>> {
  return {
    id: publication.id,
    group_id: publication.groupId,
    experiment_id: publication.experimentId,
    scheduler: publication.scheduler,
    created_at: publication.createdAt,
  };
}

function changing(publication: Publication): Readonly<Record<string, SqlValue>> {
  return {
    version: publication.version,
    generation: publication.generation,
    experiment_name: publication.experimentName,
    state: publication.state,
    reason: publication.reason,
    message: publication.message,
    wanted: JSON.stringify(publication.wanted),
    live: publication.live === null ? null : JSON.stringify(publication.live),
    standing: publication.standing,
    remote: JSON.stringify(publication.remote),
    owner: publication.owner,
    purpose: publication.purpose,
    next_attempt_at: publication.nextAttemptAt,
    give_up_at: publication.giveUpAt,
    updated_at: publication.updatedAt,
    published_at: publication.publishedAt,
  };
}

function stepsStatement(id: PublicationId, steps: readonly PlacedStep[]): Sql {
  return sql(
    `INSERT INTO publication_steps
       (publication_id, generation, position, purpose, name, state, attempts, message, started_at, finished_at)
     VALUES ${rowsOf(steps.length, 10)}
     ON DUPLICATE KEY UPDATE state = VALUES(state), attempts = VALUES(attempts), message = VALUES(message),
       started_at = VALUES(started_at), finished_at = VALUES(finished_at)`,
    steps.flatMap((step) => [
      id,
      step.generation,
      step.position,
      step.purpose,
      step.name,
      step.state,
      step.attempts,
      step.message,
      step.startedAt,
      step.finishedAt,
    ]),
  );
}

function secretsStatement(id: PublicationId, change: SecretsChange, at: Date): Sql {
  switch (change.kind) {
    case "added":
      return insertRow("publication_secrets", {
        publication_id: id,
        number: change.number,
        secret: change.secret,
        valid_until: null,
      });
    case "live":
      return sql(
        "UPDATE publication_secrets SET valid_until = ? WHERE publication_id = ? AND number < ? AND valid_until IS NULL",
        [new Date(at.getTime() + SECRET_GRACE_MS), id, change.number],
      );
    case "ended":
      return sql(
        "UPDATE publication_secrets SET valid_until = ? WHERE publication_id = ? AND (valid_until IS NULL OR valid_until > ?)",
        [at, id, at],
      );
  }
}

export function publicationView(publication: Publication): PublicationView {
  const { wanted, live, remote } = publication;
  return {
    id: publication.id,
    group_id: publication.groupId,
    experiment_id: publication.experimentId,
    experiment_name: publication.experimentName,
    scheduler: publication.scheduler,
    state: publication.state,
    reason: publication.reason,
    message: publication.message,
    version_name: wanted.versionName,
    live_version_name: live?.versionName ?? null,
    cron: wanted.cron,
    time_zone: wanted.timeZone,
    parameters: { ...wanted.parameters },
    owner: publication.owner,
    project: remote.project ?? null,
    flow: remote.flow ?? null,
    url: remote.url ?? null,
    next_fire_at: live?.cron == null ? null : (remote.nextFireAt ?? null),
    version: publication.version,
    generation: publication.generation,
    created_at: publication.createdAt.toISOString(),
    updated_at: publication.updatedAt.toISOString(),
    published_at: publication.publishedAt?.toISOString() ?? null,
  };
}

export function publicationDetail(publication: Publication): PublicationDetail {
  return {
    ...publicationView(publication),
    steps: publication.steps.map((step) => ({
      purpose: step.purpose,
      name: step.name,
      state: step.state,
      attempts: step.attempts,
      message: step.message,
      started_at: step.startedAt?.toISOString() ?? null,
      finished_at: step.finishedAt?.toISOString() ?? null,
    })),
  };
}
