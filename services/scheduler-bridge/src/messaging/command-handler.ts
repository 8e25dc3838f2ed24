/**
 * Commands of the bus, handled by the same operations as HTTP (D8).
 *
 * M1 A command is answered by events: those of the publication, or `schedule_rejected` when it is refused. Handled again, it finds
 *    its order under way or done, and the rejection's version follows from the command's id (I2).
 * M2 What may succeed later is thrown and delivered again; what cannot succeed is refused. Nothing is dropped (D9).
 */
import {
  AiepError,
  type DataOf,
  type GroupId,
  groupId,
  publishWorkflow,
  type SCHEDULE_COMMANDS,
  scheduleRejected,
  type unpublishWorkflow,
} from "@aiep/contracts";
import {
  type CommandMessage,
  type CommitQueue,
  mayBeRepeated,
  principalOf,
  rejectCommand,
} from "@aiep/service-kit";
import { type PublicationDeps, publish, unpublishPublication } from "../operations/publications.ts";
import type { OutboxAddress } from "../store/outbox.ts";

export interface CommandHandlerDeps {
  readonly operations: PublicationDeps;
  readonly commits: Pick<CommitQueue, "commit">;
  readonly address: OutboxAddress;
}

type ScheduleCommand = CommandMessage<(typeof SCHEDULE_COMMANDS)[number]>;

export function createCommandHandler(deps: CommandHandlerDeps): (command: ScheduleCommand) => Promise<[]> {
  return async (command) => {
    try {
      await perform(deps, command);
    } catch (error) {
      if (!AiepError.is(error) || mayBeRepeated(error)) throw error;
      await reject(deps, command, error);
    }
    return [];
  };
}

async function perform({ operations }: CommandHandlerDeps, command: ScheduleCommand): Promise<void> {
  const { envelope } = command;
  const principal = principalOf(operations.directory.current(), command.data.requested_by);
  const options = {
    context: {
      correlationId: envelope.correlation_id ?? envelope.id,
      causationId: envelope.id,
      traceparent: envelope.traceparent,
    },
  };
  // The definition says which command it is; the compiler cannot tie it to the data.
  if (command.definition === publishWorkflow) {
    const { requested_by: _, ...body } = command.data as DataOf<typeof publishWorkflow>;
    await publish(operations, principal, body, options);
  } else {
    const { publication_id } = command.data as DataOf<typeof unpublishWorkflow>;
    await unpublishPublication(operations, principal, publication_id, options);
  }
}

async function reject(deps: CommandHandlerDeps, command: ScheduleCommand, error: AiepError): Promise<void> {
  const { operations, commits, address } = deps;
  await rejectCommand(
    { commits, address, now: operations.clock() },
    {
      definition: scheduleRejected,
      envelope: command.envelope,
      command: command.name,
      groupId: await groupOf(deps, command),
      requestedBy: command.data.requested_by,
      error,
    },
  );
}

/** Of the experiment or publication that was meant; the subject needs one even when there is none. */
async function groupOf({ operations }: CommandHandlerDeps, command: ScheduleCommand): Promise<GroupId> {
  const known =
    command.definition === publishWorkflow
      ? await operations.experiments.get((command.data as DataOf<typeof publishWorkflow>).experiment_id)
      : await operations.publications.get((command.data as DataOf<typeof unpublishWorkflow>).publication_id);
  const parsed = groupId.safeParse(known?.groupId ?? command.envelope.group_id);
  return parsed.success ? parsed.data : groupId.parse("unknown");
}
