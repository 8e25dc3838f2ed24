import { isTerminal, TASK_STATES, type TaskView } from "@aiep/contracts";
import type { CommandContext } from "../../cli/command.ts";
import { EXIT, usageError } from "../../cli/errors.ts";
import { withSession } from "../../cli/session.ts";
import { exitCodeOf } from "../../tasks/summary.ts";
import { taskIds } from "../../tasks/task-ids.ts";
import { statusTable } from "../../tasks/task-table.ts";
import { waitFor } from "../../tasks/wait-for.ts";
import { show } from "../../terminal/output.ts";
import { durationOption } from "../../terminal/time.ts";

export async function run(context: CommandContext): Promise<number> {
  const { options, terminal } = context;
  const ids = taskIds(context);
  const reached = goal(options.text("for") ?? "terminal");
  const timeoutMs = durationOption("timeout", options.text("timeout"));
  return withSession(context, async (session) => {
    const timeout = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
    const first = new AbortController();
    const signal = AbortSignal.any([
      session.signal,
      first.signal,
      ...(timeout === undefined ? [] : [timeout]),
    ]);
    // A task that has ended will never reach another state: waiting on would be for ever.
    const waits = ids.map((id) =>
      waitFor(session, id, (task) => reached(task) || isTerminal(task.state), signal),
    );
    let tasks: TaskView[];
    try {
      tasks = options.flag("any") ? [await Promise.any(waits)] : await Promise.all(waits);
    } catch (error) {
      if (timeout?.aborted === true && session.interrupts.exitCode === undefined) {
        terminal.err("Not there yet; the tasks go on.\n");
        return EXIT.timeout;
      }
      throw error instanceof AggregateError ? error.errors[0] : error;
    } finally {
      first.abort();
      await Promise.allSettled(waits);
    }
    await show(context, {
      raw: tasks.length === 1 ? tasks[0] : { items: tasks, next_cursor: null },
      names: tasks.map((task) => task.id),
      human: (wide) => statusTable(context, tasks, wide),
    });
    const codes = tasks.map((task) => {
      if (options.text("for") !== undefined && options.text("for") !== "terminal" && reached(task))
        return EXIT.ok;
      return exitCodeOf(task, options.flag("propagate-exit-code")) || (reached(task) ? EXIT.ok : EXIT.error);
    });
    return Math.max(...codes);
  });
}

function goal(text: string): (task: TaskView) => boolean {
  if (text === "terminal") return (task) => isTerminal(task.state);
  const wanted = TASK_STATES.find(
    (state) => state.toLowerCase() === text.replace(/^(state|status)=/, "").toLowerCase(),
  );
  if (wanted === undefined) throw usageError(`--for is terminal, running or state=STATE, not "${text}"`);
  return (task) => task.state === wanted;
}
