import { page, ROUTES, type ScheduleDetail, scheduleDetail, scheduleView } from "@aiep/contracts";
import * as z from "zod";
import type { CommandContext, CommandModule } from "../../cli/command.ts";
import { EXIT, usageError } from "../../cli/errors.ts";
import { withSession } from "../../cli/session.ts";
import type { Answer } from "../../http/api.ts";
import { switchOption } from "../../schedules/options.ts";
import { scheduleFields, scheduleTable } from "../../schedules/tables.ts";
import { show } from "../../terminal/output.ts";
import { oneLine } from "../../terminal/sanitize.ts";
import { scheduleIdOf, wholeIdOf } from "../../workflows/ids.ts";
import { pages, showList } from "../../workflows/pages.ts";
import { confirmed } from "../workflow/experiments.ts";

export const list: CommandModule = {
  run: async (context) =>
    await withSession(context, async (session) => {
      const { options } = context;
      const listed = await pages(session, ROUTES.listSchedules, page(scheduleView), {
        query: {
          group_id: options.text("group"),
          experiment_id: await wholeIdOf(session, options.text("workflow")),
          paused: switchOption(options, "paused"),
        },
      });
      const human = (wide: boolean) => scheduleTable(context, listed.items, wide);
      await showList(context, listed, human, "No schedules match: aiepctl schedule create makes one.");
      return EXIT.ok;
    }),
};

export const get = one("getSchedule");
export const pause = one("pauseSchedule");
export const resume = one("resumeSchedule");

function one(name: "getSchedule" | "pauseSchedule" | "resumeSchedule"): CommandModule {
  return {
    run: async (context) => {
      const id = scheduleIdOf(context.args[0]);
      return await withSession(context, async (session) => {
        const answer = await session.api.call(ROUTES[name], scheduleDetail, {
          params: { schedule_id: id },
          signal: session.signal,
        });
        await showSchedule(context, answer);
        return EXIT.ok;
      });
    },
  };
}

export async function showSchedule(
  context: CommandContext,
  { raw, data }: Answer<ScheduleDetail>,
): Promise<void> {
  await show(context, { raw, names: [data.id], human: () => scheduleFields(data) });
}

export const remove: CommandModule = {
  run: async (context) => {
    const ids = context.args.map(scheduleIdOf);
    const { terminal, shell, options } = context;
    const asks = !options.flag("yes");
    if (asks && shell.stdin.isTTY !== true) throw usageError("deleting needs a confirmation", "add --yes");
    return await withSession(context, async (session) => {
      const { signal } = session;
      const found: z.infer<typeof scheduleView>[] = [];
      for (const id of ids) {
        const options = { params: { schedule_id: id }, signal };
        found.push((await session.api.call(ROUTES.getSchedule, scheduleView, options)).data);
      }
      if (asks) {
        terminal.err(
          found.map(({ id, name, cron }) => `  ${id}  ${oneLine(name)}  ${oneLine(cron)}\n`).join(""),
        );
        if (!(await confirmed(session, "Delete? [y/N] "))) return EXIT.ok;
      }
      for (const { id } of found) {
        await session.api.call(ROUTES.deleteSchedule, z.unknown(), { params: { schedule_id: id }, signal });
        terminal.out(`${id}\n`);
      }
      return EXIT.ok;
    });
  },
};
