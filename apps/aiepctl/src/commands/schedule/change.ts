import { randomUUID } from "node:crypto";
import { ROUTES, scheduleDetail } from "@aiep/contracts";
import type { CommandModule } from "../../cli/command.ts";
import { EXIT } from "../../cli/errors.ts";
import type { Options } from "../../cli/options.ts";
import { withSession } from "../../cli/session.ts";
import {
  given,
  ifVersion,
  momentOption,
  numberOption,
  orNothing,
  required,
} from "../../schedules/options.ts";
import { experimentIdOf, scheduleIdOf, wholeExperimentId } from "../../workflows/ids.ts";
import { parametersOf } from "../../workflows/run-options.ts";
import { showSchedule } from "./schedules.ts";

export const create: CommandModule = {
  run: async (context) => {
    const { options, terminal } = context;
    const workflow = experimentIdOf(required(options, "workflow", "aiepctl workflow list"));
    const body = {
      cron: required(options, "cron", "aiepctl schedule preview '30 2 * * *'"),
      version_name: options.text("version"),
      starts_at: momentOption(options, "starts-at"),
      ends_at: momentOption(options, "ends-at"),
      paused: options.flag("paused"),
      ...commonFields(options),
    };
    const dryRun = options.flag("dry-run");
    return await withSession(context, async (session) => {
      const created = await session.api.call(ROUTES.createSchedule, scheduleDetail, {
        query: { dry_run: dryRun ? true : undefined },
        body: { experiment_id: await wholeExperimentId(session, workflow), ...body },
        idempotencyKey: randomUUID(),
        signal: session.signal,
      });
      if (dryRun) terminal.say("Everything is in order; nothing was created (dry run).");
      await showSchedule(context, created);
      return EXIT.ok;
    });
  },
};

export const update: CommandModule = {
  run: async (context) => {
    const { options } = context;
    const id = scheduleIdOf(context.args[0]);
    const body = {
      cron: options.text("cron"),
      version_name: orNothing(options, "version", "newest", () => options.text("version")),
      starts_at: orNothing(options, "starts-at", "none", () => momentOption(options, "starts-at")),
      ends_at: orNothing(options, "ends-at", "none", () => momentOption(options, "ends-at")),
      ...commonFields(options),
    };
    return await withSession(context, async (session) => {
      const updated = await session.api.call(ROUTES.updateSchedule, scheduleDetail, {
        params: { schedule_id: id },
        body,
        ifMatch: ifVersion(options),
        signal: session.signal,
      });
      await showSchedule(context, updated);
      return EXIT.ok;
    });
  },
};

function commonFields(options: Options) {
  return {
    name: options.text("name"),
    time_zone: options.text("time-zone"),
    parameters: given(options.list("param"), parametersOf),
    misfire: options.text("misfire"),
    max_catch_up: numberOption(options, "max-catch-up"),
    overlap: options.text("overlap"),
    max_queued: numberOption(options, "max-queued"),
  };
}
