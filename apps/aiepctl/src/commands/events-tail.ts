/** `events tail`: what happens to the tasks the caller may see, from now on, over broken connections without a hole. */
import { type EventView, eventView, ROUTES, TASK_EVENTS } from "@aiep/contracts";
import type { CommandContext } from "../cli/command.ts";
import { EXIT, usageError } from "../cli/errors.ts";
import { withSession } from "../cli/session.ts";
import { follow } from "../http/follow.ts";
import { statusData } from "../tasks/follow-task.ts";
import { taskIds } from "../tasks/task-ids.ts";
import { formatOf } from "../terminal/output.ts";
import { oneLine } from "../terminal/sanitize.ts";
import { eventName } from "./mltask/events.ts";

export async function run(context: CommandContext): Promise<number> {
  const { options, args, terminal } = context;
  const types = options.list("type").flatMap((text) => text.split(","));
  const known: readonly string[] = TASK_EVENTS.map((definition) => definition.name);
  const unknown = types.find((type) => !known.includes(type));
  if (unknown !== undefined)
    throw usageError(`there is no event "${unknown}"`, `--type is one of ${known.join(", ")}`);
  const ids = args.length === 0 && options.list("task-id").length === 0 ? [] : taskIds(context);
  const wanted = (event: EventView) =>
    ids.length === 0 || ids.some((id) => event.aggregate_id.startsWith(id));
  return withSession(context, async ({ api, signal, onRetry }) => {
    const { kind } = formatOf(context);
    const json = kind !== "table" && kind !== "wide";
    terminal.say(terminal.styleErr("dim", "waiting for events; Ctrl-C ends"));
    const query = { type: types, group_id: options.text("group") };
    for await (const { event, data } of follow(api, ROUTES.streamEvents, {
      params: {},
      query,
      signal,
      onRetry,
    })) {
      if (event !== "event") continue;
      const parsed = eventView.parse(JSON.parse(data));
      if (!wanted(parsed)) continue;
      terminal.out(json ? `${data}\n` : `${render(parsed)}\n`);
    }
    return EXIT.ok;
  });
}

function render(event: EventView): string {
  const status = statusData.safeParse(event.data);
  const name = event.data["name"];
  const words = [
    event.time,
    event.aggregate_id.slice(0, 12),
    eventName(event.type),
    typeof name === "string" ? name : "",
    status.success ? `(${status.data.reason}): ${status.data.message}` : "",
  ];
  return oneLine(words.filter((word) => word !== "").join("  "));
}
