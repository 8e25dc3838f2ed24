/** The engine's shell put together: shards, runs, executors, pools (D21, D22). One a process. */
import { randomUUID } from "node:crypto";
import type { RunId } from "@aiep/contracts";
import { createLimiter, type Failpoints, type Logger, type SqlPool, type Telemetry } from "@aiep/service-kit";
import type { ComponentRegistry } from "../components/registry.ts";
import type { OwnedRuns } from "../store/owned-runs.ts";
import type { RunStore, TaskNotice } from "../store/run-store.ts";
import { createShardLeases } from "../store/shard-leases.ts";
import { approvalExecutor } from "./executors/approval.ts";
import { type ChildRuns, childRunExecutor } from "./executors/child-run.ts";
import type { Executors } from "./executors/executors.ts";
import { inProcessExecutor } from "./executors/in-process.ts";
import { polledExecutor } from "./executors/polled.ts";
import { taskExecutor } from "./executors/task.ts";
import { timerExecutor } from "./executors/timer.ts";
import { runOpener } from "./open-run.ts";
import { createPools } from "./pools.ts";
import { Reminders } from "./reminders.ts";
import { createRunControl, type RunControl } from "./run-control.ts";
import { createRunEngine } from "./run-engine.ts";
import { createShardKeeper } from "./shard-keeper.ts";

export interface EngineDeps {
  readonly pool: SqlPool;
  readonly store: RunStore;
  readonly owned: OwnedRuns;
  readonly registry: ComponentRegistry;
  readonly children: ChildRuns;
  /** Slots of a pool; undefined for one that does not exist. */
  readonly pools: (name: string) => number | undefined;
  /** After each commit of a run; must not throw. */
  readonly committed: (change: { readonly runId: RunId; readonly version: number }) => void;
  /** Tells the other replicas that there are requests, or free shards. */
  readonly wakeOthers: (what: Wake) => void;
  readonly timeZone: string;
  readonly failpoints: Failpoints;
  readonly log: Logger;
  readonly telemetry?: Telemetry;
  /** Of a shard's lease: also how long runs rest after a crash. */
  readonly leaseMs: number;
  readonly now?: () => number;
  /** Questions of polled nodes at the same time. */
  readonly polls?: number;
}

export type Wake = "requests" | "shards";

export interface Engine extends AsyncDisposable {
  readonly control: RunControl;
  start(): void;
  /** Another replica says that there is something to do. */
  wake(what: Wake): void;
  notice(id: RunId, notice: TaskNotice): Promise<void>;
  stop(): Promise<void>;
  /** Shards held; all of them by one replica alone. */
  readonly shards: number;
  readonly liveRuns: number;
}

const POLLS_AT_ONCE = 64;

export function createEngine(deps: EngineDeps): Engine {
  const { pool, store, owned, log, wakeOthers, telemetry, now = Date.now } = deps;
  const reminders = new Reminders<RunId>(now, (id) => runs.due(id));
  const requested = (): void => {
    runs.wake();
    wakeOthers("requests");
  };
  const pools = createPools({ pool, capacity: deps.pools, granted: requested, log });
  const executors: Executors = {
    task: taskExecutor(),
    "in-process": inProcessExecutor(log),
    polled: polledExecutor({ log, now, limit: createLimiter(deps.polls ?? POLLS_AT_ONCE) }),
    timer: timerExecutor(now),
    approval: approvalExecutor(),
    "child-run": childRunExecutor(deps.children, log),
  };
  const runs = createRunEngine({
    owned,
    store,
    openActor: runOpener({ ...deps, executors, pools, reminders, requested, now }),
    wakeOthers: () => requested(),
    log,
    ...(telemetry === undefined ? {} : { telemetry }),
  });
  const keeper = createShardKeeper({
    leases: createShardLeases(pool, randomUUID()),
    gained: (shards) => runs.gained(shards),
    lost: (shards) => runs.lost(shards),
    surrender: async (shards) => await runs.surrender(shards),
    released: () => wakeOthers("shards"),
    log,
    ttlMs: deps.leaseMs,
  });

  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    stopped ??= close();
    await stopped;
  };
  const close = async (): Promise<void> => {
    await keeper.stop();
    await runs.stop();
    await pools.stop();
    reminders.close();
  };
  return {
    control: createRunControl({ store, requested }),
    start: () => {
      runs.start();
      keeper.start();
      pools.start();
    },
    wake: (what) => (what === "shards" ? keeper.wake() : runs.wake()),
    notice: async (id, notice) => {
      if ((await runs.notice(id, notice)) === "taken") return;
      await store.request(id, { kind: "task", notice });
      wakeOthers("requests");
    },
    stop,
    get shards() {
      return runs.shards;
    },
    get liveRuns() {
      return runs.liveRuns;
    },
    [Symbol.asyncDispose]: stop,
  };
}
