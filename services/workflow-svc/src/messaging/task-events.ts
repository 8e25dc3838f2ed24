/**
 * What happens to container tasks, told to the runs that wait for them (D23). An event of a task that no run asked for is
 * passed over without a look at the database.
 *
 * N1 The run keeps how far it is with a task: every event tells the task's whole state, so an older one changes nothing.
 */
import { type RunId, runId, type TASK_EVENTS, type TaskOutputs, taskRejected } from "@aiep/contracts";
import type { EventMessage } from "@aiep/service-kit";
import type { JsonObject, TaskNotice } from "../store/run-store.ts";

export type TaskEventMessage = EventMessage<(typeof TASK_EVENTS)[number]>;

export function createTaskEventHandler(
  notice: (id: RunId, notice: TaskNotice) => Promise<void>,
): (message: TaskEventMessage) => Promise<void> {
  return async (message) => {
    const told = noticeOf(message);
    if (told !== undefined) await notice(told.id, told.notice);
  };
}

export function noticeOf(message: TaskEventMessage): { id: RunId; notice: TaskNotice } | undefined {
  const { definition, envelope, data } = message;
  if (definition === taskRejected) {
    // The run is the correlation of the commands it sends.
    const id = runId.safeParse(envelope.correlation_id);
    if (!id.success || !("code" in data)) return undefined;
    const { command_id: commandId, code, detail } = data;
    return { id: id.data, notice: { what: "refused", commandId, code, detail } };
  }
  if (!("experiment_run_id" in data) || !("state" in data)) return undefined;
  const id = runId.safeParse(data.experiment_run_id);
  if (!id.success) return undefined;
  const { task_id: taskId, state, reason, message: text, outputs } = data;
  const version = envelope.aggregate_version;
  const left = outputs === undefined ? {} : outputsOf(outputs);
  return {
    id: id.data,
    notice: { what: "status", taskId, version, state, reason, message: text, outputs: left },
  };
}

/** Values by their names, directories by theirs: `{digest, size_bytes, file_count}`. */
function outputsOf({ values, directories }: TaskOutputs): JsonObject {
  return {
    ...values,
    ...Object.fromEntries(directories.map(({ name, ...directory }) => [name, directory])),
  };
}
