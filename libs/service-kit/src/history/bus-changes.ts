/**
 * Changes as the bus tells them, of this replica and of all others: a plain subscription to the events of one context.
 * It says "look again", never what happened; one that is lost costs its reader time, no truth.
 */
import type { EventContext } from "@aiep/contracts";
import type { Bus } from "../bus/bus.ts";
import type { Changes } from "./watch.ts";

export interface BusChanges<Id extends string> extends Changes<Id>, Disposable {}

/** `aiep.<env>.evt.<context>.<groupId>.<aggregateId>.<event>` */
const AGGREGATE_TOKEN = 5;

export function changesOnBus<Id extends string>(
  bus: Bus,
  { env, context }: { readonly env: string; readonly context: EventContext },
): BusChanges<Id> {
  const listeners = new Map<string, Set<() => void>>();
  const subscription = bus.nc.subscribe(`aiep.${env}.evt.${context}.>`, {
    callback: (error, message) => {
      const id = error === null ? message.subject.split(".")[AGGREGATE_TOKEN] : undefined;
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
