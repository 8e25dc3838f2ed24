/**
 * Commands of the bus, handled by the same operations as HTTP (D8).
 *
 * M1 A command is answered by events: `run_created` or those of the cancelled run, or `run_rejected` when it is refused.
 *    Handled again, it changes nothing more: the run's id and the rejection's version follow from the command's id (I2).
 * M2 What may succeed later is thrown and delivered again; what cannot succeed is refused. Nothing is dropped (D9).
 */
import {
  AiepError,
  type cancelRun,
  type DataOf,
  type GroupId,
  groupId,
  runRejected,
  startRun,
  type WORKFLOW_COMMANDS,
} from "@aiep/contracts";
import {
  type CommandMessage,
  type CommitQueue,
  mayBeRepeated,
  principalOf,
  rejectCommand,
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

async function perform({ operations }: CommandHandlerDeps, command: WorkflowCommand): Promise<void> {
  const { envelope } = command;
  const principal = principalOf(operations.directory.current(), command.data.requested_by);
  // The definition says which command it is; the compiler cannot tie it to the data.
  if (command.definition === startRun) {
    const { experiment_id, origin, requested_by: _, ...order } = command.data as DataOf<typeof startRun>;
    await start(operations, principal, experiment_id, order, {
      correlationId: envelope.correlation_id ?? envelope.id,
      causationId: envelope.id,
      traceparent: envelope.traceparent,
      commandId: envelope.id,
      origin,
    });
  } else {
    const { run_id, reason } = command.data as DataOf<typeof cancelRun>;
    await cancel(operations, principal, run_id, reason);
  }
}

async function reject(deps: CommandHandlerDeps, command: WorkflowCommand, error: AiepError): Promise<void> {
  const { operations, commits, address } = deps;
  await rejectCommand(
    { commits, address, now: operations.clock() },
    {
      definition: runRejected,
      envelope: command.envelope,
      command: command.name,
      groupId: await groupOf(deps, command),
      requestedBy: command.data.requested_by,
      error,
    },
  );
}

/** Of the experiment or run that was meant; the subject needs one even when there is none. */
async function groupOf({ operations }: CommandHandlerDeps, command: WorkflowCommand): Promise<GroupId> {
  const known =
    command.definition === startRun
      ? (await operations.experiments.get((command.data as DataOf<typeof startRun>).experiment_id))?.groupId
      : (await operations.runs.get((command.data as DataOf<typeof cancelRun>).run_id))?.facts.groupId;
  const parsed = groupId.safeParse(known ?? command.envelope.group_id);
  return parsed.success ? parsed.data : groupId.parse("unknown");
}
