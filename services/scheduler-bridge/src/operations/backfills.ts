/** Back-fills as people use them: one run for each business date of a range. */
import { AiepError, type BackfillId, backfillId, type CreateBackfillBody } from "@aiep/contracts";
import { findVisible, type PageQuery, type Principal, randomHex, requireMember } from "@aiep/service-kit";
import {
  type Backfill,
  daysOf,
  pauseBackfill as pausedBackfill,
  resumeBackfill as resumedBackfill,
  startBackfill,
} from "../domain/backfill.ts";
import {
  type ChangeOptions,
  type CreateOptions,
  findSchedule,
  findScheduleToChange,
  type ScheduleDeps,
} from "./schedules.ts";

const notFound = (written: string) =>
  new AiepError("BACKFILL_NOT_FOUND", `There is no back-fill ${written} in your groups.`);

export async function findBackfill(
  { backfills }: Pick<ScheduleDeps, "backfills">,
  principal: Principal,
  written: string,
): Promise<Backfill> {
  return await findVisible<BackfillId, Backfill>(
    {
      what: "back-fills",
      id: backfillId,
      notFound,
      find: async (prefix, groups, limit) => {
        const found = await backfills.findByPrefix(prefix, groups, limit);
        return found.map(({ id: each, state }) => ({ id: each, name: each, state }));
      },
      get: async (id) => await backfills.get(id),
      groupOf: ({ groupId }) => groupId,
    },
    principal,
    written,
  );
}

/** Begins at once. */
export async function createBackfill(
  deps: ScheduleDeps,
  principal: Principal,
  schedule: string,
  body: CreateBackfillBody,
  { context, also }: CreateOptions<Backfill> = {},
): Promise<Backfill> {
  const { id: scheduleId, groupId, parameters } = await findScheduleToChange(deps, principal, schedule);
  const days = daysOf(body);
  if (typeof days === "string") {
    const pointer = days.startsWith("to ") ? "/to" : "/from";
    throw new AiepError("BACKFILL_INVALID", days, {
      errors: [{ pointer, code: "BACKFILL_INVALID", detail: days }],
    });
  }
  const { from, to, reverse, parallelism, stop_on_failure: stopOnFailure } = body;
  const change = startBackfill(
    { from, to, reverse, parallelism, stopOnFailure },
    {
      id: backfillId.parse(randomHex(16)),
      scheduleId,
      groupId,
      parameters: { ...parameters, ...body.parameters },
      total: days.length,
      createdBy: principal.user,
    },
    deps.clock(),
  );
  const { backfill } = change;
  await deps.backfills.create(change, {
    ...(context === undefined ? {} : { context }),
    also: also?.(backfill) ?? [],
  });
  await deps.backfillTurns.advance(backfill.id);
  return backfill;
}

export async function listBackfills(
  deps: ScheduleDeps,
  principal: Principal,
  schedule: string,
  page: PageQuery,
) {
  const { id } = await findSchedule(deps, principal, schedule);
  return await deps.backfills.list(id, page);
}

export async function pauseBackfill(
  deps: ScheduleDeps,
  principal: Principal,
  written: string,
  { context }: ChangeOptions = {},
): Promise<Backfill> {
  const { id } = await findBackfillToChange(deps, principal, written);
  return required(await deps.backfillTurns.change(id, pausedBackfill, { context }), written);
}

export async function resumeBackfill(
  deps: ScheduleDeps,
  principal: Principal,
  written: string,
  { context }: ChangeOptions = {},
): Promise<Backfill> {
  const { id } = await findBackfillToChange(deps, principal, written);
  const backfill = required(await deps.backfillTurns.change(id, resumedBackfill, { context }), written);
  await deps.backfillTurns.advance(id);
  return backfill;
}

export async function cancelBackfill(
  deps: ScheduleDeps,
  principal: Principal,
  written: string,
  { context }: ChangeOptions = {},
): Promise<Backfill> {
  const { id } = await findBackfillToChange(deps, principal, written);
  const message = `${principal.user} cancelled the back-fill.`;
  return required(await deps.backfillTurns.cancel(id, message, { context }), written);
}

async function findBackfillToChange(
  deps: ScheduleDeps,
  principal: Principal,
  written: string,
): Promise<Backfill> {
  const backfill = await findBackfill(deps, principal, written);
  requireMember(principal, backfill.groupId);
  return backfill;
}

function required(backfill: Backfill | undefined, written: string): Backfill {
  if (backfill === undefined) throw notFound(written);
  return backfill;
}
