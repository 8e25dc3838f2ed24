/** An event or a command before it is a row (D5, D6): validated, with its id, subject and headers, so that the relay only copies. */
import {
  type CommandDefinition,
  type DataOf,
  EVENT_CONTEXTS,
  type EventDefinition,
  eventSubject,
} from "@aiep/contracts";
import type * as z from "zod";
import { newEventId } from "../bus/event-id.ts";
import { eventHeaders, type Headers, parseWith } from "../bus/message.ts";
import { commandMessage } from "../bus/publish.ts";
import type { Written } from "../sql/commit-queue.ts";
import { type Sql, sql } from "../sql/sql.ts";
import { currentTraceparent } from "../telemetry/tracing.ts";
import type { OutboxRow } from "./outbox-store.ts";

export interface OutboxRecord {
  readonly eventId: string;
  readonly stream: string;
  readonly subject: string;
  readonly type: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly aggregateVersion: number;
  readonly groupId: string;
  /** The message's CloudEvents and trace headers, already encoded. */
  readonly headers: Headers;
  /** JSON text. */
  readonly payload: string;
  readonly createdAt: Date;
}

export interface NewOutboxRecord<Definition extends EventDefinition> {
  readonly definition: Definition;
  readonly groupId: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly aggregateVersion: number;
  readonly data: z.input<Definition["schema"]> | DataOf<Definition>;
  /** Who did it: the directory name of the caller. */
  readonly authId?: string | undefined;
  readonly correlationId?: string | undefined;
  readonly causationId?: string | undefined;
  /** Of the origin (the HTTP request or the task); default: the active span's. */
  readonly traceparent?: string | undefined;
  /** Environment token of the subject: `local`, `prod`. */
  readonly env: string;
  /** CloudEvents source, e.g. `/aiep/task-svc`. */
  readonly source: string;
  readonly now: Date;
}

/** Validates the data against the definition's schema (throws MESSAGE_INVALID: no transaction is written) and makes the event id. */
export function newOutboxRecord<Definition extends EventDefinition>(
  input: NewOutboxRecord<Definition>,
): OutboxRecord {
  const { definition, now } = input;
  const data = parseWith(definition.schema, input.data, definition.type);
  const eventId = newEventId(now);
  const traceparent = input.traceparent ?? currentTraceparent();
  return {
    eventId,
    stream: EVENT_CONTEXTS[definition.context],
    subject: eventSubject(definition, input),
    type: definition.type,
    aggregateType: input.aggregateType,
    aggregateId: input.aggregateId,
    aggregateVersion: input.aggregateVersion,
    groupId: input.groupId,
    headers: eventHeaders({
      id: eventId,
      source: input.source,
      type: definition.type,
      time: now.toISOString(),
      group_id: input.groupId,
      aggregate_type: input.aggregateType,
      aggregate_id: input.aggregateId,
      aggregate_version: input.aggregateVersion,
      correlation_id: input.correlationId,
      causation_id: input.causationId,
      auth_id: input.authId,
      traceparent,
    }),
    payload: JSON.stringify(data),
    createdAt: now,
  };
}

export interface NewOutboxCommand<Definition extends CommandDefinition> {
  readonly definition: Definition;
  readonly data: z.input<Definition["schema"]>;
  /** A UUID: the same id is the same command, whoever sends it how often. */
  readonly id: string;
  /** Commands of one aggregate leave in the order of their versions, e.g. submit (1) and stop (2) of one task. */
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly aggregateVersion: number;
  readonly groupId: string;
  readonly correlationId?: string | undefined;
  readonly traceparent?: string | undefined;
  readonly env: string;
  readonly source: string;
  readonly now: Date;
}

/** A command to another service (D8) that is sent because, and only if, the transaction is committed. */
export function newOutboxCommand<Definition extends CommandDefinition>(
  input: NewOutboxCommand<Definition>,
): OutboxRecord {
  const { correlationId, traceparent, aggregateType, aggregateId, aggregateVersion, ...command } = input;
  const message = commandMessage({
    ...command,
    ...(correlationId === undefined ? {} : { correlationId }),
    ...(traceparent === undefined ? {} : { traceparent }),
  });
  return {
    eventId: message.id,
    stream: message.stream,
    subject: message.subject,
    type: input.definition.type,
    aggregateType,
    aggregateId,
    aggregateVersion,
    groupId: input.groupId,
    headers: message.headers,
    payload: message.payload,
    createdAt: input.now,
  };
}

/** The row's INSERT, which knows what it inserts. */
interface OutboxInsert extends Sql {
  readonly record: OutboxRecord;
}

export function outboxInsert(record: OutboxRecord): OutboxInsert {
  const statement = sql(
    "INSERT INTO outbox (event_id, stream, subject, type, aggregate_type, aggregate_id, aggregate_version, group_id, headers, payload, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [
      record.eventId,
      record.stream,
      record.subject,
      record.type,
      record.aggregateType,
      record.aggregateId,
      record.aggregateVersion,
      record.groupId,
      JSON.stringify(record.headers),
      record.payload,
      record.createdAt,
    ],
  );
  return { ...statement, record };
}

/** The row as a reader would find it; undefined for a statement that inserted none. */
export function insertedRow({ statement, insertId }: Written): OutboxRow | undefined {
  if (!isOutboxInsert(statement) || insertId === 0) return undefined;
  const { record } = statement;
  return {
    id: insertId,
    event_id: record.eventId,
    stream: record.stream,
    subject: record.subject,
    type: record.type,
    aggregate_type: record.aggregateType,
    aggregate_id: record.aggregateId,
    aggregate_version: record.aggregateVersion,
    headers: record.headers,
    payload: record.payload,
  };
}

function isOutboxInsert(statement: Sql): statement is OutboxInsert {
  return "record" in statement;
}

/** Name of the outbox's unique key that guards an aggregate's version. */
export const OUTBOX_VERSION_KEY = "outbox_aggregate";
