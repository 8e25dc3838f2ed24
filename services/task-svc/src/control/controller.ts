/**
 * Brings desired and observed state of all live tasks in line (D14). One controller is active at a time, by a lease;
 * each holding of the lease is a term that loads the live tasks anew, so nothing in memory outlives it.
 *
 * C1 A stale term is harmless: saves are optimistic, launches find what exists (R1), stops and removals are idempotent.
 * C2 Memory holds live tasks only. Nothing is polled per task; once a minute the runtime's list is compared with them:
 *    workloads nobody knows are removed (I10), tasks whose workload is not listed are looked at again.
 */
import {
  backoffMs,
  type Failpoints,
  type Lease,
  type Logger,
  pause,
  type Telemetry,
} from "@aiep/service-kit";
import type { Observation, Runtime } from "../domain/runtime.ts";
import type { TaskStore } from "../store/task-store.ts";
import type { TaskNotifier } from "./notifier.ts";
import type { QuotaOf, Wish } from "./quota-queue.ts";
import { Term } from "./term.ts";

export interface ControllerDeps {
  readonly store: TaskStore;
  readonly runtime: Runtime;
  readonly notifier: Pick<TaskNotifier, "onAny">;
  readonly lease: Lease;
  readonly quotaOf: QuotaOf;
  /** Calls the listener when quotas may have changed; returns how to stop listening. */
  readonly onQuotaChange: (listener: () => void) => () => void;
  readonly failpoints: Failpoints;
  readonly log: Logger;
  readonly telemetry?: Telemetry;
  readonly now?: () => Date;
  /** Launches at the same time; default 16. */
  readonly launchConcurrency?: number;
  /** Default 60 000. */
  readonly resyncMs?: number;
}

export interface Controller extends AsyncDisposable {
  start(): void;
  /** Begins nothing more, finishes the steps under way, gives the lease up. */
  stop(): Promise<void>;
  /** This process holds the lease and has loaded the live tasks. */
  readonly active: boolean;
  readonly liveTasks: number;
  /** What a task that is submitted now would wait for; undefined when for nothing, or another process would know. */
  foreseeWait(wish: Wish): string | undefined;
}

export function createController(deps: ControllerDeps): Controller {
  return new LeasedController(deps);
}

class LeasedController implements Controller {
  readonly #deps: ControllerDeps;
  readonly #stopping = new AbortController();
  #term: Term | undefined;
  #running: Promise<void> | undefined;
  #runtimeStarted = false;

  constructor(deps: ControllerDeps) {
    this.#deps = deps;
    deps.telemetry?.meter
      .createObservableGauge("aiep_live_tasks", { description: "Tasks the controller works on" })
      .addCallback((result) => result.observe(this.liveTasks));
  }

  get active(): boolean {
    return this.#term?.loaded ?? false;
  }

  get liveTasks(): number {
    return this.#term?.size ?? 0;
  }

  foreseeWait(wish: Wish): string | undefined {
    return this.#term?.foreseeWait(wish);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let failures = 0;
    while (!signal.aborted) {
      try {
        await using grant = await this.#deps.lease.acquire(signal);
        await this.#serve(AbortSignal.any([signal, grant.lost]));
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        this.#deps.log.error({ err: error, failures }, "controller term broke; beginning another one");
        await pause(backoffMs(failures, { floorMs: 200, capMs: 10_000 }), signal);
      }
    }
  }

  async #serve(signal: AbortSignal): Promise<void> {
    const { notifier, onQuotaChange, log } = this.#deps;
    const term = new Term({
      now: () => new Date(),
      launchConcurrency: 16,
      resyncMs: 60_000,
      ...this.#deps,
      signal,
    });
    this.#term = term;
    const unsubscribe = [
      notifier.onAny((change) => term.wake(change)),
      onQuotaChange(() => term.reconsiderQuota()),
    ];
    try {
      await this.#startRuntime();
      await term.run();
    } finally {
      for (const stopListening of unsubscribe) stopListening();
      await term.close();
      this.#term = undefined;
      log.info("controller term ended");
    }
  }

  /** Once per process: workloads it reports between terms are looked at when the next term loads. */
  async #startRuntime(): Promise<void> {
    if (this.#runtimeStarted) return;
    await this.#deps.runtime.start((observation: Observation) => this.#term?.observed(observation));
    this.#runtimeStarted = true;
  }
}
