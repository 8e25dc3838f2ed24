/** The refusal of a command as an event (D8): its aggregate is the command, so that handled again it is told once. */
import { createHash } from "node:crypto";
import type { AiepError, CommandEnvelope, DataOf, EventDefinition, GroupId } from "@aiep/contracts";
import { newOutboxRecord, OUTBOX_VERSION_KEY, outboxInsert } from "../outbox/record.ts";
import type { CommitQueue } from "../sql/commit-queue.ts";
import { DuplicateKeyError } from "../sql/errors.ts";

/** What every context's `rejected` event says. */
export interface Rejection {
  readonly command_id: string;
  readonly group_id: GroupId;
  readonly command: string;
  readonly code: string;
  readonly detail: string;
  readonly errors: { pointer: string; code: string; detail: string }[];
}

export interface RejectCommandDeps {
  readonly commits: Pick<CommitQueue, "commit">;
  readonly address: { readonly env: string; readonly source: string };
  readonly now: Date;
}

export interface RejectedCommand<Definition extends EventDefinition> {
  /** The event. */
  readonly definition: Definition;
  readonly envelope: CommandEnvelope;
  readonly command: string;
  readonly groupId: GroupId;
  readonly requestedBy: string;
  readonly error: AiepError;
}

export async function rejectCommand<Definition extends EventDefinition>(
  { commits, address, now }: RejectCommandDeps,
  {
    definition,
    envelope,
    command,
    groupId,
    requestedBy,
    error,
  }: RejectedCommand<Definition> & {
    /** Only events of this shape. */
    readonly definition: Rejection extends DataOf<Definition> ? Definition : never;
  },
): Promise<void> {
  const data: Rejection = {
    command_id: envelope.id,
    group_id: groupId,
    command,
    code: error.code,
    detail: error.message,
    errors: [...error.errors],
  };
  const record = newOutboxRecord({
    definition,
    groupId,
    aggregateType: "command",
    aggregateId: aggregateIdOf(envelope.id),
    aggregateVersion: 1,
    data: data as DataOf<Definition>, // the parameter's type says so
    authId: requestedBy,
    correlationId: envelope.correlation_id ?? envelope.id,
    causationId: envelope.id,
    traceparent: envelope.traceparent,
    now,
    ...address,
  });
  try {
    await commits.commit({ key: record.aggregateId, statements: [outboxInsert(record)] });
  } catch (cause) {
    if (!DuplicateKeyError.is(cause, OUTBOX_VERSION_KEY)) throw cause; // rejected before
  }
}

/** An id of another system may hold what a subject may not. */
function aggregateIdOf(commandId: string): string {
  return /^[A-Za-z0-9_-]+$/.test(commandId)
    ? commandId
    : createHash("sha256").update(commandId).digest("hex").slice(0, 32);
}

/** Our own troubles, not the command's: it is delivered again. */
export function mayBeRepeated(error: AiepError): boolean {
  return error.code === "VERSION_CONFLICT" || error.entry.status >= 500;
}
