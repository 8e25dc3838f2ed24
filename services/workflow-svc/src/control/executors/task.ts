/**
 * Container tasks: asked for by a command that leaves with the commit, followed by the task's events (D23). The command's id
 * follows from the attempt, the task's id from the command's, so that nothing has to be looked up.
 *
 * T1 A stop may overtake its submit; task-svc then refuses it, and it is sent again until the task ends.
 */
import {
  isTerminal,
  stopTask,
  submitTask,
  type TaskId,
  type TaskReason,
  type TerminalTaskState,
  taskIdOfCommand,
} from "@aiep/contracts";
import type { AttemptOutcome, Fact } from "../../domain/engine/model.ts";
import type { OutgoingCommand } from "../../store/outbox.ts";
import type { RunFacts, TaskNotice } from "../../store/run-store.ts";
import { commandId } from "../execution-key.ts";
import { type Attempt, type AttemptRef, type Executor, ended, progress } from "./executor.ts";
import { succeededWith } from "./outcomes.ts";

const SUBMIT = "submit";
export const STOP = "stop";
/** Commands of one task leave in order: submit is the first. */
const TASK_COMMANDS_AGGREGATE = "task-commands";

export function submitCommandId(run: RunFacts["id"], key: string, attempt: number): string {
  return commandId(run, key, attempt, SUBMIT);
}

export function taskIdOf(run: RunFacts["id"], key: string, attempt: number): TaskId {
  return taskIdOfCommand(submitCommandId(run, key, attempt));
}

export function taskExecutor(): Executor<"task"> {
  return {
    starting: (attempt) => ({ commands: [submission(attempt)] }),
    begin: () => {}, // its events tell how it goes on
    stopping: (attempt) => ({ commands: [stopCommand(attempt, 1)] }),
  };
}

function submission({ run, key, attempt, input: { body } }: Attempt<"task">): OutgoingCommand {
  const { task_config: config } = body;
  return {
    definition: submitTask,
    id: submitCommandId(run.id, key, attempt),
    aggregateType: TASK_COMMANDS_AGGREGATE,
    aggregateId: taskIdOf(run.id, key, attempt),
    aggregateVersion: 1,
    data: {
      ...body,
      task_config: {
        ...config,
        metadata: {
          ...config.metadata,
          experiment_id: run.experimentId,
          experiment_run_id: run.id,
          experiment_version_name: run.versionName,
        },
      },
      requested_by: run.createdBy,
    },
  };
}

/** `number` from 1: each is a command of its own (T1). */
export function stopCommand({ run, key, attempt }: AttemptRef, number: number): OutgoingCommand {
  const id = taskIdOf(run.id, key, attempt);
  return {
    definition: stopTask,
    id: commandId(run.id, key, attempt, STOP, number),
    aggregateType: TASK_COMMANDS_AGGREGATE,
    aggregateId: id,
    aggregateVersion: 1 + number,
    data: { task_id: id, requested_by: run.createdBy },
  };
}

/** What a notice of the attempt's task means for the run. */
export function taskFacts(attempt: AttemptRef, notice: TaskNotice): readonly Fact[] {
  const { key, attempt: number } = attempt;
  if (notice.what === "refused") {
    const { code, detail } = notice;
    const message = `The task was refused: ${detail}`;
    return [ended(attempt, { kind: "failed", failure: "validation", reason: code, message })];
  }
  const { taskId, state, reason, message } = notice;
  const of = { key, attempt: number };
  if (isTerminal(state)) {
    // Its id first: it may be the only word of the task that ever reaches us.
    return [{ type: "accepted", ...of, taskId }, ended(attempt, outcomeOfTask({ ...notice, state }))];
  }
  const told = progress(attempt, reason, message);
  return state === "Running"
    ? [{ type: "started", ...of, taskId }, told]
    : [{ type: "accepted", ...of, taskId }, told];
}

type TaskStatus = Extract<TaskNotice, { what: "status" }>;

function outcomeOfTask(
  notice: Omit<TaskStatus, "state"> & { readonly state: TerminalTaskState },
): AttemptOutcome {
  const { state, reason, message, outputs } = notice;
  switch (state) {
    case "Succeeded":
      return succeededWith(outputs, null);
    case "Stopped":
      return { kind: "cancelled", reason, message };
    case "Failed":
      return { kind: "failed", failure: failureOf(reason), reason, message };
    default: {
      const never: never = state;
      throw new TypeError(`unknown end of a task: ${String(never)}`);
    }
  }
}

/** Not the user's doing, so that another attempt may go well. */
const OF_THE_SYSTEM: ReadonlySet<string> = new Set([
  "LaunchFailed",
  "NodeLost",
  "Evicted",
  "RemovedFromOutside",
  "QuotaExceeded",
] satisfies TaskReason[]);

function failureOf(reason: string): "user" | "system" | "timeout" {
  if (reason === "DeadlineExceeded") return "timeout";
  return OF_THE_SYSTEM.has(reason) ? "system" : "user";
}
