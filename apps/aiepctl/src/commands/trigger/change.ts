import { randomUUID } from "node:crypto";
import { eventTriggerView, ROUTES } from "@aiep/contracts";
import type { CommandModule } from "../../cli/command.ts";
import { EXIT } from "../../cli/errors.ts";
import { withSession } from "../../cli/session.ts";
import {
  given,
  ifVersion,
  numberOption,
  orNothing,
  required,
  switchOption,
  textPairs,
} from "../../schedules/options.ts";
import { experimentIdOf, triggerIdOf, wholeExperimentId } from "../../workflows/ids.ts";
import { showTrigger } from "./triggers.ts";

export const create: CommandModule = {
  run: async (context) => {
    const { options } = context;
    const workflow = experimentIdOf(required(options, "workflow", "aiepctl workflow list"));
    const body = {
      name: required(options, "name"),
      event: required(options, "event", "such as task.succeeded"),
      condition: options.text("condition"),
      parameters: given(options.list("param"), textPairs),
      run_date: options.text("run-date"),
      version_name: options.text("version"),
      max_per_hour: numberOption(options, "max-per-hour"),
      paused: options.flag("paused"),
    };
    return await withSession(context, async (session) => {
      const created = await session.api.call(ROUTES.createEventTrigger, eventTriggerView, {
        body: { experiment_id: await wholeExperimentId(session, workflow), ...body },
        idempotencyKey: randomUUID(),
        signal: session.signal,
      });
      await showTrigger(context, created);
      return EXIT.ok;
    });
  },
};

export const update: CommandModule = {
  run: async (context) => {
    const { options } = context;
    const id = triggerIdOf(context.args[0]);
    const body = {
      name: options.text("name"),
      event: options.text("event"),
      condition: orNothing(options, "condition", "none", () => options.text("condition")),
      parameters: given(options.list("param"), textPairs),
      run_date: orNothing(options, "run-date", "none", () => options.text("run-date")),
      version_name: orNothing(options, "version", "newest", () => options.text("version")),
      max_per_hour: numberOption(options, "max-per-hour"),
      paused: switchOption(options, "paused"),
    };
    return await withSession(context, async (session) => {
      const updated = await session.api.call(ROUTES.updateEventTrigger, eventTriggerView, {
        params: { trigger_id: id },
        body,
        ifMatch: ifVersion(options),
        signal: session.signal,
      });
      await showTrigger(context, updated);
      return EXIT.ok;
    });
  },
};
