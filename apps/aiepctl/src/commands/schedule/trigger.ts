import { randomUUID } from "node:crypto";
import { cronPreview, fireView, ROUTES } from "@aiep/contracts";
import type { CommandModule } from "../../cli/command.ts";
import { EXIT } from "../../cli/errors.ts";
import { withSession } from "../../cli/session.ts";
import { localTime } from "../../schedules/local-time.ts";
import { given, momentOption, numberOption } from "../../schedules/options.ts";
import { fireTable } from "../../schedules/tables.ts";
import { shortId } from "../../tasks/task-ids.ts";
import { fields, formatOf, isMachine, show } from "../../terminal/output.ts";
import { scheduleIdOf } from "../../workflows/ids.ts";
import { parametersOf, runDateOf } from "../../workflows/run-options.ts";

export const trigger: CommandModule = {
  run: async (context) => {
    const { options, terminal } = context;
    const id = scheduleIdOf(context.args[0]);
    const body = {
      run_date: runDateOf(options.text("run-date")),
      parameters: given(options.list("param"), parametersOf),
    };
    return await withSession(context, async (session) => {
      const { raw, data } = await session.api.call(ROUTES.triggerSchedule, fireView, {
        params: { schedule_id: id },
        body,
        idempotencyKey: randomUUID(),
        signal: session.signal,
      });
      await show(context, { raw, names: [data.id], human: (wide) => fireTable(context, [data], wide) });
      if (data.run_id !== null && !isMachine(formatOf(context)))
        terminal.say(`Follow: aiepctl workflow runs wait ${shortId(data.run_id)}`);
      return EXIT.ok;
    });
  },
};

export const preview: CommandModule = {
  run: async (context) => {
    const { options } = context;
    const body = {
      cron: context.args[0],
      time_zone: options.text("time-zone"),
      after: momentOption(options, "after"),
      count: numberOption(options, "count"),
    };
    return await withSession(context, async (session) => {
      const { raw, data } = await session.api.call(ROUTES.previewCron, cronPreview, {
        body,
        signal: session.signal,
      });
      const human = () => {
        const times = data.next_fires.map((at) => `  ${at}  ${localTime(at, data.time_zone)}\n`);
        const about = fields([
          ["Cron", `${data.cron} (${data.time_zone})`],
          ["Quartz", data.quartz ?? "cannot be said there"],
        ]);
        return `${about}${times.length === 0 ? "  never again\n" : times.join("")}`;
      };
      await show(context, { raw, names: data.next_fires, human });
      return EXIT.ok;
    });
  },
};
