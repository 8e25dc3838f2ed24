/** One holding of the controller's lease: the live tasks, each with its worker, from loading to the end (C1, C2). */
import type { TaskId } from "@aiep/contracts";
import { backoffMs, createLimiter, type Failpoints, type Logger, pause, within } from "@aiep/service-kit";
import type { Observation, Runtime, WorkloadRef } from "../domain/runtime.ts";
import { attemptOf, dutyOf, type Task } from "../domain/task.ts";
import type { TaskStore } from "../store/task-store.ts";
import type { TaskChange } from "./notifier.ts";
import { type QuotaOf, QuotaQueue, type Wish } from "./quota-queue.ts";
import { TaskWorker, type TaskWorkerDeps } from "./task-worker.ts";

export interface TermDeps {
  readonly store: TaskStore;
  readonly runtime: Runtime;
  readonly quotaOf: QuotaOf;
  readonly failpoints: Failpoints;
  readonly log: Logger;
  readonly now: () => Date;
  readonly launchConcurrency: number;
  readonly resyncMs: number;
  /** The term ends when it aborts. */
  readonly signal: AbortSignal;
}

const BEGIN_AT_ONCE = 100;
const BEGIN_PATIENCE_MS = 500;

export class Term {
  readonly #deps: TermDeps;
  readonly #workers = new Map<TaskId, TaskWorker>();
  /** Tasks being read because somebody woke us for them. */
  readonly #arriving = new Map<TaskId, Promise<void>>();
  readonly #quota: QuotaQueue;
  readonly #workerDeps: TaskWorkerDeps;
  #loaded = false;

  constructor(deps: TermDeps) {
    this.#deps = deps;
    this.#quota = new QuotaQueue(deps.quotaOf);
    this.#workerDeps = {
      ...deps,
      quota: this.#quota,
      launches: createLimiter(deps.launchConcurrency),
      settled: (worker) => this.#workers.delete(worker.task.facts.id),
    };
  }

  get size(): number {
    return this.#workers.size;
  }

  get loaded(): boolean {
    return this.#loaded;
  }

  wake(change: TaskChange): void {
    const { taskId: id, version, task } = change;
    if (this.#deps.signal.aborted) return;
    const arriving = this.#arriving.get(id);
    // What is being read may be older than this change.
    if (arriving !== undefined) void arriving.then(() => this.wake(change));
    else if (this.#workers.has(id)) this.#workers.get(id)?.wake(version);
    else if (task !== undefined) this.#begin(task);
    else this.#arriving.set(id, this.#arrive(id));
  }

  observed(observation: Observation): void {
    this.#workers.get(observation.ref.taskId)?.observed(observation);
  }

  /** Undefined as well while it cannot be known. */
  foreseeWait(wish: Wish): string | undefined {
    return this.#loaded ? this.#quota.foresee(wish) : undefined;
  }

  reconsiderQuota(): void {
    this.#quota.reconsider();
  }

  async run(): Promise<void> {
    const { signal, log, resyncMs } = this.#deps;
    await this.#persist("loading live tasks", async () => await this.#load());
    this.#loaded = true;
    log.info({ live_tasks: this.size }, "controller active");
    await this.#beginAll();
    while (!signal.aborted) {
      await this.#persist("comparing with the runtime", async () => await this.#compare());
      await pause(resyncMs, signal);
    }
  }

  /** The signal has aborted: waits for what is under way, again until nothing is (one may start another). */
  async close(): Promise<void> {
    await Promise.all(this.#arriving.values());
    await Promise.all([...this.#workers.values()].map(async (worker) => await worker.close()));
    this.#workers.clear();
    this.#loaded = false;
  }

  async #load(): Promise<void> {
    for await (const task of this.#deps.store.unsettled()) this.#adopt(task);
  }

  /**
   * After all are loaded: what was launched before holds its quota before anything new is granted (Q1). A few at a time,
   * for the sake of memory; one that takes long does not hold up the others.
   */
  async #beginAll(): Promise<void> {
    const few = createLimiter(BEGIN_AT_ONCE);
    const begin = async (worker: TaskWorker) => {
      worker.kick();
      await within(BEGIN_PATIENCE_MS, worker.idle(), undefined);
    };
    await Promise.all([...this.#workers.values()].map(async (worker) => await few(() => begin(worker))));
  }

  async #arrive(id: TaskId): Promise<void> {
    try {
      const task = await this.#deps.store.task(id);
      if (task !== undefined) this.#begin(task);
    } catch (error) {
      // Nobody else will tell us of it before the next term: look again.
      this.#deps.log.warn({ err: error, task_id: id }, "task cannot be read; trying again");
      void pause(1000, this.#deps.signal).then(() => this.wake({ taskId: id, version: 0 }));
    } finally {
      this.#arriving.delete(id);
    }
  }

  /** Until all are loaded it waits with them (Q1). */
  #begin(task: Task): void {
    const worker = dutyOf(task) === "none" ? undefined : this.#adopt(task);
    if (this.#loaded) worker?.kick();
  }

  #adopt(task: Task): TaskWorker | undefined {
    if (this.#workers.has(task.facts.id) || this.#deps.signal.aborted) return undefined;
    const worker = new TaskWorker(task, this.#workerDeps);
    this.#workers.set(task.facts.id, worker);
    return worker;
  }

  /** C2 */
  async #compare(): Promise<void> {
    const listed = new Set<string>();
    for (const ref of await this.#deps.runtime.list()) {
      if (this.#deps.signal.aborted) return;
      listed.add(keyOf(ref));
      const worker = this.#workers.get(ref.taskId);
      if (worker === undefined || attemptOf(worker.task) !== ref.attempt) await this.#removeOrphan(ref);
    }
    for (const worker of this.#workers.values()) {
      const { task } = worker;
      const expected =
        dutyOf(task) === "watch" && !listed.has(keyOf({ taskId: task.facts.id, attempt: attemptOf(task) }));
      if (expected) worker.recheck();
    }
  }

  /** The database is the truth: a workload it does not want is an orphan. It is asked last, for a task just launched. */
  async #removeOrphan(ref: WorkloadRef): Promise<void> {
    const { store, runtime, log, signal } = this.#deps;
    const task = await store.task(ref.taskId);
    if (task !== undefined && dutyOf(task) !== "none" && attemptOf(task) === ref.attempt) {
      this.#adopt(task)?.kick();
      return;
    }
    if (signal.aborted) return;
    log.warn(
      { task_id: ref.taskId, attempt: ref.attempt },
      "removing a workload that belongs to no live task",
    );
    await runtime.remove(ref);
  }

  async #persist(what: string, work: () => Promise<void>): Promise<void> {
    const { signal, log } = this.#deps;
    for (let failures = 1; !signal.aborted; failures += 1) {
      try {
        return await work();
      } catch (error) {
        const delayMs = backoffMs(failures, { floorMs: 200, capMs: 10_000 });
        log.warn({ err: error, failures, delay_ms: delayMs }, `${what} failed; trying again`);
        await pause(delayMs, signal);
      }
    }
  }
}

const keyOf = (ref: WorkloadRef): string => `${ref.taskId}/${ref.attempt}`;
