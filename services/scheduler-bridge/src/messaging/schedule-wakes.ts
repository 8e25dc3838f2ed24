/** Schedules that any replica made or changed, so that the planner looks at once. One that is lost costs seconds, no truth. */
import {
  scheduleCreated,
  scheduleDeleted,
  schedulePaused,
  scheduleResumed,
  scheduleUpdated,
} from "@aiep/contracts";
import type { Bus } from "@aiep/service-kit";

const CHANGES = [scheduleCreated, scheduleUpdated, schedulePaused, scheduleResumed, scheduleDeleted];

export function wakeOnSchedules(bus: Bus, env: string, wake: () => void): Disposable {
  const subscriptions = CHANGES.map(({ name }) =>
    bus.nc.subscribe(`aiep.${env}.evt.schedule.*.*.${name}`, {
      callback: (error) => {
        if (error === null) wake();
      },
    }),
  );
  return {
    [Symbol.dispose]: () => {
      for (const subscription of subscriptions) subscription.unsubscribe();
    },
  };
}
