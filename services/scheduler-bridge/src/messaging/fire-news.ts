/**
 * Replicas tell each other that there is something new of a fire: its state, or a line for who waits. Plain messages without a
 * stream; one that is lost costs its reader some seconds, no truth.
 */
import type { FireId } from "@aiep/contracts";
import type { Bus, Changes } from "@aiep/service-kit";

export interface FireNews extends Changes<FireId>, Disposable {
  tell(fire: FireId): void;
}

/** `aiep.<env>.wake.scheduler-bridge.fire.<fireId>` */
const subjectOf = (env: string, fire: string): string => `aiep.${env}.wake.scheduler-bridge.fire.${fire}`;
const FIRE_TOKEN = 5;

export function openFireNews(bus: Bus, env: string): FireNews {
  const listeners = new Map<string, Set<() => void>>();
  const subscription = bus.nc.subscribe(subjectOf(env, "*"), {
    callback: (error, message) => {
      const fire = error === null ? message.subject.split(".")[FIRE_TOKEN] : undefined;
      for (const listener of [...((fire === undefined ? undefined : listeners.get(fire)) ?? [])]) listener();
    },
  });
  return {
    tell: (fire) => {
      if (!bus.nc.isClosed()) bus.nc.publish(subjectOf(env, fire));
    },
    subscribe: (fire, listener) => {
      const mine = listeners.get(fire) ?? new Set();
      listeners.set(fire, mine.add(listener));
      return () => {
        mine.delete(listener);
        if (mine.size === 0 && listeners.get(fire) === mine) listeners.delete(fire);
      };
    },
    [Symbol.dispose]: () => subscription.unsubscribe(),
  };
}
