/** The engine on a database of its own, without a bus: what leaves stands in the outbox, what comes is told by the test. */

import type { RunId, RunNodeView } from "@aiep/contracts";
import { isTerminalRun } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { createLogger, type Failpoints, NO_FAILPOINTS } from "@aiep/service-kit";
import { approval } from "../components/approval/component.ts";
import { generalTraining } from "../components/general-training/component.ts";
import { noop } from "../components/noop/component.ts";
import { type ComponentRegistry, registryOf } from "../components/registry.ts";
import { subWorkflow } from "../components/sub-workflow/component.ts";
import { wait } from "../components/wait/component.ts";
import { createEngine, type Engine } from "../control/engine.ts";
import type { ChildRuns } from "../control/executors/child-run.ts";
import { SHARDS } from "../domain/shard.ts";
import type { NewRun, RunRecord } from "../store/run-store.ts";
import { openTestStore, type StoreFixture } from "./database.ts";

export interface StageOptions {
  readonly registry?: ComponentRegistry;
  readonly failpoints?: Failpoints;
  readonly children?: ChildRuns;
  readonly pools?: Readonly<Record<string, number>>;
  readonly leaseMs?: number;
  /** Default all shards are held before the stage is given out. */
  readonly idle?: boolean;
}

export interface EngineStage extends AsyncDisposable {
  readonly store: StoreFixture;
  readonly engine: Engine;
  /** Another replica on the same database. */
  replica(options?: StageOptions): Engine;
  run(run: NewRun): Promise<RunId>;
  /** The run when it ended. */
  ended(id: RunId, timeoutMs?: number): Promise<RunRecord>;
  nodes(id: RunId): Promise<Readonly<Record<string, RunNodeView>>>;
}

/** Kinds that need nothing around them. */
export const PLAIN_KINDS = [noop, wait, approval, generalTraining, subWorkflow] as const;

const NO_CHILDREN: ChildRuns = {
  start: async () => await Promise.reject(new Error("this stage has no child runs")),
  exists: async () => await Promise.resolve(false),
};

export async function openEngineStage(options: StageOptions = {}): Promise<EngineStage> {
  await using opened = new AsyncDisposableStack();
  const store = opened.use(await openTestStore());
  const replicas: Engine[] = [];
  const replica = (given: StageOptions = {}): Engine => {
    const { pools = {} } = { ...options, ...given };
    const engine: Engine = createEngine({
      pool: store.pool,
      store: store.store,
      owned: store.owned,
      registry: given.registry ?? options.registry ?? registryOf(PLAIN_KINDS),
      children: given.children ?? options.children ?? NO_CHILDREN,
      pools: (name) => pools[name],
      committed: () => {},
      wakeOthers: (what) => {
        for (const other of replicas) if (other !== engine) other.wake(what);
      },
      timeZone: "Asia/Shanghai",
      failpoints: given.failpoints ?? NO_FAILPOINTS,
      log: createLogger({ service: "engine-stage", level: "error" }),
      leaseMs: given.leaseMs ?? options.leaseMs ?? 5_000,
    });
    replicas.push(engine);
    engine.start();
    return engine;
  };
  opened.defer(async () => void (await Promise.all(replicas.map(async (each) => await each.stop()))));
  const engine = replica(options);
  if (options.idle !== true)
    await waitFor("all shards", () => engine.shards === SHARDS, { timeoutMs: 10_000 });
  const stack = opened.move();
  return {
    store,
    engine,
    replica,
    run: async (run) => {
      await engine.control.create(run);
      return run.facts.id;
    },
    ended: async (id, timeoutMs = 20_000) => {
      let record = await store.store.get(id);
      await waitFor(
        `the end of run ${id}`,
        async () => {
          record = await store.store.get(id);
          return record !== undefined && isTerminalRun(record.status.state);
        },
        { timeoutMs },
      );
      if (record === undefined) throw new Error(`run ${id} is gone`);
      return record;
    },
    nodes: async (id) =>
      Object.fromEntries((await store.store.nodes(id)).map(({ view }) => [view.key, view])),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
