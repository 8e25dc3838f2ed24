/**
 * Following a run to its end, for `run --wait` and `runs wait`: node states as they change on stderr, the status line of a
 * terminal, the result and its exit code. Ctrl-C leaves the run alone.
 */
import { historyEntry, page, ROUTES, type RunView, runNodeView, runView } from "@aiep/contracts";
import * as z from "zod";
import { EXIT } from "../cli/errors.ts";
import type { Session } from "../cli/session.ts";
import { follow } from "../http/follow.ts";
import { shortId } from "../tasks/task-ids.ts";
import { formatOf, isMachine, show } from "../terminal/output.ts";
import { oneLine } from "../terminal/sanitize.ts";
import type { Style, Terminal } from "../terminal/terminal.ts";
import { durationOption, formatDuration } from "../terminal/time.ts";
import { pages } from "./pages.ts";
import { allNodes, endedNodes, nodeTable } from "./tables.ts";

/** Words of later versions are shown as they are. */
const node = z.object({
  key: z.string(),
  state: z.string(),
  reason: z.string().nullable(),
  message: z.string().nullable(),
  attempt: z.int(),
  task_id: z.string().nullable(),
});
const status = z.object({
  state: z.string(),
  message: z.string().nullable(),
  nodes: z.array(node),
});

export async function followRun(session: Session, run: RunView): Promise<number> {
  const { terminal, options } = session.context;
  const timeoutMs = durationOption("timeout", options.text("timeout"));
  const timeout = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
  const signal = timeout === undefined ? session.signal : AbortSignal.any([session.signal, timeout]);
  terminal.err(`${runLine(run)}\n`);
  try {
    await watch(session, run, signal);
  } catch (error) {
    const interrupted = session.interrupts.exitCode;
    if (interrupted !== undefined) {
      terminal.err(goesOn(run, "\nNo longer following; the run goes on."));
      return interrupted;
    }
    if (timeout?.aborted === true) {
      terminal.err(
        goesOn(run, `\nStill not finished after ${formatDuration(timeoutMs ?? 0)}; the run goes on.`),
      );
      return EXIT.timeout;
    }
    terminal.err(goesOn(run, "\nLost sight of the run; it goes on."));
    throw error;
  }
  const { data, raw } = await session.api.call(ROUTES.getRun, runView, {
    params: { run_id: run.id },
    signal: session.signal,
  });
  await conclude(session, data);
  if (isMachine(formatOf(session.context)))
    await show(session.context, { raw, names: [data.id], human: () => "" });
  return exitCodeOf(data.state);
}

export function exitCodeOf(state: RunView["state"]): number {
  switch (state) {
    case "Succeeded":
      return EXIT.ok;
    case "Failed":
    case "TimedOut":
      return EXIT.taskFailed;
    case "Cancelled":
      return EXIT.taskStopped;
    default:
      return EXIT.error;
  }
}

async function watch(session: Session, run: RunView, signal: AbortSignal): Promise<void> {
  const { terminal, shell } = session.context;
  const shown = new Map<string, string>();
  let state: string = run.state;
  const draw = () => {
    const since = formatDuration(shell.now().getTime() - Date.parse(run.created_at));
    const ended = [...shown.values()].filter((each) => OVER.test(each)).length;
    terminal.status(`${state}  ${ended}/${Math.max(run.node_count, shown.size)} nodes · ${since}`);
  };
  const timer = terminal.messagesTTY ? setInterval(draw, 1_000) : undefined;
  try {
    const events = follow(session.api, ROUTES.streamRun, {
      params: { run_id: run.id },
      signal,
      onRetry: session.onRetry,
    });
    for await (const { event, data } of events) {
      if (event !== "status") continue;
      const parsed = status.safeParse(historyEntry.parse(JSON.parse(data)).data);
      if (!parsed.success) continue;
      if (parsed.data.state !== state)
        terminal.say(
          `==> ${terminal.styleErr("bold", parsed.data.state)}${parsed.data.message === null ? "" : `: ${oneLine(parsed.data.message)}`}`,
        );
      state = parsed.data.state;
      for (const each of parsed.data.nodes) announce(terminal, each, shown);
    }
  } finally {
    clearInterval(timer);
    terminal.clearStatus();
  }
}

const OVER = /^(Succeeded|Cached|Skipped|Failed|TimedOut|Cancelled|UpstreamFailed)/;

const STYLES: Readonly<Record<string, Style>> = {
  Running: "cyan",
  Succeeded: "green",
  Cached: "green",
  Failed: "red",
  TimedOut: "red",
  UpstreamFailed: "red",
  Suspended: "yellow",
  UpForRetry: "yellow",
  Cancelled: "yellow",
};

function announce(terminal: Terminal, each: z.infer<typeof node>, shown: Map<string, string>): void {
  const sentence = `${each.state} ${each.attempt} ${each.message ?? ""}`;
  if (shown.get(each.key) === sentence) return;
  shown.set(each.key, sentence);
  const style = STYLES[each.state];
  const name = oneLine(each.state);
  const word = style === undefined ? name : terminal.styleErr(style, name);
  const again = each.attempt > 1 ? ` (attempt ${each.attempt})` : "";
  const task = each.task_id === null ? "" : ` task ${shortId(each.task_id)}`;
  const why = each.message === null ? "" : `: ${oneLine(each.message)}`;
  terminal.say(`    ${each.key} ${word}${again}${task}${why}`);
}

async function conclude(session: Session, run: RunView): Promise<void> {
  const { context } = session;
  const { terminal } = context;
  const took =
    run.finished_at === null
      ? ""
      : ` after ${formatDuration(Date.parse(run.finished_at) - Date.parse(run.started_at ?? run.created_at))}`;
  const style = STYLES[run.state];
  const word = style === undefined ? run.state : terminal.styleErr(style, run.state);
  const message = run.message === null ? "" : `: ${oneLine(run.message)}`;
  terminal.say(`\nRun ${run.id} of ${oneLine(run.experiment_name)} ${run.version_name}`);
  terminal.say(`${word}${took}${message} (${endedNodes(run)}/${allNodes(run)} nodes ended)`);
  if (run.state !== "Succeeded") {
    const bad = await pages(session, ROUTES.listRunNodes, page(runNodeView), {
      params: { run_id: run.id },
      query: { state: ["Failed", "TimedOut", "UpstreamFailed", "Cancelled"] },
      all: true,
    });
    if (bad.items.length > 0) terminal.say(nodeTable(context, bad.items).trimEnd());
  }
  const id = shortId(run.id);
  terminal.say(`Nodes: aiepctl workflow runs get ${id}`);
  terminal.say(`Logs:  aiepctl workflow runs logs ${id}`);
  if (run.state !== "Succeeded") terminal.say(`Again: aiepctl workflow runs rerun ${id} --wait`);
}

export function runLine(run: RunView): string {
  const nodes = run.node_count === 1 ? "1 node" : `${run.node_count} nodes`;
  return `Run ${run.id} of ${oneLine(run.experiment_name)} ${run.version_name} (${nodes}, run_date ${run.run_date})`;
}

function goesOn(run: RunView, sentence: string): string {
  const id = shortId(run.id);
  return [
    sentence,
    `Follow: aiepctl workflow runs wait ${id}`,
    `Status: aiepctl workflow runs get ${id}`,
    `Cancel: aiepctl workflow runs cancel ${id}`,
    "",
  ].join("\n");
}
