/**
 * Commands of the bus, handled by the same operations as HTTP (D8).
 *
 * M1 A command is answered by events: `created` or `stop_requested`, or `rejected` when it is refused. Handled again, it
 *    changes nothing more: the task's id and the rejection's version follow from the command's id (I2).
 * M2 What may succeed later is thrown and delivered again; what cannot succeed is refused. Nothing is dropped (D9).
 */
import { randomUUID } from "node:crypto";
import { type DataOf, type stopTask, submitTask, type TASK_COMMANDS, taskRejected } from "@aiep/contracts";
import {
  answerCommands,
  type CommandMessage,
  type CommitQueue,
  contextOfCommand,
  type DirectorySource,
  type Principal,
  principalOf,
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
  const { commits, address, clock } = deps;
  return answerCommands({
    commits,
    address,
    clock,
    rejected: taskRejected,
    perform: async (command: TaskCommand) => await perform(deps, command),
    groupOf: (command) => groupOf(deps, command),
  });
}

async function perform(deps: CommandHandlerDeps, command: TaskCommand): Promise<void> {
  const { envelope } = command;
  const principal = principalOf(deps.directory.current(), command.data.requested_by);
  const context = contextOfCommand(command);
  if (command.definition === submitTask) {
    // The definition says which command it is; the compiler cannot tie it to the data.
    const { requested_by: _, ...body } = command.data as DataOf<typeof submitTask>;
    await submit(deps, principal, body, {
      ...context,
      also: () => command.once,
      commandId: deps.forgetful === true ? randomUUID() : envelope.id,
    });
  } else {
    const { task_id, grace_seconds } = command.data as DataOf<typeof stopTask>;
    await stop(deps, principal, task_id, { ...context, graceSeconds: grace_seconds });
  }
}

/** The group the caller meant, or else their only one. */
function groupOf(deps: CommandHandlerDeps, command: TaskCommand): string | undefined {
  const asked =
    command.definition === submitTask
      ? (command.data as DataOf<typeof submitTask>).task_config.metadata.group_id
      : undefined;
  return asked ?? command.envelope.group_id ?? onlyGroup(deps, command);
}

function onlyGroup({ directory }: CommandHandlerDeps, command: TaskCommand): string | undefined {
  const memberships: Principal["memberships"] = directory.current().groupsOf(command.data.requested_by);
  return memberships.length === 1 ? memberships[0]?.group.id : undefined;
}
