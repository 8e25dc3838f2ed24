/** Schedules as people use them: make, look at, change, pause, trigger, delete. */
import {
  AiepError,
  type CreateScheduleBody,
  parseDay,
  type ScheduleId,
  scheduleId,
  type UpdateScheduleBody,
} from "@aiep/contracts";
import {
  findVisible,
  type Principal,
  randomHex,
  requireMatch,
  requireMember,
  type Sql,
  visibleGroups,
} from "@aiep/service-kit";
import type { BackfillTurns } from "../control/backfill-turns.ts";
import { causeOfSchedule } from "../control/causes.ts";
import type { Planner } from "../control/planner.ts";
import type { ScheduleTurns } from "../control/schedule-turns.ts";
import type { Fire } from "../domain/fire.ts";
import {
  type Author,
  changeSchedule,
  createSchedule as createdSchedule,
  deleteSchedule as deletedSchedule,
  pauseSchedule as pausedSchedule,
  resumeSchedule as resumedSchedule,
  type Schedule,
  type ScheduleChange,
  type ScheduleSettings,
} from "../domain/schedule.ts";
import type { BackfillStore } from "../store/backfill-store.ts";
import type { ChangeContext } from "../store/outbox.ts";
import type { ScheduleQuery, ScheduleStore } from "../store/schedule-store.ts";
import type { OperationDeps } from "./deps.ts";
import { requireFires } from "./schedule-times.ts";

export interface ScheduleDeps extends OperationDeps {
  readonly schedules: ScheduleStore;
  readonly scheduleTurns: ScheduleTurns;
  readonly backfills: BackfillStore;
  readonly backfillTurns: BackfillTurns;
  readonly planner: Pick<Planner, "wake">;
}

export interface CreateOptions<Made> {
  readonly context?: ChangeContext | undefined;
  readonly also?: (made: Made) => readonly Sql[];
}

export interface ChangeOptions {
  readonly context?: ChangeContext | undefined;
  readonly ifMatch?: number | "any" | undefined;
}

const notFound = (written: string) =>
  new AiepError("SCHEDULE_NOT_FOUND", `There is no schedule ${written} in your groups.`);

/** By whole id or unique prefix. */
export async function findSchedule(
  { schedules }: Pick<ScheduleDeps, "schedules">,
  principal: Principal,
  written: string,
): Promise<Schedule> {
  return await findVisible<ScheduleId, Schedule>(
    {
      what: "schedules",
      id: scheduleId,
      notFound,
      find: async (prefix, groups, limit) => await schedules.findByPrefix(prefix, groups, limit),
      get: async (id) => await schedules.get(id),
      groupOf: ({ groupId }) => groupId,
    },
    principal,
    written,
  );
}

export async function findScheduleToChange(
  deps: Pick<ScheduleDeps, "schedules">,
  principal: Principal,
  written: string,
): Promise<Schedule> {
  const schedule = await findSchedule(deps, principal, written);
  requireMember(principal, schedule.groupId);
  return schedule;
}

export async function listSchedules({ schedules }: ScheduleDeps, principal: Principal, query: ScheduleQuery) {
  return await schedules.list(query, visibleGroups(principal));
}

export async function createSchedule(
  deps: ScheduleDeps,
  principal: Principal,
  body: CreateScheduleBody,
  { context, also, dryRun = false }: CreateOptions<Schedule> & { readonly dryRun?: boolean } = {},
): Promise<Schedule> {
  const { experiments, schedules, planner, clock } = deps;
  const experiment = await experiments.find(principal, body.experiment_id);
  requireMember(principal, experiment.groupId);
  await experiments.frozenVersion(experiment, body.version_name);
  const settings: ScheduleSettings = {
    name: body.name ?? experiment.name,
    versionName: body.version_name ?? null,
    cron: body.cron,
    timeZone: body.time_zone ?? deps.timeZone,
    parameters: body.parameters,
    misfire: body.misfire,
    maxCatchUp: body.max_catch_up,
    overlap: body.overlap,
    maxQueued: body.max_queued,
    startsAt: dateOf(body.starts_at) ?? null,
    endsAt: dateOf(body.ends_at) ?? null,
    paused: body.paused,
  };
  const change = createdSchedule(
    {
      id: scheduleId.parse(randomHex(16)),
      groupId: experiment.groupId,
      experimentId: experiment.id,
      experimentName: experiment.name,
      publicationId: null,
    },
    settings,
    { by: principal.user, at: clock() },
  );
  requireFires(change.schedule, clock());
  if (dryRun) return change.schedule;
  await schedules.create(change, { ...withContext(context), also: also?.(change.schedule) ?? [] });
  planner.wake();
  return change.schedule;
}

