import { randomUUID } from "node:crypto";
import { type BackfillView, backfillView, page, ROUTES, scheduleView } from "@aiep/contracts";
import type { CommandContext, CommandModule } from "../../cli/command.ts";
import { EXIT, usageError } from "../../cli/errors.ts";
import { type Session, withSession } from "../../cli/session.ts";
import type { Answer } from "../../http/api.ts";
import { pause as sleep } from "../../http/backoff.ts";
import { given, numberOption, required } from "../../schedules/options.ts";
import { backfillTable } from "../../schedules/tables.ts";
import { shortId } from "../../tasks/task-ids.ts";
import { formatOf, isMachine, show } from "../../terminal/output.ts";
import { durationOption, formatDuration } from "../../terminal/time.ts";
import { backfillIdOf, isWhole, scheduleIdOf } from "../../workflows/ids.ts";
import { pages, showList } from "../../workflows/pages.ts";
import { parametersOf, runDateOf } from "../../workflows/run-options.ts";

/** Its view has no long poll; runs take longer than this. */
const LOOK_MS = 1_000;

type Seen = Answer<BackfillView>;

export const backfill: CommandModule = {
  run: async (context) => {
    const { options } = context;
    const id = scheduleIdOf(context.args[0]);
    const body = {
      from: dateOf(context, "from"),
      to: dateOf(context, "to"),
      parallelism: numberOption(options, "parallelism"),
      reverse: options.flag("reverse"),
      stop_on_failure: options.flag("stop-on-failure"),
      parameters: given(options.list("param"), parametersOf),
    };
    return await withSession(context, async (session) => {
      const created = await session.api.call(ROUTES.createBackfill, backfillView, {
        params: { schedule_id: id },
        body,
        idempotencyKey: randomUUID(),
        signal: session.signal,
      });
      if (options.flag("wait")) return await followBackfill(session, created);
      await showBackfill(context, created);
      if (!isMachine(formatOf(context)))
        context.terminal.say(`See: aiepctl schedule backfills get ${shortId(created.data.id)}`);
      return EXIT.ok;
    });
  },
};

function dateOf({ options }: CommandContext, name: "from" | "to"): string {
  const text = required(options, name);
  try {
    return runDateOf(text) ?? text;
  } catch {
    throw usageError(`--${name} is 20260131 or 2026-01-31, not "${text}"`);
  }
}

async function followBackfill(session: Session, created: Seen): Promise<number> {
  const { context, api, interrupts } = session;
  const { terminal, options } = context;
  const timeoutMs = durationOption("timeout", options.text("timeout"));
  const timeout = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
  const signal = timeout === undefined ? session.signal : AbortSignal.any([session.signal, timeout]);
  const { id } = created.data;
  terminal.err(`Back-fill ${id}: ${created.data.total} dates\n`);
  let now = created;
  let shown = "";
  try {
    for (;;) {
      const { state, started, succeeded, failed, total } = now.data;
      const sentence = `${state}: ${succeeded} succeeded, ${failed} failed, ${started} of ${total} started`;
      if (sentence !== shown) terminal.say(`==> ${sentence}`);
      shown = sentence;
      if (isEnded(now.data)) break;
      await sleep(LOOK_MS, signal);
      now = await api.call(ROUTES.getBackfill, backfillView, { params: { backfill_id: id }, signal });
    }
  } catch (error) {
    const interrupted = interrupts.exitCode;
    if (interrupted === undefined && timeout?.aborted !== true) throw error;
    const why =
      interrupted === undefined ? `Not ended after ${formatDuration(timeoutMs ?? 0)}` : "No longer following";
    terminal.err(`\n${why}; it goes on: aiepctl schedule backfills get ${shortId(id)}\n`);
    return interrupted ?? EXIT.timeout;
  }
  await showBackfill(context, now);
  return now.data.state === "Succeeded"
    ? EXIT.ok
    : now.data.state === "Cancelled"
      ? EXIT.taskStopped
      : EXIT.taskFailed;
}

const isEnded = ({ finished_at: at }: BackfillView) => at !== null;

async function showBackfill(context: CommandContext, { raw, data }: Seen): Promise<void> {
  await show(context, { raw, names: [data.id], human: () => backfillTable(context, [data]) });
}

export const list: CommandModule = {
  run: async (context) =>
    await withSession(context, async (session) => {
      const prefix = scheduleIdOf(context.args[0]);
      const params = { schedule_id: prefix };
      if (!isWhole(prefix))
        params.schedule_id = (
          await session.api.call(ROUTES.getSchedule, scheduleView, { params, signal: session.signal })
        ).data.id;
      const listed = await pages(session, ROUTES.listBackfills, page(backfillView), { params });
      const human = () => backfillTable(context, listed.items);
      await showList(context, listed, human, "No back-fills: aiepctl schedule backfill starts one.");
      return EXIT.ok;
    }),
};

export const get = one("getBackfill");
export const pause = one("pauseBackfill");
export const resume = one("resumeBackfill");
export const cancel = one("cancelBackfill");

function one(name: "getBackfill" | "pauseBackfill" | "resumeBackfill" | "cancelBackfill"): CommandModule {
  return {
    run: async (context) => {
      const id = backfillIdOf(context.args[0]);
      return await withSession(context, async (session) => {
        const answer = await session.api.call(ROUTES[name], backfillView, {
          params: { backfill_id: id },
          signal: session.signal,
        });
        await showBackfill(context, answer);
        return EXIT.ok;
      });
    },
  };
}
