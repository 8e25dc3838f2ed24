/** Events and commands of runs as outbox rows, written with the change that caused them (R1). */
import type { CommandDefinition, DataOf, EventDefinition } from "@aiep/contracts";
import { newOutboxCommand, newOutboxRecord, outboxInsert, type Sql } from "@aiep/service-kit";
import type { ChangeContext, RunFacts } from "./run-store.ts";

export const RUN_AGGREGATE = "run";

export interface OutboxAddress {
  readonly env: string;
  readonly source: string;
}

/** An event of a run: which, and what it says. */
export interface RunEvent<Definition extends EventDefinition = EventDefinition> {
  readonly definition: Definition;
  readonly data: DataOf<Definition>;
}

export interface OutgoingCommand {
  readonly definition: CommandDefinition;
  readonly data: unknown;
  /** A UUID made from what the command is about. */
  readonly id: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly aggregateVersion: number;
}

/** How every event of a run begins. */
export function identityOf(facts: RunFacts) {
  return {
    run_id: facts.id,
    experiment_id: facts.experimentId,
    group_id: facts.groupId,
    experiment_name: facts.experimentName,
    version_name: facts.versionName,
  };
}

export function eventRow(
  facts: RunFacts,
  event: RunEvent,
  version: number,
  given: { readonly address: OutboxAddress; readonly now: Date; readonly context?: ChangeContext },
): Sql {
  const { context = {}, address, now } = given;
  return outboxInsert(
    newOutboxRecord({
      definition: event.definition,
      data: event.data,
      groupId: facts.groupId,
      aggregateType: RUN_AGGREGATE,
      aggregateId: facts.id,
      aggregateVersion: version,
      correlationId: context.correlationId ?? facts.id,
      causationId: context.causationId,
      traceparent: context.traceparent ?? facts.traceparent ?? undefined,
      now,
      ...address,
    }),
  );
}

/** The run is the correlation: answers that name no run (`task.rejected`) are found by it. */
export function commandRow(
  facts: RunFacts,
  command: OutgoingCommand,
  given: { readonly address: OutboxAddress; readonly now: Date },
): Sql {
  return outboxInsert(
    newOutboxCommand({
      ...command,
      groupId: facts.groupId,
      correlationId: facts.id,
      traceparent: facts.traceparent ?? undefined,
      now: given.now,
      ...given.address,
    }),
  );
}