export async function updateSchedule(
  deps: ScheduleDeps,
  principal: Principal,
  written: string,
  body: UpdateScheduleBody,
  options: ChangeOptions = {},
): Promise<Schedule> {
  if (body.version_name != null) {
    const { experimentId } = await findScheduleToChange(deps, principal, written);
    await deps.experiments.frozenVersion(
      await deps.experiments.find(principal, experimentId),
      body.version_name,
    );
  }
  const schedule = await change(deps, principal, written, options, (current, author) => {
    requireUnmanaged(current);
    const made = changeSchedule(current, settingsOf(body), author);
    if (made !== null && changesTimes(body)) requireFires(made.schedule, author.at);
    return made;
  });
  // The policy may let go what waited.
  if (body.overlap !== undefined) await deps.scheduleTurns.release(schedule.id);
  return schedule;
}

export async function pauseSchedule(
  deps: ScheduleDeps,
  principal: Principal,
  written: string,
  options: ChangeOptions = {},
): Promise<Schedule> {
  return await change(deps, principal, written, options, pausedSchedule);
}

export async function resumeSchedule(
  deps: ScheduleDeps,
  principal: Principal,
  written: string,
  options: ChangeOptions = {},
): Promise<Schedule> {
  return await change(deps, principal, written, options, resumedSchedule);
}

/** Its back-fills start no more; what runs, runs on. */
export async function deleteSchedule(
  deps: ScheduleDeps,
  principal: Principal,
  written: string,
  options: ChangeOptions = {},
): Promise<void> {
  const { id } = await change(deps, principal, written, options, (schedule, author) => {
    requireUnmanaged(schedule);
    return deletedSchedule(schedule, author);
  });
  for (const backfill of await deps.backfills.open(id)) await deps.backfillTurns.advance(backfill);
}

/** Fires now, whatever the cron says and also while it is paused; by the overlap policy. */
export async function triggerSchedule(
  deps: ScheduleDeps,
  principal: Principal,
  written: string,
  body: { readonly parameters?: Fire["parameters"] | undefined; readonly run_date?: string | undefined },
  options: CreateOptions<Fire> = {},
): Promise<Fire> {
  const { id } = await findScheduleToChange(deps, principal, written);
  const { run_date: runDate = null } = body;
  if (runDate !== null && parseDay(runDate) === undefined) throw badDay(runDate);
  const number = randomHex(16);
  const fire = await deps.scheduleTurns.trigger(
    id,
    (schedule, at) => ({
      ...causeOfSchedule(schedule, at),
      key: `manual:${id}:${number}`,
      kind: "manual",
      externalId: number,
      scheduledAt: null,
      runDate,
      parameters: { ...schedule.parameters, ...body.parameters },
      requestedBy: principal.user,
    }),
    options,
  );
  if (fire === undefined) throw notFound(written);
  return fire;
}

async function change(
  { schedules, scheduleTurns, planner }: ScheduleDeps,
  principal: Principal,
  written: string,
  { context, ifMatch }: ChangeOptions,
  decide: (schedule: Schedule, author: Author) => ScheduleChange | null,
): Promise<Schedule> {
  const { id } = await findScheduleToChange({ schedules }, principal, written);
  const schedule = await scheduleTurns.change(
    id,
    (current, at) => {
      requireMatch(ifMatch, current.version);
      return decide(current, { by: principal.user, at });
    },
    withContext(context),
  );
  if (schedule === undefined) throw notFound(written);
  planner.wake();
  return schedule;
}

const withContext = (context: ChangeContext | undefined) => (context === undefined ? {} : { context });
const dateOf = (text: string | undefined) => (text === undefined ? undefined : new Date(text));

/** What is absent stays; null takes away. */
function settingsOf(body: UpdateScheduleBody): Parameters<typeof changeSchedule>[1] {
  const { name, version_name, cron, time_zone, parameters, misfire, overlap, starts_at, ends_at } = body;
  return {
    ...(name === undefined ? {} : { name }),
    ...(version_name === undefined ? {} : { versionName: version_name }),
    ...(cron === undefined ? {} : { cron }),
    ...(time_zone === undefined ? {} : { timeZone: time_zone }),
    ...(parameters === undefined ? {} : { parameters }),
    ...(misfire === undefined ? {} : { misfire }),
    ...(overlap === undefined ? {} : { overlap }),
    ...(body.max_catch_up === undefined ? {} : { maxCatchUp: body.max_catch_up }),
    ...(body.max_queued === undefined ? {} : { maxQueued: body.max_queued }),
    ...(starts_at === undefined ? {} : { startsAt: starts_at === null ? null : new Date(starts_at) }),
    ...(ends_at === undefined ? {} : { endsAt: ends_at === null ? null : new Date(ends_at) }),
  };
}

/** One that is over may still be renamed. */
const changesTimes = ({ cron, time_zone, starts_at, ends_at }: UpdateScheduleBody) =>
  [cron, time_zone, starts_at, ends_at].some((each) => each !== undefined);

function requireUnmanaged({ publicationId }: Schedule): void {
  if (publicationId === null) return;
  throw new AiepError("SCHEDULE_MANAGED", `The schedule belongs to the publication ${publicationId}.`);
}

function badDay(written: string): AiepError {
  const detail = `${written} is no day of the calendar.`;
  return new AiepError("VALIDATION_FAILED", `/run_date: ${detail}`, {
    errors: [{ pointer: "/run_date", code: "WRONG_TYPE", detail }],
  });
}
