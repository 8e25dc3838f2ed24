/** Steps that give the flow its schedule in WTSS, one at most, and take it away. A1, A2: adapter.ts. */
import { SchedulerError, type StepOutcome } from "../scheduler.ts";
import { type Place, refusalOf } from "./place.ts";

export async function setSchedule(place: Place): Promise<StepOutcome> {
  const { client, name, settings, signal, target } = place;
  const cron = wanted(place);
  const comment = `AIEP experiment ${target.experimentId} version ${target.versionName}`;
  const scheduleId = await client.schedule({ project: name, flow: name, cron, comment }, signal);
  return { message: `Scheduled at ${cron} (${settings.timeZone}).`, remote: { scheduleId } };
}

export async function readBackSchedule(place: Place): Promise<StepOutcome> {
  const cron = wanted(place);
  const schedule = await place.client.fetchSchedule(await place.projectId(), place.name, place.signal);
  if (schedule?.cronExpression !== cron) {
    const there = schedule === undefined ? "has no schedule" : `is scheduled at ${schedule.cronExpression}`;
    throw new SchedulerError("refused", `Flow ${place.name} should be scheduled at ${cron}, but ${there}.`);
  }
  const { scheduleId, nextExecTime: nextFireAt } = schedule;
  return { message: `The next fire is at ${nextFireAt}.`, remote: { scheduleId, nextFireAt } };
}

export async function removeSchedule(place: Place): Promise<StepOutcome> {
  const { client, name, signal } = place;
  const found = await place.find();
  if (found.kind !== "ours") return { message: "There is no schedule of ours." };
  const schedule = await client.fetchSchedule(found.projectId, name, signal);
  if (schedule === undefined) return { message: "There is no schedule." };
  const refusal = await refusalOf(client.removeSchedule(schedule.scheduleId, signal));
  const left = await client.fetchSchedule(found.projectId, name, signal);
  if (left === undefined) return { message: `Removed schedule ${schedule.scheduleId}.` };
  throw (
    refusal ??
    new SchedulerError("refused", `WTSS said that schedule ${left.scheduleId} was removed, but shows it.`)
  );
}

function wanted(place: Place): string {
  const cron = place.quartz();
  if (cron === null) throw new SchedulerError("refused", "The publication has no cron to schedule.");
  return cron;
}
