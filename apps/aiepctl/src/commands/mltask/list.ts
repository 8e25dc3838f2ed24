import { page, ROUTES, type TaskView, taskView, whoamiView } from "@aiep/contracts";
import type { CommandContext } from "../../cli/command.ts";
import { EXIT, usageError } from "../../cli/errors.ts";
import { type Session, withSession } from "../../cli/session.ts";
import type { Query } from "../../http/api.ts";
import { taskTable } from "../../tasks/task-table.ts";
import { formatOf, show } from "../../terminal/output.ts";
import { timeOption } from "../../terminal/time.ts";

const PAGE = 500;

export async function run(context: CommandContext): Promise<number> {
  return withSession(context, async (session) => {
    const query = await filters(session);
    const all = context.options.flag("all");
    const items: unknown[] = [];
    const tasks: TaskView[] = [];
    let cursor = context.options.text("cursor");
    do {
      const { raw, data } = await session.api.call(ROUTES.listTasks, page(taskView), {
        query: { ...query, cursor },
        signal: session.signal,
      });
      items.push(...rawItems(raw));
      tasks.push(...data.items);
      cursor = data.next_cursor ?? undefined;
    } while (all && cursor !== undefined);
    await show(context, {
      raw: { items, next_cursor: cursor ?? null },
      names: tasks.map((task) => task.id),
      human: (wide) => taskTable(context, tasks, wide),
    });
    const { kind } = formatOf(context);
    if (kind === "table" || kind === "wide") {
      if (tasks.length === 0) context.terminal.say("No tasks match.");
      if (cursor !== undefined) context.terminal.say(`There are more: --all, or --cursor ${cursor}`);
    }
    return EXIT.ok;
  });
}

export function rawItems(raw: unknown): readonly unknown[] {
  if (typeof raw !== "object" || raw === null || !("items" in raw) || !Array.isArray(raw.items)) return [];
  return raw.items;
}

async function filters(session: Session): Promise<Query> {
  const { options, shell } = session.context;
  const limit = options.text("limit");
  if (limit !== undefined && !/^[1-9]\d{0,2}$/.test(limit))
    throw usageError(`--limit is a number from 1 to ${PAGE}, not "${limit}"`);
  const now = shell.now();
  return {
    limit: limit ?? (options.flag("all") ? PAGE : undefined),
    state: options.list("state"),
    mode: options.list("mode"),
    group_id: options.text("group"),
    namespace: options.text("namespace"),
    name_prefix: options.text("name-prefix"),
    label: options.list("label").map((text) => text.replace("=", ":")),
    created_by: options.flag("mine") ? await whoAmI(session) : undefined,
    created_after: timeOption("created-after", options.text("created-after"), now),
    created_before: timeOption("created-before", options.text("created-before"), now),
  };
}

async function whoAmI(session: Session): Promise<string> {
  const { credentials } = session.settings;
  if (credentials.kind === "key") return credentials.user;
  const { data } = await session.api.call(ROUTES.whoami, whoamiView, { signal: session.signal });
  return data.user;
}
