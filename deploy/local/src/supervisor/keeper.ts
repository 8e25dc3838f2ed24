import { setTimeout as sleep } from "node:timers/promises";
import type { ProcessReport } from "../home/state.ts";
import { identityOf } from "../processes/identity.ts";
import { nextEndsInARow, restartDelayMs } from "./backoff.ts";
import type { Life, Unit } from "./unit.ts";

/*
 * Keeps one unit running.
 *
 * Owns the unit's life and the loop that starts it again; reports every change, decides nothing about other units.
 *
 * K1  The first start is the caller's affair: its failure is thrown, not retried.
 * K2  An end nobody asked for is followed by a new start, after a pause that grows to a bound and never gives up.
 * K3  After stop() nothing starts again, however far a restart had come.
 */

export interface KeeperDeps {
  readonly unit: Unit;
  readonly report: (report: ProcessReport) => void;
  readonly log: (line: string) => void;
  /** Runs after each restart that came to readiness, such as creating again what a server may have lost. */
  readonly restarted?: (signal: AbortSignal) => Promise<void>;
}

export class Keeper {
  readonly #deps: KeeperDeps;
  readonly #stopping = new AbortController();
  #life: Life | undefined;
  #firstStart: Promise<void> = Promise.resolve();
  #loop: Promise<void> = Promise.resolve();
  #restarts = 0;

  constructor(deps: KeeperDeps) {
    this.#deps = deps;
    this.#report("waiting");
  }

  start(): Promise<void> {
    this.#firstStart = this.#start();
    return this.#firstStart;
  }

  async #start(): Promise<void> {
    const started = performance.now();
    this.#report("starting");
    const life = await this.#deps.unit.start(this.#stopping.signal); // K1
    this.#life = life;
    await this.#reportReady(life, Math.round(performance.now() - started));
    this.#loop = this.#keep(life, started);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#firstStart.catch(() => {}); // whoever started us has seen it
    await this.#life?.stop();
    await this.#loop;
    this.#report("stopped");
  }

  async #keep(first: Life, firstStart: number): Promise<void> {
    const { unit, log, restarted } = this.#deps;
    const { signal } = this.#stopping;
    let life: Life | undefined = first;
    let started = firstStart;
    let endsInARow = 0;
    for (;;) {
      const end = life === undefined ? "it did not start" : await life.ended;
      if (signal.aborted) return; // K3
      endsInARow = nextEndsInARow(endsInARow, performance.now() - started);
      this.#restarts += 1;
      const pauseMs = restartDelayMs(endsInARow);
      log(`${unit.name}: ${end}; starting again in ${pauseMs} ms`);
      this.#report("restarting", { last_end: end });
      life = undefined;
      try {
        await sleep(pauseMs, undefined, { signal });
        started = performance.now();
        life = await unit.start(signal);
        this.#life = life;
        signal.throwIfAborted(); // K3
        await restarted?.(signal);
        await this.#reportReady(life, Math.round(performance.now() - started));
        log(`${unit.name}: ready again`);
      } catch (error) {
        await life?.stop();
        life = undefined;
        if (signal.aborted) return;
        log(`${unit.name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }

  async #reportReady(life: Life, readyMs: number): Promise<void> {
    const identity = await identityOf(life.pid);
    this.#report("ready", {
      ready_ms: readyMs,
      started_at: new Date().toISOString(),
      ...(identity === undefined ? {} : { identity }),
    });
  }

  #report(state: ProcessReport["state"], more: Partial<ProcessReport> = {}): void {
    const { unit, report } = this.#deps;
    report({
      name: unit.name,
      address: unit.address,
      log: unit.logFile,
      state,
      restarts: this.#restarts,
      ...more,
    });
  }
}
