import { randomUUID } from "node:crypto";
import { ROUTES, runView } from "@aiep/contracts";
import type { CommandModule } from "../../cli/command.ts";
import { EXIT } from "../../cli/errors.ts";
import { type Session, withSession } from "../../cli/session.ts";
import { shortId } from "../../tasks/task-ids.ts";
import { formatOf, isMachine, show } from "../../terminal/output.ts";
import { followRun } from "../../workflows/follow-run.ts";
import { experimentIdOf, runIdOf } from "../../workflows/ids.ts";
import { modeOf, parametersOf, runDateOf } from "../../workflows/run-options.ts";
import { runTable } from "../../workflows/tables.ts";

export const run: CommandModule = {
  run: async (context) => {
    const { options, args } = context;
    const id = experimentIdOf(args[0]);
    const base = options.text("base-run");
    const body = {
      version_name: options.text("version"),
      ...modeOf(options, "all"),
      base_run_id: base,
      parameters: parametersOf(options.list("param")),
      run_date: runDateOf(options.text("run-date")),
    };
    return await withSession(context, async (session) => {
      const baseId = base === undefined ? undefined : await wholeRunId(session, runIdOf(base));
      const started = await session.api.call(ROUTES.startRun, runView, {
        params: { experiment_id: id },
        body: { ...body, base_run_id: baseId },
        idempotencyKey: options.text("idempotency-key") ?? randomUUID(),
        signal: session.signal,
      });
      return await goOn(session, started);
    });
  },
};

export const rerun: CommandModule = {
  run: async (context) => {
    const { options, args } = context;
    const id = runIdOf(args[0]);
    const body = {
      ...modeOf(options, options.flag("whole") ? "all" : "from_failed"),
      parameters: parametersOf(options.list("param")),
      run_date: runDateOf(options.text("run-date")),
    };
    return await withSession(context, async (session) => {
      const started = await session.api.call(ROUTES.rerun, runView, {
        params: { run_id: id },
        body,
        idempotencyKey: randomUUID(),
        signal: session.signal,
      });
      return await goOn(session, started);
    });
  },
};

export const wait: CommandModule = {
  run: async (context) =>
    await withSession(context, async (session) => {
      const { data } = await session.api.call(ROUTES.getRun, runView, {
        params: { run_id: runIdOf(context.args[0]) },
        signal: session.signal,
      });
      return await followRun(session, data);
    }),
};

type Started = { readonly raw: unknown; readonly data: Awaited<ReturnType<typeof runView.parseAsync>> };

async function goOn(session: Session, { raw, data }: Started): Promise<number> {
  const { context } = session;
  if (context.options.flag("wait")) return await followRun(session, data);
  await show(context, { raw, names: [data.id], human: (wide) => runTable(context, [data], wide) });
  if (!isMachine(formatOf(context)))
    context.terminal.say(`Follow: aiepctl workflow runs wait ${shortId(data.id)}`);
  return EXIT.ok;
}

async function wholeRunId(session: Session, prefix: string): Promise<string> {
  if (prefix.length === 32) return prefix;
  const options = { params: { run_id: prefix }, signal: session.signal };
  return (await session.api.call(ROUTES.getRun, runView, options)).data.id;
}
