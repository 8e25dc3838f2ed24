/** The live log of a task: history and what follows as one sequence, over as many connections as it takes (I8). */
import { type LogItem, logItem, ROUTES } from "@aiep/contracts";
import type { Session } from "../cli/session.ts";
import type { Query } from "../http/api.ts";
import { follow } from "../http/follow.ts";

export interface FollowLogsOptions {
  readonly taskId: string;
  readonly query: Query;
  readonly signal: AbortSignal;
  readonly notYetMs: number;
}

export async function* followLogs(
  session: Session,
  options: FollowLogsOptions,
): AsyncGenerator<LogItem, void> {
  const events = follow(session.api, ROUTES.streamLogs, {
    params: { task_id: options.taskId },
    query: options.query,
    signal: options.signal,
    onRetry: (message) => session.onRetry(`log: ${message}`),
    notYetMs: options.notYetMs,
  });
  for await (const { event, data } of events) {
    if (event !== "line" && event !== "gap") continue;
    const item = logItem.safeParse(JSON.parse(data));
    if (item.success) yield item.data;
  }
}
