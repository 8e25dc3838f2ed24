import type { DataOf, EventDefinition } from "@aiep/contracts";
import type * as z from "zod";
import type { Sql } from "../sql/sql.ts";

/** An outbox row before it has one. `headers` are the message's CloudEvents and trace headers, already encoded. */
export interface OutboxRecord {
  readonly eventId: string;
  readonly stream: string;
  readonly subject: string;
  readonly type: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly aggregateVersion: number;
  readonly groupId: string;
  readonly headers: Readonly<Record<string, string>>;
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
  _input: NewOutboxRecord<Definition>,
): OutboxRecord {
  throw new Error("pending");
}

export function outboxInsert(_record: OutboxRecord): Sql {
  throw new Error("pending");
}

/** Name of the outbox's unique key that guards an aggregate's version. */
export const OUTBOX_VERSION_KEY = "outbox_aggregate";
