/**
 * One live run, worked on by one loop: letters are taken in together, what follows is committed in one transaction, then done.
 *
 * A1 Nothing is done before the commit that says so (`before-commit`, `committed`, `effects-begun` are the failpoints of the
 *    gaps); what was committed and not done is done by the next reading of the rows.
 * A2 After a commit that failed, memory is thrown away and the rows are read again; letters are kept and taken in again,
 *    which is harmless: a stale fact is dropped.
 * A3 A letter is settled when its facts are committed, or when it is plain that they change nothing.
 * A4 What a container task may tell is expected before the commit that asks for it: its event may be here before the word that
 *    the commit is through, and what nobody expects is dropped.
 */
import { setImmediate as soon } from "node:timers/promises";
import { AiepError } from "@aiep/contracts";
import { backoffMs, type Failpoints, type Logger, pause, type Sql, within } from "@aiep/service-kit";
import * as z from "zod";
import { RunFencedError, type RunStep } from "../store/owned-runs.ts";
import type { LoadedRun, RunFacts, TaskNotice } from "../store/run-store.ts";
import { type AttemptRef, crashed } from "./executors/executor.ts";
import type { Executors } from "./executors/executors.ts";
import { stopCommand, taskFacts } from "./executors/task.ts";
import type { Effects, LiveRun, Step } from "./live-run.ts";
import type { Letter } from "./run-letter.ts";
import { RunWorks } from "./run-works.ts";
import { TaskBook } from "./task-book.ts";

export interface RunActorDeps {
  readonly facts: RunFacts;
  readonly executors: Executors;
  readonly read: (loaded: LoadedRun) => LiveRun;
  readonly load: () => Promise<LoadedRun | undefined>;
  /** Throws RunFencedError when this replica may not write. */
  readonly commit: (step: Omit<RunStep, "epoch">) => Promise<void>;
  /** False: the shard is somebody else's by now. */
  readonly owned: () => boolean;
  /** Statements and requests that join a step: pools, cache, what the run's end means for others. */
  readonly joining: (
    step: Step,
    run: LiveRun,
  ) => { readonly also: readonly Sql[]; readonly requests: RunStep["requests"] };
  /** After a commit. Must not throw. */
  readonly committed: (step: Step, version: number) => void;
  /** Call `tick` then; null: not by the clock. */
  readonly wakeAt: (at: number | null) => void;
  readonly dropRequests: (ids: readonly number[]) => Promise<void>;
  /** The run ended or is not ours any more. */
  readonly closed: () => void;
  readonly failpoints: Failpoints;
  readonly log: Logger;
  readonly now: () => number;
}

/** Letters of one step: a commit stays small enough to be quick. */
const MOST_LETTERS = 500;
const STOP_AGAIN = { floorMs: 1_000, capMs: 60_000 };
/** What is remembered of an attempt whose stop was sent more than once. */
const stopMemory = z.object({ stops: z.int() });

export class RunActor {
  readonly #deps: RunActorDeps;
  readonly #log: Logger;
  readonly #works: RunWorks;
  readonly #tasks = new TaskBook();
  readonly #leave = new AbortController();
  #run: LiveRun | undefined;
  #letters: Letter[] = [];
  #due = false;
  #busy: Promise<void> | undefined;
  #draining = false;
  #ended = false;

