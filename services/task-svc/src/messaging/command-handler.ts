/**
 * Commands of the bus, handled by the same operations as HTTP (D8).
 *
 * M1 A command is answered by events: `created` or `stop_requested`, or `rejected` when it is refused. Handled again, it
 *    changes nothing more: the task's id and the rejection's version follow from the command's id (I2).
 * M2 What may succeed later is thrown and delivered again; what cannot succeed is refused. Nothing is dropped (D9).
 */
import { randomUUID } from "node:crypto";
import {
  AiepError,
  type DataOf,
  type GroupId,
  groupId,
  type stopTask,
  submitTask,
  type TASK_COMMANDS,
  taskRejected,
} from "@aiep/contracts";
import {
  type CommandMessage,
  type CommitQueue,
  type DirectorySource,
  mayBeRepeated,
  type Principal,
  principalOf,
  rejectCommand,
} from "@aiep/service-kit";
import { stopTask as stop } from "../operations/stop-task.ts";
import { type SubmitDeps, submitTask as submit } from "../operations/submit-task.ts";
import type { TaskStore } from "../store/task-store.ts";

export interface CommandHandlerDeps {
  readonly store: TaskStore;
  readonly packages: SubmitDeps["packages"];
  readonly directory: Pick<DirectorySource, "current">;
  readonly commits: CommitQueue;
  readonly address: { readonly env: string; readonly source: string };
  readonly clock: () => Date;
  /** Negative control of the inbox: no command is known again, neither by its row nor by the id of its task. Tests only. */
  readonly forgetful?: boolean;
  readonly foreseeWait?: SubmitDeps["foreseeWait"] | undefined;
}

export type TaskCommand = CommandMessage<(typeof TASK_COMMANDS)[number]>;

export function createCommandHandler(deps: CommandHandlerDeps): (command: TaskCommand) => Promise<[]> {
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

async function perform(deps: CommandHandlerDeps, command: TaskCommand): Promise<void> {
  const { envelope } = command;
  const principal = principalOf(deps.directory.current(), command.data.requested_by);
  const context = {
    correlationId: envelope.correlation_id ?? envelope.id,
    causationId: envelope.id,
    traceparent: envelope.traceparent,
  };
  if (command.definition === submitTask) {
    // The definition says which command it is; the compiler cannot tie it to the data.
    const { requested_by: _, ...body } = command.data as DataOf<typeof submitTask>;
    await submit(deps, principal, body, {
      ...context,
      commandId: deps.forgetful === true ? randomUUID() : envelope.id,
    });
  } else {
    const { task_id, grace_seconds } = command.data as DataOf<typeof stopTask>;
    await stop(deps, principal, task_id, { ...context, graceSeconds: grace_seconds });
  }
}

async function reject(deps: CommandHandlerDeps, command: TaskCommand, error: AiepError): Promise<void> {
  await rejectCommand(
    { ...deps, now: deps.clock() },
    {
      definition: taskRejected,
      envelope: command.envelope,
      command: command.name,
      groupId: groupOf(deps, command),
      requestedBy: command.data.requested_by,
      error,
    },
  );
}

/** The group the caller meant, or else their only one; the subject needs one even when there is none. */
function groupOf(deps: CommandHandlerDeps, command: TaskCommand): GroupId {
  const asked =
    command.definition === submitTask
      ? (command.data as DataOf<typeof submitTask>).task_config.metadata.group_id
      : undefined;
  const parsed = groupId.safeParse(asked ?? command.envelope.group_id ?? onlyGroup(deps, command));
  return parsed.success ? parsed.data : groupId.parse("unknown");
}

function onlyGroup({ directory }: CommandHandlerDeps, command: TaskCommand): string | undefined {
  const memberships: Principal["memberships"] = directory.current().groupsOf(command.data.requested_by);
  return memberships.length === 1 ? memberships[0]?.group.id : undefined;
}
