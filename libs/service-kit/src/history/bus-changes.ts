/**
 * Changes as the bus tells them, of this replica and of all others: plain subscriptions to the events of what is watched, or to
 * wakes. What nobody watches is not heard. It says "look again", never what happened; one that is lost costs its reader time, no
 * truth.
 */
import type { EventContext } from "@aiep/contracts";
import type { Bus } from "../bus/bus.ts";
import type { Changes } from "./watch.ts";

export interface BusChanges<Id extends string> extends Changes<Id>, Disposable {}

export function changesOnBus<Id extends string>(
  bus: Bus,
  { env, context }: { readonly env: string; readonly context: EventContext },
): BusChanges<Id> {
  return changesOnSubjects(bus, (id) => `aiep.${env}.evt.${context}.*.${id}.>`);
}

/** Of what no event tells, by wakes: `aiep.<env>.wake.<service>.<what>.<id>`. */
export interface BusNews<Id extends string> extends BusChanges<Id> {
  /** Tells all replicas, this one too. */
  tell(id: Id): void;
}

export function newsOnBus<Id extends string>(
  bus: Bus,
  { env, service, what }: { readonly env: string; readonly service: string; readonly what: string },
): BusNews<Id> {
  const subjectOf = (id: string) => `aiep.${env}.wake.${service}.${what}.${id}`;
  return {
    ...changesOnSubjects<Id>(bus, subjectOf),
    tell: (id) => {
      if (!bus.nc.isClosed()) bus.nc.publish(subjectOf(id));
    },
  };
}

function changesOnSubjects<Id extends string>(bus: Bus, subjectOf: (id: Id) => string): BusChanges<Id> {
  const watched = new Map<Id, Watched>();
  return {
    subscribe: (id, listener) => {
      const one = watched.get(id) ?? watch(bus, subjectOf(id));
      watched.set(id, one);
      const call = (): void => listener(); // the same function may listen twice
      one.listeners.add(call);
      return () => {
        one.listeners.delete(call);
        if (one.listeners.size > 0 || watched.get(id) !== one) return;
        watched.delete(id);
        one.stop();
      };
    },
    [Symbol.dispose]: () => {
      for (const { stop } of watched.values()) stop();
      watched.clear();
    },
  };
}

interface Watched {
  readonly listeners: Set<() => void>;
  readonly stop: () => void;
}

function watch({ nc }: Bus, subject: string): Watched {
  const listeners = new Set<() => void>();
  const tell = (): void => {
    for (const listener of [...listeners]) listener();
  };
  if (nc.isClosed()) return { listeners, stop: () => {} };
  const subscription = nc.subscribe(subject, {
    callback: (error) => {
      if (error === null) tell();
    },
  });
  // What was told before the server knew of the subscription was not heard.
  nc.flush().then(tell, () => {});
  return { listeners, stop: () => subscription.unsubscribe() };
}