  constructor(deps: RunActorDeps) {
    this.#deps = deps;
    this.#log = deps.log.child({ run_id: deps.facts.id });
    this.#works = new RunWorks({
      executors: deps.executors,
      tell: ({ key, attempt }, facts, value) =>
        this.post({ facts, ...(value === undefined ? {} : { remember: { key, attempt, value } }) }),
      broke: (attempt, error) => {
        this.#log.error({ err: error, node: attempt.key }, "an executor broke");
        this.post({ facts: [crashed(attempt, error)] });
      },
    });
  }

  get id(): RunFacts["id"] {
    return this.#deps.facts.id;
  }

  /** Begins with rows already read. */
  start(loaded: LoadedRun): void {
    this.#adopt(loaded);
    this.tick();
  }

  post(letter: Letter): void {
    if (this.#leave.signal.aborted) {
      letter.settled?.(this.#ended ? undefined : notOurs());
      return;
    }
    this.#letters.push(letter);
    this.#kick();
  }

  /** What a task's event says, when it is about an attempt at work; `settled` in any case. */
  notice(notice: TaskNotice, letter: Pick<Letter, "request" | "settled">): void {
    const found = this.#tasks.find(notice);
    if (found?.kind === "stop_refused") void this.#stopAgain(found.ref, found.number);
    const facts = found?.kind === "attempt" ? taskFacts(found.ref, notice) : [];
    this.post({ facts, ...letter });
  }

  /** Something is due by the clock. */
  tick(): void {
    this.#due = true;
    this.#kick();
  }

  /** Hand-over: begins nothing more, lets what is under way here end and be written, within the bound. Then leaves. */
  async drain(boundMs: number): Promise<void> {
    this.#draining = true;
    await within(boundMs, this.#works.quiet(), undefined);
    await within(boundMs, this.#busy ?? Promise.resolve(), undefined);
    await this.leave();
  }

  /** At once; what is being committed is waited for. */
  async leave(): Promise<void> {
    this.#close();
    await this.#busy;
    this.#settle(this.#letters.splice(0), notOurs());
  }

  #kick(): void {
    this.#busy ??= this.#work().finally(() => {
      this.#busy = undefined;
      if ((this.#letters.length > 0 || this.#due) && !this.#leave.signal.aborted) this.#kick();
    });
  }

  async #work(): Promise<void> {
    await soon(); // what happens in the same moment shares a commit
    let failures = 0;
    while ((this.#letters.length > 0 || this.#due) && !this.#leave.signal.aborted) {
      const letters = this.#letters.splice(0, failures > 1 ? 1 : MOST_LETTERS);
      this.#due = false;
      try {
        await this.#step(letters);
        failures = 0;
      } catch (error) {
        this.#letters.unshift(...letters);
        failures += 1;
        await this.#recover(error, failures);
      }
    }
  }

  async #step(letters: readonly Letter[]): Promise<void> {
    const run = this.#run;
    if (run === undefined) throw new Error("the run is not in memory");
    const { failpoints, now: clock } = this.#deps;
    const now = clock();
    const step = run.step(letters, now);
    this.#expect(step.effects);
    if (step.commit === undefined) {
      await this.#deps.dropRequests(letters.flatMap(({ request }) => request ?? []));
    } else {
      const { also, requests } = this.#deps.joining(step, run);
      await failpoints.hit("run.before-commit");
      await this.#deps.commit({
        ...step.commit,
        requests: [...step.commit.requests, ...requests],
        also,
        now: new Date(now),
      });
      await failpoints.hit("run.committed");
      this.#deps.committed(step, run.version);
    }
    this.#do(step.effects);
    await failpoints.hit("run.effects-begun");
    this.#settle(letters);
    this.#deps.wakeAt(step.wakeAt);
    if (step.ended) this.#end();
  }

  /** A4. Its letter waits until the commit is through. */
  #expect({ begin, stop, over }: Effects): void {
    for (const key of over) this.#tasks.over(key);
    for (const { attempt } of begin) if (attempt.input.execution === "task") this.#tasks.asked(attempt);
    for (const { key } of stop) this.#tasks.stopAsked(key, 1);
  }

  #do({ begin, stop, over }: Effects): void {
    for (const key of over) this.#works.over(key);
    if (!this.#draining)
      for (const { attempt, remembered } of begin) this.#works.begin(attempt, remembered, false);
    for (const { key, attempt } of stop) this.#works.stop(key, attempt);
  }

  /** T1: until the task's end is known. */
  async #stopAgain(ref: AttemptRef, refused: number): Promise<void> {
    const { key, attempt } = ref;
    const number = refused + 1;
    await pause(backoffMs(refused, STOP_AGAIN), this.#leave.signal);
    if (this.#run?.isStopping(key, attempt) !== true) return;
    this.#tasks.stopAsked(key, number);
    this.post({
      facts: [],
      commands: [stopCommand(ref, number)],
      remember: { key, attempt, value: { stops: number } },
    });
  }

  #end(): void {
    this.#ended = true;
    this.#close();
    this.#settle(this.#letters.splice(0));
  }

  /** Once: a run that was read again meanwhile has another actor under the same id. */
  #close(): void {
    if (this.#leave.signal.aborted) return;
    this.#leave.abort();
    this.#works.leave();
    this.#deps.closed();
  }

  #settle(letters: readonly Letter[], error?: unknown): void {
    for (const { settled } of letters) settled?.(error);
  }

  /** A2. */
  async #recover(error: unknown, failures: number): Promise<void> {
    const { owned, load } = this.#deps;
    this.#run = undefined;
    if (!owned()) {
      void this.leave();
      return;
    }
    if (error instanceof RunFencedError) {
      this.#log.warn("the run went on without us; reading it again");
    } else {
      const expected = AiepError.is(error) && error.entry.retry === "later";
      this.#log[expected ? "warn" : "error"]({ err: error, failures }, "the run's step was not committed");
      await pause(backoffMs(failures, { floorMs: 50, capMs: 30_000 }), this.#leave.signal);
    }
    while (this.#run === undefined && !this.#leave.signal.aborted) {
      try {
        const loaded = await load();
        if (loaded === undefined) throw new Error("the run is gone");
        this.#adopt(loaded);
        this.#due = true;
      } catch (cause) {
        failures += 1;
        this.#log.warn({ err: cause, failures }, "the run cannot be read; trying again");
        await pause(backoffMs(failures, { floorMs: 100, capMs: 5_000 }), this.#leave.signal);
      }
    }
  }

  /** The rows are the truth: begins what they say is at work and is not, ends what they say is to be ended. */
  #adopt(loaded: LoadedRun): void {
    const run = this.#deps.read(loaded);
    this.#run = run;
    if (run.ended) {
      this.#end();
      return;
    }
    const { attempts, facts } = run.atWork(this.#deps.now());
    for (const { attempt, remembered } of attempts) {
      if (attempt.input.execution === "task") this.#tasks.asked(attempt);
      this.#works.begin(attempt, remembered, true);
    }
    for (const { key, attempt, remembered } of run.stops()) {
      this.#works.stop(key, attempt);
      this.#tasks.stopAsked(key, stopMemory.safeParse(remembered).data?.stops ?? 1);
    }
    if (facts.length > 0) this.#letters.push({ facts });
  }
}

function notOurs(): AiepError {
  return new AiepError("DEPENDENCY_UNAVAILABLE", "Another replica owns the run by now.", {
    retryAfterSeconds: 1,
  });
}
