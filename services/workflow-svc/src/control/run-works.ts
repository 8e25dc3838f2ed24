/**
 * The attempts of one run that are at work in this process. They outlive a reading of the run from its rows: what is at
 * work goes on, what the rows say is at work and is not here is begun again.
 */

import type { Fact } from "../domain/engine/model.ts";
import type { Json } from "../domain/values/index.ts";
import type { AttemptRef, Work } from "./executors/executor.ts";
import { type AnyAttempt, begin, type Executors } from "./executors/executors.ts";

export interface RunWorksDeps {
  readonly executors: Executors;
  /** What an attempt tells; `remember` undefined leaves what is remembered as it is. */
  readonly tell: (attempt: AttemptRef, facts: readonly Fact[], remember: Json | undefined) => void;
  readonly broke: (attempt: AttemptRef, error: unknown) => void;
}

interface AtWork {
  readonly attempt: number;
  readonly stop: AbortController;
  /** Ends by itself within this process: worth waiting for at a hand-over. */
  readonly own: boolean;
}

export class RunWorks {
  readonly #deps: RunWorksDeps;
  readonly #leave = new AbortController();
  readonly #works = new Map<string, AtWork>();
  readonly #quiet: (() => void)[] = [];
  #own = 0;

  constructor(deps: RunWorksDeps) {
    this.#deps = deps;
  }

  has(key: string, attempt: number): boolean {
    return this.#works.get(key)?.attempt === attempt;
  }

  begin(attempt: AnyAttempt, remembered: Json, recovered: boolean): void {
    if (this.#leave.signal.aborted || this.has(attempt.key, attempt.attempt)) return;
    this.over(attempt.key); // an earlier attempt
    const stop = new AbortController();
    const own = attempt.input.execution === "in-process";
    this.#works.set(attempt.key, { attempt: attempt.attempt, stop, own });
    if (own) this.#own += 1;
    const work: Work = {
      stop: stop.signal,
      leave: this.#leave.signal,
      remembered,
      recovered,
      tell: (facts, remember) => {
        if (!this.#leave.signal.aborted) this.#deps.tell(attempt, facts, remember);
      },
    };
    try {
      const working = begin(this.#deps.executors, attempt, work);
      if (working instanceof Promise) working.catch((error: unknown) => this.#deps.broke(attempt, error));
    } catch (error) {
      this.#deps.broke(attempt, error);
    }
  }

  /** After the commit that asked for it. */
  stop(key: string, attempt: number): void {
    const work = this.#works.get(key);
    if (work?.attempt === attempt) work.stop.abort();
  }

  /** The attempt is over and written down. */
  over(key: string): void {
    const work = this.#works.get(key);
    if (work === undefined) return;
    this.#works.delete(key);
    if (work.own) this.#own -= 1;
    if (this.#own === 0) for (const resolve of this.#quiet.splice(0)) resolve();
  }

  /** When no work of this process is under way any more. */
  async quiet(): Promise<void> {
    if (this.#own > 0) await new Promise<void>((resolve) => this.#quiet.push(resolve));
  }

  /** Nothing more is said of any of them; another replica goes on. */
  leave(): void {
    this.#leave.abort();
    for (const resolve of this.#quiet.splice(0)) resolve();
  }
}
