/**
 * One live task: brings what is in line with what is wanted, one step at a time (D14).
 *
 * W1 Level-triggered: each turn reads the task's duty from its saved state; a turn that died half-way is repeated and
 *    finds its own traces. Saves are optimistic, so a worker that is not the only one loses politely.
 * W2 Turns of one task never overlap; wakes and observations meanwhile are remembered, the latest observation wins.
 * W3 The intent is saved before the runtime is asked to launch, the outcome after (I3): failpoints sit in these gaps.
 * W4 An error delays this task alone (I12), by its class: conflict → read again now; anything else → backoff.
 */
import { AiepError } from "@aiep/contracts";
import { backoffMs, type Failpoints, type Limiter, type Logger, runWithTraceparent } from "@aiep/service-kit";
import {
  applyObservation,
  applyTick,
  type Change,
  launchDelayed,
  launchRefused,
  markLaunched,
  markLaunching,
  markRemoved,
  waitForQuota,
  wakeAt,
} from "../domain/life-cycle.ts";
import { taskResources } from "../domain/quota.ts";
import type { Observation, Runtime, WorkloadRef } from "../domain/runtime.ts";
import { dutyOf, isEnded, type Task, workloadRefOf } from "../domain/task.ts";
import { nodeEnded } from "../domain/verdict.ts";
import type { TaskStore } from "../store/task-store.ts";
import { refused, workloadOf } from "./launching.ts";
import type { Applicant, QuotaQueue } from "./quota-queue.ts";

export interface TaskWorkerDeps {
  readonly store: TaskStore;
  readonly runtime: Runtime;
  readonly quota: QuotaQueue;
  readonly launches: Limiter;
  readonly failpoints: Failpoints;
  readonly log: Logger;
  readonly now: () => Date;
  /** Nothing is begun after it aborts. */
  readonly signal: AbortSignal;
  /** The task needs nobody any more. */
  readonly settled: (worker: TaskWorker) => void;
}

const RETRY = { floorMs: 250, capMs: 30_000 };
/** Time an ended task's remaining nodes get to end by themselves. */
const CLEAN_UP_GRACE_SECONDS = 10;
/** The runtime ends nodes by force after the grace; later than this we ask it again what is there. */
const STOP_SLACK_SECONDS = 10;
/** A launch that failed so often is told to whoever waits for it (I11). */
const TELL_AFTER_FAILURES = 3;
const MAX_TIMER_MS = 2 ** 31 - 1;

export class TaskWorker {
  readonly #deps: TaskWorkerDeps;
  #task: Task;
  #knownVersion: number;
  #stale = false;
  #observation: Observation | undefined;
  /** Duties done in this process that need no repeating: what follows arrives as observations. */
  #watched = false;
  #stopAskedAt: Date | undefined;
  #grant: "none" | "asked" | "granted" = "none";
  #waiting: { readonly message: string; readonly head: boolean } | undefined;
  #failures = 0;
  #delay: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #turning: Promise<void> | undefined;
  #again = false;

