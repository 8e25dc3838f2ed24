/**
 * Changes as the bus tells them, of this replica and of all others: a plain subscription to the events of one context, or to wakes.
 * It says "look again", never what happened; one that is lost costs its reader time, no truth.
 */
import type { EventContext } from "@aiep/contracts";
import type { Bus } from "../bus/bus.ts";
import type { Changes } from "./watch.ts";

export interface BusChanges<Id extends string> extends Changes<Id>, Disposable {}

/** The id's place in a subject, the same in both: `aiep.<env>.evt.<context>.<groupId>.<id>.<event>`, `aiep.<env>.wake.<service>.<what>.<id>`. */
const ID_TOKEN = 5;

export function changesOnBus<Id extends string>(
  bus: Bus,
  { env, context }: { readonly env: string; readonly context: EventContext },
): BusChanges<Id> {
  return changesOnSubject(bus, `aiep.${env}.evt.${context}.>`);
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
    ...changesOnSubject<Id>(bus, subjectOf("*")),
    tell: (id) => {
      if (!bus.nc.isClosed()) bus.nc.publish(subjectOf(id));
    },
  };
}

function changesOnSubject<Id extends string>(bus: Bus, subject: string): BusChanges<Id> {
  const listeners = new Map<string, Set<() => void>>();
  const subscription = bus.nc.subscribe(subject, {
    callback: (error, message) => {
      const id = error === null ? message.subject.split(".")[ID_TOKEN] : undefined;
      for (const listener of [...((id === undefined ? undefined : listeners.get(id)) ?? [])]) listener();
    },
  });
  return {
    subscribe: (id, listener) => {
      const mine = listeners.get(id) ?? new Set();
      listeners.set(id, mine.add(listener));
      return () => {
        mine.delete(listener);
        if (mine.size === 0 && listeners.get(id) === mine) listeners.delete(id);
      };
    },
    [Symbol.dispose]: () => subscription.unsubscribe(),
  };
}
