/**
 * Our own cron as a scheduler (D25): a publication there is one schedule of this service. Nothing calls back, so there is no
 * webhook and no execution to ask for; the planner fires it like any other schedule.
 */
import { type Remote, type Scheduler, SchedulerError, type StepOutcome, type Target } from "../scheduler.ts";
import type { LocalSchedule, LocalSchedules } from "./schedules.ts";

const NO_CRON = "A schedule here starts by its cron alone: give one, such as 30 2 * * *.";

export function createLocalScheduler(schedules: LocalSchedules): Scheduler {
  const steps: Readonly<Record<string, (target: Target) => Promise<StepOutcome>>> = {
    set_schedule: async (target) => {
      const { cron } = target;
      if (cron === null) throw new SchedulerError("refused", NO_CRON);
      const schedule = await schedules.put({ ...target, cron });
      const message = `Schedule ${schedule.id} starts ${target.versionName} by ${cron} (${target.timeZone}).`;
      return { message, remote: remoteOf(schedule) };
    },
    read_back_schedule: async (target) => {
      const schedule = await schedules.get(target.publicationId);
      if (schedule === undefined)
        throw new SchedulerError("unavailable", "The schedule is not there although it was set.");
      const [difference] = differences(schedule, target);
      if (difference !== undefined)
        throw new SchedulerError(
          "unavailable",
          `Schedule ${schedule.id} has another ${difference} than was set.`,
        );
      return { message: readBack(schedule), remote: remoteOf(schedule) };
    },
    remove_schedule: async ({ publicationId, owner }) => {
      await schedules.remove(publicationId, owner);
      return { message: "The schedule is removed; what runs, runs on." };
    },
    read_back_removed: async ({ publicationId }) => {
      const left = await schedules.get(publicationId);
      if (left === undefined) return { message: "There is no schedule of it any more." };
      throw new SchedulerError("unavailable", `Schedule ${left.id} is still there although it was removed.`);
    },
  };
  return {
    kind: "local",
    publishSteps: () => ["set_schedule", "read_back_schedule"],
    unpublishSteps: () => ["remove_schedule", "read_back_removed"],
    readOnly: new Set(["read_back_schedule", "read_back_removed"]),
    cronProblem: ({ cron }) => (cron === null ? NO_CRON : undefined),
    perform: async (name, { target }) => {
      const step = steps[name];
      if (step === undefined) throw new SchedulerError("refused", `There is no step ${name}.`);
      return await step(target);
    },
    execution: async () => await Promise.resolve("unknown"),
    checks: async () =>
      await Promise.resolve([
        { name: "planner", ok: true, message: "Schedules are planned by this service." },
      ]),
  };
}

function remoteOf({ id, nextFireAt }: LocalSchedule): Remote {
  return {
    created: true,
    scheduleId: id,
    ...(nextFireAt === null ? {} : { nextFireAt: nextFireAt.toISOString() }),
  };
}

function readBack({ id, paused, nextFireAt }: LocalSchedule): string {
  if (paused) return `Schedule ${id} is as it was set, and paused.`;
  return `Schedule ${id} is as it was set; it fires next ${nextFireAt?.toISOString() ?? "never"}.`;
}

function differences(schedule: LocalSchedule, target: Target): string[] {
  const same = {
    version: schedule.versionName === target.versionName,
    cron: schedule.cron === target.cron,
    "time zone": schedule.timeZone === target.timeZone,
    owner: schedule.owner === target.owner,
    parameters: sameParameters(schedule.parameters, target.parameters),
  };
  return Object.entries(same).flatMap(([what, holds]) => (holds ? [] : [what]));
}

function sameParameters(some: LocalSchedule["parameters"], others: Target["parameters"]): boolean {
  const names = Object.keys(others);
  return names.length === Object.keys(some).length && names.every((name) => some[name] === others[name]);
}