  constructor(task: Task, deps: TaskWorkerDeps) {
    this.#deps = deps;
    this.#task = task;
    this.#knownVersion = task.version;
    if (!isEnded(task) && task.launch.kind !== "none") {
      deps.quota.hold(this.#applicant());
      this.#grant = "granted";
    }
  }

  get task(): Task {
    return this.#task;
  }

  /** The task was changed, perhaps by somebody else. */
  wake(version: number): void {
    if (version <= this.#knownVersion) return;
    this.#stale = true;
    this.kick();
  }

  observed(observation: Observation): void {
    this.#observation = observation;
    this.kick();
  }

  /** Asks the runtime anew, e.g. because it lists no such workload. */
  recheck(): void {
    this.#watched = false;
    this.kick();
  }

  kick(): void {
    this.#again = true;
    if (this.#turning !== undefined || this.#deps.signal.aborted) return;
    this.#turning = this.#turns().finally(() => {
      this.#turning = undefined;
    });
  }

  /** Resolves when nothing of this task is under way. */
  async idle(): Promise<void> {
    await this.#turning;
  }

  /** Resolves when nothing of this task is under way, nor will be; `signal` must have aborted. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#turning;
    clearTimeout(this.#timer);
  }

  async #turns(): Promise<void> {
    while (this.#again && !this.#deps.signal.aborted) {
      this.#again = false;
      try {
        await this.#turn();
        this.#failures = 0;
        this.#delay = undefined;
      } catch (error) {
        if (this.#deps.signal.aborted) return;
        this.#recover(error);
      }
    }
  }

  async #turn(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#stale) await this.#reload();
    await this.#absorb();
    await this.#perform();
    this.#setTimer(wakeAt(this.#task));
  }

  async #reload(): Promise<void> {
    const { facts } = this.#task;
    this.#stale = false;
    try {
      const task = await this.#deps.store.task(facts.id);
      if (task === undefined)
        throw new AiepError("INTERNAL", `task ${facts.id} has vanished from the database`);
      this.#adopt(task);
    } catch (error) {
      this.#stale = true;
      throw error;
    }
  }

  #adopt(task: Task): void {
    this.#task = task;
    this.#knownVersion = Math.max(this.#knownVersion, task.version);
    if (isEnded(task)) this.#deps.quota.release(task.facts.id, task.facts.spec.namespace);
  }

  /** What was observed and what time did, into the saved state. */
  async #absorb(): Promise<void> {
    const observation = this.#observation;
    if (observation !== undefined) {
      await this.#save(applyObservation(this.#task, observation, this.#deps.now()));
      if (this.#observation === observation) this.#observation = undefined;
    }
    await this.#save(applyTick(this.#task, this.#deps.now()));
  }

  async #perform(): Promise<void> {
    const ref = workloadRefOf(this.#task);
    const duty = dutyOf(this.#task);
    switch (duty) {
      case "launch":
        return await this.#launch();
      case "watch":
        return ref && (await this.#watch(ref));
      case "stop":
        return ref && (await this.#stop(ref));
      case "remove":
        return ref && (await this.#remove(ref));
      case "none":
        return this.#deps.settled(this);
      default: {
        const unknown: never = duty;
        throw new TypeError(`unknown duty ${String(unknown)}`);
      }
    }
  }

  async #launch(): Promise<void> {
    const { quota, runtime, launches, failpoints, store, signal, now } = this.#deps;
    if (this.#grant === "none") {
      this.#grant = "asked";
      quota.apply(this.#applicant()); // may grant at once
    }
    if (this.#grant !== "granted") return await this.#sayWaiting();
    if (this.#delay !== undefined) {
      const message = `The launch is tried again: ${this.#delay}`;
      await this.#save(launchDelayed(this.#task, message, now()));
    }
    await this.#save(markLaunching(this.#task, now()));
    await failpoints.hit("launch.before");
    const refusal = await launches(async () => {
      signal.throwIfAborted(); // the term may have ended while we queued
      const { traceparent } = this.#task.facts;
      return await runWithTraceparent(
        traceparent ?? undefined,
        "launch task",
        async () => await refused(runtime.launch(workloadOf(this.#task))),
      );
    });
    if (refusal !== undefined) {
      await this.#save(launchRefused(this.#task, refusal, now()));
      this.#again = true;
      return;
    }
    await failpoints.hit("launch.launched-not-saved");
    const at = now();
    await store.recordLaunched(this.#task.facts.id, at);
    this.#task = markLaunched(this.#task, at);
    this.#again = true;
  }

  async #sayWaiting(): Promise<void> {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    // Behind the head the sentence never changes; after a restart it is not said again (Q3).
    if (!waiting.head && this.#task.reason === "WaitingForQuota") return;
    await this.#save(waitForQuota(this.#task, waiting.message, this.#deps.now()));
  }

  async #watch(ref: WorkloadRef): Promise<void> {
    if (this.#watched) return;
    const observation = await this.#deps.runtime.observe(ref);
    this.#watched = true;
    this.#observation ??= observation;
    this.#again = true;
  }

  async #stop(ref: WorkloadRef): Promise<void> {
    const { runtime, failpoints, now } = this.#deps;
    const graceSeconds = this.#task.stop?.graceSeconds ?? 0;
    if (this.#stopAskedAt === undefined) {
      await failpoints.hit("stop.before");
      await runtime.stop(ref, { graceSeconds });
      await failpoints.hit("stop.stopped-not-saved");
      this.#stopAskedAt = now();
    }
    const change = applyObservation(this.#task, await runtime.observe(ref), now());
    await this.#save(change);
    if (isEnded(this.#task)) this.#again = true;
    else this.#retryIn((graceSeconds + STOP_SLACK_SECONDS) * 1000);
  }

  async #remove(ref: WorkloadRef): Promise<void> {
    const { runtime, failpoints, store, now } = this.#deps;
    if (this.#mayHaveRunningNodes() && !(await this.#endRemainingNodes(ref))) return;
    await runtime.remove(ref);
    await failpoints.hit("remove.removed-not-saved");
    const at = now();
    await store.recordRemoved(ref.taskId, at);
    this.#task = markRemoved(this.#task, at);
    this.#again = true;
  }

  /** Politely, e.g. parameter servers after success; true when no node runs any more, or time is up. */
  async #endRemainingNodes(ref: WorkloadRef): Promise<boolean> {
    const { runtime, now } = this.#deps;
    if (this.#stopAskedAt === undefined) {
      await runtime.stop(ref, { graceSeconds: CLEAN_UP_GRACE_SECONDS });
      this.#stopAskedAt = now();
    }
    const waitMs = (CLEAN_UP_GRACE_SECONDS + STOP_SLACK_SECONDS) * 1000;
    if (now().getTime() - this.#stopAskedAt.getTime() >= waitMs) return true;
    const observation = await runtime.observe(ref);
    if (observation.kind === "absent" || observation.nodes.every(nodeEnded)) return true;
    this.#retryIn(waitMs);
    return false;
  }

  #mayHaveRunningNodes(): boolean {
    return this.#task.nodes.some((node) => node.state === "Stopped" && node.startedAt !== null);
  }

  async #save(change: Change | null): Promise<void> {
    if (change === null) return;
    this.#knownVersion = Math.max(this.#knownVersion, change.task.version); // our own wake is no news
    await this.#deps.store.save(change);
    this.#adopt(change.task);
  }

  #recover(error: unknown): void {
    const { log } = this.#deps;
    const id = this.#task.facts.id;
    this.#stale = true; // what was saved is unknown
    if (AiepError.is(error, "VERSION_CONFLICT")) {
      this.#again = true;
      return;
    }
    this.#failures += 1;
    const delayMs = backoffMs(this.#failures, RETRY);
    const level =
      AiepError.is(error) && error.entry.retry === "later" && error.code !== "INTERNAL" ? "warn" : "error";
    log[level](
      { err: error, task_id: id, failures: this.#failures, delay_ms: delayMs },
      "task step failed; trying again",
    );
    this.#retryIn(delayMs);
    if (this.#failures >= TELL_AFTER_FAILURES) {
      this.#delay = AiepError.is(error)
        ? error.message
        : "something went wrong; the platform's log has the details.";
    }
  }

  #setTimer(at: Date | null): void {
    if (at !== null) this.#retryIn(at.getTime() - this.#deps.now().getTime());
  }

  /** The earliest of the wishes of one turn counts. */
  #retryIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.kick(), Math.min(Math.max(ms, 1), MAX_TIMER_MS));
  }

  #applicant(): Applicant {
    const { id, spec, createdAt } = this.#task.facts;
    return {
      id,
      namespace: spec.namespace,
      asked: taskResources(spec),
      createdAt,
      granted: () => {
        this.#grant = "granted";
        this.#waiting = undefined;
        this.kick();
      },
      waits: (message, head) => {
        if (this.#waiting?.message === message) return;
        this.#waiting = { message, head };
        this.kick();
      },
    };
  }
}
