import { logItem, page, ROUTES, type RunNodeView, runNodeView } from "@aiep/contracts";
import type { CommandContext } from "../../cli/command.ts";
import { CliError, EXIT, usageError } from "../../cli/errors.ts";
import { type Session, withSession } from "../../cli/session.ts";
import { followLogs } from "../../tasks/follow-logs.ts";
import { LogWriter } from "../../tasks/log-writer.ts";
import { shortId } from "../../tasks/task-ids.ts";
import { runIdOf } from "../../workflows/ids.ts";
import { pages } from "../../workflows/pages.ts";

const PAGE = 5_000;
const NOT_YET_MS = 20_000;

export async function run(context: CommandContext): Promise<number> {
  const id = runIdOf(context.args[0]);
  const wanted = context.options.list("node").flatMap((text) => text.split(","));
  const follows = context.options.flag("follow");
  return await withSession(context, async (session) => {
    const params = { run_id: id };
    const { items } = await pages(session, ROUTES.listRunNodes, page(runNodeView), { params, all: true });
    const nodes = chosen(items, wanted);
    if (follows && nodes.length !== 1) throw usageError("one node is followed at a time", "add --node NODE");
    if (nodes.length === 0) context.terminal.say("No node has a container task yet.");
    for (const { key, task_id: taskId } of nodes) {
      if (taskId === null) continue;
      if (nodes.length > 1 || wanted.length === 0)
        context.terminal.say(context.terminal.styleErr("bold", `==> ${key} (task ${shortId(taskId)})`));
      await printLog(session, taskId, follows);
    }
    return EXIT.ok;
  });
}

function chosen(nodes: readonly RunNodeView[], wanted: readonly string[]): readonly RunNodeView[] {
  if (wanted.length === 0) return nodes.filter(({ task_id: task }) => task !== null);
  return wanted.map((name) => {
    const node = nodes.find(({ key }) => key === name);
    if (node === undefined)
      throw new CliError(`the run has no node ${name}`, {
        code: "RUN_NODE_NOT_FOUND",
        exitCode: EXIT.notFound,
        hint: `its nodes: ${nodes
          .map(({ key }) => key)
          .slice(0, 20)
          .join(", ")}`,
      });
    if (node.task_id === null)
      throw new CliError(`node ${name} has no container task, so no log`, {
        code: "NO_LOG",
        exitCode: EXIT.notFound,
        why: `it is of the kind ${node.kind} and ${node.state}`,
      });
    return node;
  });
}

async function printLog(session: Session, taskId: string, follows: boolean): Promise<void> {
  const { terminal, options } = session.context;
  const writer = new LogWriter({
    terminal,
    prefix: false,
    timestamps: options.flag("timestamps"),
    userOnly: options.flag("no-system"),
    grep: undefined,
  });
  if (follows) {
    const { signal } = session;
    for await (const item of followLogs(session, { taskId, query: {}, signal, notYetMs: NOT_YET_MS }))
      writer.item(item);
  } else {
    let cursor: string | undefined;
    do {
      const { data } = await session.api.call(ROUTES.readLogs, page(logItem), {
        params: { task_id: taskId },
        query: { limit: PAGE, cursor },
        signal: session.signal,
      });
      for (const item of data.items) writer.item(item);
      cursor = data.items.length === 0 ? undefined : (data.next_cursor ?? undefined);
    } while (cursor !== undefined);
  }
  writer.end();
}
