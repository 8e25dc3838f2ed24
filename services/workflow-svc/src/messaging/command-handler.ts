/**
 * Commands of the bus, handled by the same operations as HTTP (D8).
 *
 * M1 A command is answered by events: `run_created` or those of the cancelled run, or `run_rejected` when it is refused.
 *    Handled again, it changes nothing more: the run's id and the rejection's version follow from the command's id (I2).
 * M2 What may succeed later is thrown and delivered again; what cannot succeed is refused. Nothing is dropped (D9).
 */
import { type cancelRun, type DataOf, runRejected, startRun, type WORKFLOW_COMMANDS } from "@aiep/contracts";
import {
  answerCommands,
  type CommandMessage,
  type CommitQueue,
  contextOfCommand,
  principalOf,
} from "@aiep/service-kit";
import type { OperationDeps } from "../operations/deps.ts";
import { cancelRun as cancel } from "../operations/runs.ts";
import { startRun as start } from "../operations/start-run.ts";

export interface CommandHandlerDeps {
  readonly operations: OperationDeps;
  readonly commits: Pick<CommitQueue, "commit">;
  readonly address: { readonly env: string; readonly source: string };
}

type WorkflowCommand = CommandMessage<(typeof WORKFLOW_COMMANDS)[number]>;

export function createCommandHandler(deps: CommandHandlerDeps): (command: WorkflowCommand) => Promise<[]> {
  const { commits, address, operations } = deps;
  return answerCommands({
    commits,
    address,
    clock: operations.clock,
    rejected: runRejected,
    perform: async (command: WorkflowCommand) => await perform(operations, command),
    groupOf: async (command) => await groupOf(operations, command),
  });
}

async function perform(operations: OperationDeps, command: WorkflowCommand): Promise<void> {
  const principal = principalOf(operations.directory.current(), command.data.requested_by);
  // The definition says which command it is; the compiler cannot tie it to the data.
  if (command.definition === startRun) {
    const { experiment_id, origin, requested_by: _, ...order } = command.data as DataOf<typeof startRun>;
    const { envelope, once } = command;
    const options = { ...contextOfCommand(command), commandId: envelope.id, origin, also: () => once };
    await start(operations, principal, experiment_id, order, options);
  } else {
    const { run_id, reason } = command.data as DataOf<typeof cancelRun>;
    await cancel(operations, principal, run_id, reason);
  }
}

/** Of the experiment or run that was meant. */
async function groupOf({ experiments, runs }: OperationDeps, command: WorkflowCommand) {
  if (command.definition === startRun)
    return (await experiments.get((command.data as DataOf<typeof startRun>).experiment_id))?.groupId;
  return (await runs.get((command.data as DataOf<typeof cancelRun>).run_id))?.facts.groupId;
}
