/** Following a submitted task in the foreground, for `run` and `copy --run`: detach, time out, or see it end. */
import type { TaskView } from "@aiep/contracts";
import { EXIT } from "../cli/errors.ts";
import type { Session } from "../cli/session.ts";
import { formatOf, show } from "../terminal/output.ts";
import { oneLine } from "../terminal/sanitize.ts";
import { durationOption, formatDuration } from "../terminal/time.ts";
import { followTask } from "./follow-task.ts";
import { exitCodeOf, summary } from "./summary.ts";
import { shortId } from "./task-ids.ts";

export async function runTask(session: Session, submitted: TaskView): Promise<number> {
  const { terminal, options } = session.context;
  const format = formatOf(session.context);
  const timeoutMs = durationOption("timeout", options.text("timeout"));
  const timeout = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
  terminal.err(`${taskLine(submitted)}\n`);
  let task: TaskView;
  try {
    task = await followTask(session, submitted, {
      logs: !options.flag("no-logs"),
      timestamps: options.flag("timestamps"),
      signal: timeout === undefined ? session.signal : AbortSignal.any([session.signal, timeout]),
      // With -o json stdout is the task's object; the log goes beside it.
      ...(format.kind === "table" || format.kind === "wide"
        ? {}
        : { write: (text: string) => terminal.err(text) }),
    });
  } catch (error) {
    const interrupted = session.interrupts.exitCode;
    if (interrupted !== undefined) {
      terminal.err(goesOn(submitted, "\nNo longer following; the task goes on."));
      return interrupted;
    }
    if (timeout?.aborted === true) {
      terminal.err(
        goesOn(submitted, `\nStill not finished after ${formatDuration(timeoutMs ?? 0)}; the task goes on.`),
      );
      return EXIT.timeout;
    }
    terminal.err(goesOn(submitted, "\nLost sight of the task; it goes on."));
    throw error;
  }
  terminal.say(summary(task, terminal));
  if (format.kind !== "table" && format.kind !== "wide")
    await show(session.context, { raw: task, names: [task.id], human: () => "" });
  return exitCodeOf(task, options.flag("propagate-exit-code"));
}

export function taskLine(task: TaskView): string {
  const nodes = task.nodes.length === 1 ? "1 node" : `${task.nodes.length} nodes`;
  return `Task ${task.id} ${oneLine(task.name)} (group ${task.group_id}, namespace ${task.namespace}, ${task.mode}, ${nodes})`;
}

function goesOn(task: TaskView, sentence: string): string {
  const id = shortId(task.id);
  return [
    sentence,
    `Follow: aiepctl mltask logs ${id} -f`,
    `Status: aiepctl mltask status ${id}`,
    `Stop:   aiepctl mltask stop ${id}`,
    "",
  ].join("\n");
}
