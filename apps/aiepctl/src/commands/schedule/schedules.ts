import { page, ROUTES, type ScheduleDetail, scheduleDetail, scheduleView } from "@aiep/contracts";
import type { CommandContext, CommandModule } from "../../cli/command.ts";
import { deletion } from "../../cli/deletion.ts";
import { EXIT } from "../../cli/errors.ts";
import { withSession } from "../../cli/session.ts";
import type { Answer } from "../../http/api.ts";
import { switchOption } from "../../schedules/options.ts";
import { scheduleFields, scheduleTable } from "../../schedules/tables.ts";
import { show } from "../../terminal/output.ts";
import { scheduleIdOf, wholeIdOf } from "../../workflows/ids.ts";
import { pages, showList } from "../../workflows/pages.ts";

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

export const remove = deletion({
  idsOf: ({ args }) => args.map(scheduleIdOf),
  param: "schedule_id",
  find: ROUTES.getSchedule,
  view: scheduleView,
  remove: ROUTES.deleteSchedule,
  words: ({ name, cron }) => [name, cron],
  question: () => "Delete?",
});
