/**
 * Commands of the bus, handled by the same operations as HTTP (D8).
 *
 * M1 A command is answered by events: those of the publication, which tells its state again when there is nothing to do, or
 *    `schedule_rejected` when it is refused. Handled again, it finds its order under way or done, and the rejection's version
 *    follows from the command's id (I2).
 * M2 What may succeed later is thrown and delivered again; what cannot succeed is refused. Nothing is dropped (D9).
 */
import {
  type DataOf,
  publishWorkflow,
  type SCHEDULE_COMMANDS,
  scheduleRejected,
  type unpublishWorkflow,
} from "@aiep/contracts";
import {
  answerCommands,
  type CommandMessage,
  type CommitQueue,
  contextOfCommand,
  principalOf,
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
  const { commits, address, operations } = deps;
  return answerCommands({
    commits,
    address,
    clock: operations.clock,
    rejected: scheduleRejected,
    perform: async (command: ScheduleCommand) => await perform(operations, command),
    groupOf: async (command) => (await meantBy(operations, command))?.groupId,
  });
}

async function perform(operations: PublicationDeps, command: ScheduleCommand): Promise<void> {
  const principal = principalOf(operations.directory.current(), command.data.requested_by);
  const options = { context: contextOfCommand(command), answeredByEvent: true };
  // The definition says which command it is; the compiler cannot tie it to the data.
  if (command.definition === publishWorkflow) {
    const { requested_by: _, ...body } = command.data as DataOf<typeof publishWorkflow>;
    await publish(operations, principal, body, options);
  } else {
    const { publication_id } = command.data as DataOf<typeof unpublishWorkflow>;
    await unpublishPublication(operations, principal, publication_id, options);
  }
}

async function meantBy({ experiments, publications }: PublicationDeps, command: ScheduleCommand) {
  if (command.definition === publishWorkflow)
    return await experiments.get((command.data as DataOf<typeof publishWorkflow>).experiment_id);
  return await publications.get((command.data as DataOf<typeof unpublishWorkflow>).publication_id);
}
