/** Waiting for a task by long polls: resumable by nature, nothing is polled faster than the task changes. */
import { ROUTES, type TaskView, taskView } from "@aiep/contracts";
import type { Session } from "../cli/session.ts";

const POLL_SECONDS = 30;

/** Reads the task again at every change until `done` says so. */
export async function waitFor(
  session: Session,
  taskId: string,
  done: (task: TaskView) => boolean,
  signal: AbortSignal,
  onChange: (task: TaskView) => void = () => undefined,
): Promise<TaskView> {
  let version = 0;
  for (;;) {
    const { data } = await session.api.call(ROUTES.getTask, taskView, {
      params: { task_id: taskId },
      query: version === 0 ? {} : { wait_seconds: POLL_SECONDS, after_version: version, until: "changed" },
      timeoutMs: (POLL_SECONDS + 15) * 1_000,
      signal,
    });
    if (data.version !== version) onChange(data);
    version = data.version;
    if (done(data)) return data;
  }
}
