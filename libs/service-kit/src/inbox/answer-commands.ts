/** Commands answered by events (D8). A refusal's aggregate is the command, so that handled again it is told once. */
import { createHash } from "node:crypto";
import {
  AiepError,
  type CommandEnvelope,
  type DataOf,
  type EventDefinition,
  type GroupId,
  groupId,
} from "@aiep/contracts";
import { newOutboxRecord, OUTBOX_VERSION_KEY, outboxInsert } from "../outbox/record.ts";
import type { CommitQueue } from "../sql/commit-queue.ts";
import { DuplicateKeyError } from "../sql/errors.ts";
import type { Sql } from "../sql/sql.ts";

/** What every context's `rejected` event says. */
interface Rejection {
  readonly command_id: string;
  readonly group_id: GroupId;
  readonly command: string;
  readonly code: string;
  readonly detail: string;
  readonly errors: { pointer: string; code: string; detail: string }[];
}

interface RejectCommandDeps {
  readonly commits: Pick<CommitQueue, "commit">;
  readonly address: { readonly env: string; readonly source: string };
  readonly now: Date;
}

interface RejectedCommand<Definition extends EventDefinition> {
  /** The event. */
  readonly definition: Definition;
  readonly envelope: CommandEnvelope;
  readonly command: string;
  readonly groupId: GroupId;
  readonly requestedBy: string;
  readonly error: AiepError;
  readonly once: readonly Sql[];
}

async function rejectCommand<Definition extends EventDefinition>(
  { commits, address, now }: RejectCommandDeps,
  { definition, envelope, command, groupId: group, requestedBy, error, once }: RejectedCommand<Definition>,
): Promise<void> {
  const data: Rejection = {
    command_id: envelope.id,
    group_id: group,
    command,
    code: error.code,
    detail: error.message,
    errors: [...error.errors],
  };
  const record = newOutboxRecord({
    definition,
    groupId: group,
    aggregateType: "command",
    aggregateId: aggregateIdOf(envelope.id),
    aggregateVersion: 1,
    data: data as DataOf<Definition>, // the type of `rejected` says so
    authId: requestedBy,
    correlationId: envelope.correlation_id ?? envelope.id,
    causationId: envelope.id,
    traceparent: envelope.traceparent,
    now,
    ...address,
  });
  try {
    await commits.commit({ key: record.aggregateId, statements: [...once, outboxInsert(record)] });
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

/** What every command of ours says, beside its own. */
interface RequestedCommand {
  readonly name: string;
  readonly envelope: CommandEnvelope;
  readonly data: { readonly requested_by: string };
  readonly once: readonly Sql[];
}

/**
 * A handler of commands that are answered by events (D8): what may succeed later is thrown and delivered again, what cannot
 * succeed is refused by an event. Nothing is dropped (D9).
 */
export function answerCommands<Command extends RequestedCommand, Definition extends EventDefinition>(given: {
  readonly commits: Pick<CommitQueue, "commit">;
  readonly address: { readonly env: string; readonly source: string };
  readonly clock: () => Date;
  /** The event of a refusal; only events of a rejection's shape. */
  readonly rejected: Definition & (Rejection extends DataOf<Definition> ? Definition : never);
  readonly perform: (command: Command) => Promise<void>;
  /** Of what was meant; the subject needs one even when there is none. */
  readonly groupOf: (command: Command) => Promise<string | undefined> | string | undefined;
}): (command: Command) => Promise<[]> {
  const { commits, address, clock, rejected: definition, perform, groupOf } = given;
  return async (command) => {
    try {
      await perform(command);
    } catch (error) {
      if (!AiepError.is(error) || mayBeRepeated(error)) throw error;
      const { envelope, name, once } = command;
      const group = groupId.safeParse((await groupOf(command)) ?? envelope.group_id);
      await rejectCommand(
        { commits, address, now: clock() },
        {
          definition,
          envelope,
          command: name,
          groupId: group.success ? group.data : groupId.parse("unknown"),
          requestedBy: command.data.requested_by,
          error,
          once,
        },
      );
    }
    return [];
  };
}

/** The message chain that a command began or is part of (D6). */
export function contextOfCommand({ envelope }: { readonly envelope: CommandEnvelope }) {
  return {
    correlationId: envelope.correlation_id ?? envelope.id,
    causationId: envelope.id,
    traceparent: envelope.traceparent,
  };
}

/** Our own troubles, not the command's: it is delivered again. */
export function mayBeRepeated(error: AiepError): boolean {
  return error.code === "VERSION_CONFLICT" || error.entry.status >= 500;
}
