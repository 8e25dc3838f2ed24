import { createWriteStream } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { isTerminal, logItem, logNodeView, page, ROUTES, type TaskView, taskView } from "@aiep/contracts";
import type { CommandContext } from "../../cli/command.ts";
import { EXIT, usageError } from "../../cli/errors.ts";
import { type Session, withSession } from "../../cli/session.ts";
import { type Query, surface } from "../../http/api.ts";
import { followLogs } from "../../tasks/follow-logs.ts";
import { LogWriter } from "../../tasks/log-writer.ts";
import { exitCodeOf } from "../../tasks/summary.ts";
import { oneTaskId, shortId } from "../../tasks/task-ids.ts";
import { formatOf } from "../../terminal/output.ts";
import { timeOption } from "../../terminal/time.ts";
import { rawItems } from "./list.ts";

const PAGE = 5_000;

export async function run(context: CommandContext): Promise<number> {
  const id = oneTaskId(context);
  const query = logQuery(context);
  const grep = grepOption(context.options.text("grep"));
  const directory = context.options.text("download");
  return withSession(context, async (session) => {
    if (directory !== undefined) return download(session, id, directory, query);
    const { data: task } = await session.api.call(ROUTES.getTask, taskView, {
      params: { task_id: id },
      signal: session.signal,
    });
    const shown = query["node"];
    const several = task.nodes.length > 1 && !(Array.isArray(shown) && shown.length === 1);
    const writer = new LogWriter({
      terminal: context.terminal,
      prefix: several && !context.options.flag("no-prefix"),
      timestamps: context.options.flag("timestamps"),
      userOnly: context.options.flag("no-system"),
      grep,
    });
    const ended = context.options.flag("follow")
      ? await followed(session, task, query, writer)
      : await history(session, task, query, writer);
    writer.end();
    return ended;
  });
}

function logQuery({ options, shell }: CommandContext): Query {
  const tail = options.text("tail");
  if (tail !== undefined && !/^\d{1,6}$/.test(tail))
    throw usageError(`--tail is a number of lines, not "${tail}"`);
  const now = shell.now();
  const nodes = options.list("node").flatMap((text) => text.split(","));
  return {
    node: nodes.includes("all") ? [] : nodes,
    since: timeOption("since", options.text("since"), now),
    until: timeOption("until", options.text("until"), now),
    tail,
    // A plain text is searched for by the server, so that --tail counts only lines that match.
    text: plainText(options.text("grep")),
  };
}

function plainText(pattern: string | undefined): string | undefined {
  return pattern !== undefined &&
    pattern !== "" &&
    pattern.length <= 512 &&
    !/[\\^$.*+?()[\]{}|]/.test(pattern)
    ? pattern
    : undefined;
}

function grepOption(pattern: string | undefined): RegExp | undefined {
  if (pattern === undefined) return undefined;
  try {
    return new RegExp(pattern, "u");
  } catch {
    throw usageError(`--grep "${pattern}" is no regular expression`);
  }
}

async function history(session: Session, task: TaskView, query: Query, writer: LogWriter): Promise<number> {
  const { terminal } = session.context;
  const format = formatOf(session.context).kind;
  const all: unknown[] = [];
  let cursor: string | undefined;
  let lines = 0;
  do {
    const { raw, data } = await session.api.call(ROUTES.readLogs, page(logItem), {
      params: { task_id: task.id },
      query: { ...query, limit: PAGE, cursor },
      signal: session.signal,
    });
    const raws = rawItems(raw);
    if (format === "json") all.push(...raws);
    else if (format === "jsonl") terminal.out(raws.map((item) => `${JSON.stringify(item)}\n`).join(""));
    else for (const item of data.items) writer.item(item);
    lines += data.items.length;
    cursor = data.items.length === 0 ? undefined : (data.next_cursor ?? undefined);
  } while (cursor !== undefined);
  if (format === "json") terminal.out(`${JSON.stringify({ items: all, next_cursor: null }, undefined, 2)}\n`);
  if (lines === 0)
    terminal.say(
      `No log lines${isTerminal(task.state) ? "" : ` yet; the task is ${task.state} (${task.reason}): ${task.message}`}`,
    );
  else if (!isTerminal(task.state))
    terminal.say(`The task is ${task.state}; go on with: aiepctl mltask logs ${shortId(task.id)} -f`);
  return EXIT.ok;
}

async function followed(session: Session, task: TaskView, query: Query, writer: LogWriter): Promise<number> {
  const { terminal, options } = session.context;
  const json = formatOf(session.context).kind === "json" || formatOf(session.context).kind === "jsonl";
  try {
    const notYetMs = isTerminal(task.state) ? 0 : 20_000;
    for await (const item of followLogs(session, {
      taskId: task.id,
      query,
      signal: session.signal,
      notYetMs,
    })) {
      if (json) terminal.out(`${JSON.stringify(item)}\n`);
      else writer.item(item);
    }
  } catch (error) {
    writer.end();
    throw error;
  }
  if (!options.flag("exit-status")) return EXIT.ok;
  const { data } = await session.api.call(ROUTES.getTask, taskView, {
    params: { task_id: task.id },
    signal: session.signal,
  });
  return exitCodeOf(data, false);
}

/** One file a node, complete or not there at all. */
async function download(session: Session, id: string, directory: string, query: Query): Promise<number> {
  const { terminal, shell, options } = session.context;
  const params = { task_id: id };
  const { data: task } = await session.api.call(ROUTES.getTask, taskView, { params, signal: session.signal });
  const { data } = await session.api.call(ROUTES.listLogNodes, page(logNodeView), {
    params,
    signal: session.signal,
  });
  const wanted = query["node"];
  const nodes = data.items.filter(
    ({ node }) => !Array.isArray(wanted) || wanted.length === 0 || wanted.includes(node),
  );
  if (nodes.length === 0) terminal.say("No node has a log yet.");
  const folder = resolve(shell.cwd, directory);
  await mkdir(folder, { recursive: true });
  for (const { node, complete } of nodes) {
    const path = join(folder, `${shortId(task.id)}-${node}.log`);
    try {
      const answer = await session.api.open(ROUTES.downloadLogs, {
        params,
        query: {
          node: [node],
          since: query["since"],
          until: query["until"],
          timestamps: options.flag("timestamps"),
        },
        accept: "text/plain",
        signal: session.signal,
      });
      await pipeline(answer, createWriteStream(`${path}.part`), { signal: session.signal });
    } catch (error) {
      throw surface(error, session.settings);
    }
    await rename(`${path}.part`, path);
    terminal.out(`${path}\n`);
    if (!complete) terminal.say(`${node} is still writing; ${path} ends where its log is now.`);
  }
  return EXIT.ok;
}
