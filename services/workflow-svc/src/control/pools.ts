/** Gives free slots of pools to those who wait (D21). Any replica may: the rows are locked while it is decided. */
import { type Logger, pause, type SqlPool, WakeUp } from "@aiep/service-kit";
import { grantSlots, wantedPools } from "../store/pool-slots.ts";

export interface Pools {
  /** Something changed in this pool. Cheap. */
  look(pool: string): void;
  start(): void;
  stop(): Promise<void>;
}

export interface PoolsDeps {
  readonly pool: SqlPool;
  /** Slots of a pool; undefined for one that does not exist (any more): nothing is given. */
  readonly capacity: (pool: string) => number | undefined;
  /** Grants were written as requests. */
  readonly granted: () => void;
  readonly log: Logger;
}

/** For wishes whose writer died before it could look. */
const SWEEP_MS = 5_000;

export function createPools({ pool: sqlPool, capacity, granted, log }: PoolsDeps): Pools {
  const stopping = new AbortController();
  const wake = new WakeUp();
  const changed = new Set<string>();
  let running: Promise<void> | undefined;

  const grant = async (names: Iterable<string>): Promise<void> => {
    for (const name of names) {
      const slots = capacity(name);
      if (slots !== undefined && (await grantSlots(sqlPool, name, slots))) granted();
    }
  };
  const run = async (): Promise<void> => {
    let sweepAt = 0;
    while (!stopping.signal.aborted) {
      const names = [...changed];
      changed.clear();
      try {
        if (performance.now() >= sweepAt) {
          sweepAt = performance.now() + SWEEP_MS;
          names.push(...(await wantedPools(sqlPool)));
        }
        await grant(new Set(names));
      } catch (error) {
        for (const name of names) changed.add(name);
        log.warn({ err: error }, "slots cannot be given; trying again");
        await pause(500, stopping.signal);
      }
      if (changed.size === 0) await wake.wait(SWEEP_MS, stopping.signal);
    }
  };
  return {
    look: (name) => {
      changed.add(name);
      wake.wake();
    },
    start: () => {
      running ??= run();
    },
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}
