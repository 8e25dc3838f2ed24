/** What every event and command of this service is written with, and how an event becomes a row. */
import type { DataOf, EventDefinition } from "@aiep/contracts";
import { newOutboxRecord, outboxInsert, type Sql } from "@aiep/service-kit";

export interface OutboxAddress {
  readonly env: string;
  readonly source: string;
}

/** Ids of the message chain; from the HTTP request, the command or the event that caused the change. */
export interface ChangeContext {
  readonly correlationId?: string | undefined;
  readonly causationId?: string | undefined;
  readonly traceparent?: string | undefined;
}

/** How a change is written: as whom, and because of what. */
export interface Writing {
  readonly address: OutboxAddress;
  readonly context?: ChangeContext | undefined;
}

export interface WriteOptions {
  readonly context?: ChangeContext | undefined;
  /** Statements of the same transaction. */
  readonly also?: readonly Sql[];
}

/** What an event is about, and which of its versions the event is. */
export interface Aggregate {
  readonly type: string;
  readonly id: string;
  readonly version: number;
  readonly groupId: string;
}

/** The row of an event (D5). A chain that nothing else began begins with the aggregate. */
export function eventRow<Definition extends EventDefinition>(
  event: {
    readonly definition: Definition;
    readonly data: DataOf<Definition>;
    readonly at: Date;
    readonly by?: string | undefined;
  },
  { type, id, version, groupId }: Aggregate,
  { address, context = {} }: Writing,
): Sql {
  return outboxInsert(
    newOutboxRecord({
      definition: event.definition,
      data: event.data,
      groupId,
      aggregateType: type,
      aggregateId: id,
      aggregateVersion: version,
      authId: event.by,
      correlationId: context.correlationId ?? id,
      causationId: context.causationId,
      traceparent: context.traceparent,
      now: event.at,
      ...address,
    }),
  );
}
