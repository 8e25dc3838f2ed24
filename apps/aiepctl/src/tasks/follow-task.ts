/**
 * Following a task to its end: state changes with reasons on stderr, log lines on stdout, the status line of a terminal.
 *
 * The task's state decides when it is over; the log is shown as far as it can be had and never changes the result.
 */
import {
  historyEntry,
  isTerminal,
  ROUTES,
  type TaskNode,
  type TaskView,
  taskNode,
  taskState,
  taskView,
} from "@aiep/contracts";
import * as z from "zod";
import { CliError, EXIT } from "../cli/errors.ts";
import type { Session } from "../cli/session.ts";
import { reasonOf } from "../http/api.ts";
import { follow } from "../http/follow.ts";
import { oneLine } from "../terminal/sanitize.ts";
import { formatDuration } from "../terminal/time.ts";
import { followLogs } from "./follow-logs.ts";
import { LogWriter } from "./log-writer.ts";
import { shortId } from "./task-ids.ts";

/** What every status event carries; `deleted` does not. */
export const statusData = z.object({
  state: taskState,
  reason: z.string(),
  message: z.string(),
  nodes: z.array(taskNode),
});
export type StatusData = z.infer<typeof statusData>;

export interface FollowTaskOptions {
  readonly logs: boolean;
  readonly timestamps: boolean;
  readonly signal: AbortSignal;
  /** Where log lines go; default stdout. */
  readonly write?: (text: string) => void;
}

/** A service may hear of a task a moment after it was accepted. */
const NOT_YET_MS = 20_000;
/** After the task's end the rest of its log is waited for as long as lines keep coming, and this long without any. */
const LOG_IDLE_MS = 10_000;

/** Returns the task as it ended. Throws when the signal fires or the server is lost for good. */
export async function followTask(
  session: Session,
  task: TaskView,
  options: FollowTaskOptions,
): Promise<TaskView> {
  const logsEnd = new AbortController();
  const logSignal = AbortSignal.any([options.signal, logsEnd.signal]);
  const line = startStatusLine(session, task);
  const tail = options.logs ? tailLogs(session, task, options, logSignal, line) : undefined;
  try {
    await watchStates(session, task, options.signal, line);
    await tail?.finish(() => logsEnd.abort());
  } finally {
    line.stop();
    logsEnd.abort();
    await tail?.settled;
  }
  const { data } = await session.api.call(ROUTES.getTask, taskView, {
    params: { task_id: task.id },
    signal: options.signal,
  });
  return data;
}

async function watchStates(
  session: Session,
  task: TaskView,
  signal: AbortSignal,
  line: StatusLine,
): Promise<void> {
  const events = follow(session.api, ROUTES.streamTask, {
    params: { task_id: task.id },
    signal,
    onRetry: session.onRetry,
  });
  let said = "";
  for await (const { event, data } of events) {
    if (event !== "status") continue;
    const entry = historyEntry.parse(JSON.parse(data));
    const status = statusData.safeParse(entry.data);
    if (!status.success) {
      if (!entry.type.includes(".deleted.")) continue;
      throw new CliError("the task was deleted while it was followed", {
        code: "TASK_NOT_FOUND",
        exitCode: EXIT.notFound,
      });
    }
    line.update(status.data);
    if (isTerminal(status.data.state)) return;
    const sentence = `${status.data.state} ${status.data.reason} ${status.data.message}`;
    const badNode = status.data.nodes.some(({ state }) => state === "Failed");
    // A node's own change often leaves the task's sentence as it was.
    if (sentence !== said || badNode) announce(session, status.data);
    said = sentence;
  }
}

/** `==> Running (AllNodesRunning): Every node runs.` and a line for each node that ended badly. */
export function announce({ context: { terminal } }: Session, status: StatusData): void {
  const head = terminal.styleErr("bold", `==> ${status.state}`);
  terminal.say(`${head} (${oneLine(status.reason)}): ${oneLine(status.message)}`);
  for (const node of status.nodes) {
    if (node.state === "Failed") terminal.say(`    ${nodeSentence(node)}`);
  }
}

export function nodeSentence(node: TaskNode): string {
  const code = node.exit_code === null ? "" : ` with exit code ${node.exit_code}`;
  return `${node.name} ${node.state.toLowerCase()}${code}${node.message === null ? "" : `: ${oneLine(node.message)}`}`;
}

interface StatusLine {
  update(status: StatusData): void;
  /** A log line was shown: the output itself is progress now. */
  quiet(): void;
  stop(): void;
}

function startStatusLine({ context: { terminal, shell } }: Session, task: TaskView): StatusLine {
  const nodes = new Map(task.nodes.map((node) => [node.name, node.state] as const));
  let status: Pick<StatusData, "state" | "reason"> = task;
  const draw = () => {
    const ready = [...nodes.values()].filter((state) => state !== "Pending").length;
    const since = formatDuration(shell.now().getTime() - Date.parse(task.created_at));
    terminal.status(`${status.state}  ${ready}/${nodes.size} nodes · ${oneLine(status.reason)} · ${since}`);
  };
  let timer = terminal.messagesTTY ? setInterval(draw, 1_000) : undefined;
  const stop = () => {
    clearInterval(timer);
    timer = undefined;
    terminal.clearStatus();
  };
  return {
    update: (next) => {
      status = next;
      for (const node of next.nodes) nodes.set(node.name, node.state);
    },
    quiet: stop,
    stop,
  };
}

function tailLogs(
  session: Session,
  task: TaskView,
  options: FollowTaskOptions,
  signal: AbortSignal,
  line: StatusLine,
) {
  const { terminal } = session.context;
  const writer = new LogWriter({
    terminal,
    prefix: task.nodes.length > 1,
    timestamps: options.timestamps,
    userOnly: false,
    grep: undefined,
    ...(options.write === undefined ? {} : { write: options.write }),
  });
  let lastLineAt = performance.now();
  const incomplete = (why: string) =>
    terminal.say(
      `The log shown is not complete: ${why}. Read it with: aiepctl mltask logs ${shortId(task.id)}`,
    );
  const settled = (async () => {
    try {
      for await (const item of followLogs(session, {
        taskId: task.id,
        query: {},
        signal,
        notYetMs: NOT_YET_MS,
      })) {
        line.quiet();
        lastLineAt = performance.now();
        writer.item(item);
      }
    } catch (error) {
      if (!signal.aborted) incomplete(reasonOf(error));
    }
    writer.end();
  })();
  return {
    settled,
    /** Waits for the end of the log, but not for ever. */
    finish: async (abort: () => void) => {
      lastLineAt = performance.now();
      const watchdog = setInterval(() => {
        if (performance.now() - lastLineAt < LOG_IDLE_MS) return;
        clearInterval(watchdog);
        incomplete("the log store has not sent its end");
        abort();
      }, 500);
      await settled;
      clearInterval(watchdog);
    },
  };
}
