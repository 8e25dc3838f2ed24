/**
 * Replicas tell each other to look: at requests, at free shards. Plain messages without a stream; one that is lost costs a
 * second, no truth. A replica hears its own and looks once more, which is cheap.
 */
import type { Bus } from "@aiep/service-kit";
import type { Wake } from "../control/engine.ts";

const WAKES: readonly Wake[] = ["requests", "shards"];

const subjectOf = (env: string, wake: string): string => `aiep.${env}.wake.workflow-svc.${wake}`;

export interface Wakes extends Disposable {
  send(wake: Wake): void;
}

/** Many wakes of one moment are one message. */
const GATHER_MS = 2;

export function openWakes(bus: Bus, env: string, woken: (wake: Wake) => void): Wakes {
  const subscription = bus.nc.subscribe(subjectOf(env, "*"), {
    callback: (error, message) => {
      const wake = WAKES.find((each) => error === null && message.subject === subjectOf(env, each));
      if (wake !== undefined) woken(wake);
    },
  });
  const pending = new Map<Wake, NodeJS.Timeout>();
  const publish = (wake: Wake): void => {
    pending.delete(wake);
    if (!bus.nc.isClosed()) bus.nc.publish(subjectOf(env, wake));
  };
  return {
    send: (wake) => {
      if (!pending.has(wake))
        pending.set(
          wake,
          setTimeout(() => publish(wake), GATHER_MS),
        );
    },
    [Symbol.dispose]: () => {
      for (const [wake, timer] of pending) {
        clearTimeout(timer);
        publish(wake);
      }
      subscription.unsubscribe();
    },
  };
}
