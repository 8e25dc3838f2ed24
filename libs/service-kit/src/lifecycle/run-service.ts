/**
 * A service from start to exit code: start → ready → intake stops → drain within a bound → force → release.
 *
 * V1 SIGTERM and SIGINT begin the shutdown once; a second signal ends the drain at once. V2 a hook that fails or hangs
 * never keeps the others from running. V3 whatever was opened before a failed start is released. V4 signal handlers are
 * gone when it is over. V5 registering for a phase that has begun is an error: the hook would never run.
 */
import { within } from "../async/wait.ts";
import type { Logger } from "../logging/logger.ts";

/**
 * Shutdown phases, in order. `intake`: stop taking new work. `drain`: finish what was taken, within the bound.
 * `force`: only when draining took too long. `release`: close what was opened, last opened first.
 */
export const SHUTDOWN_PHASES = ["intake", "drain", "force", "release"] as const;
export type ShutdownPhase = (typeof SHUTDOWN_PHASES)[number];

export interface Scope {
  /** Aborted when the shutdown begins. */
  readonly signal: AbortSignal;
  /** Hooks of a phase run last registered first. Registering for a phase that has begun is an error. */
  defer(phase: ShutdownPhase, name: string, fn: () => void | Promise<void>): void;
  /** `defer("release", …)` for something disposable; returns it. */
  use<T extends AsyncDisposable>(name: string, resource: T): T;
  /** A part failed beyond repair: shut down with exit code 1. */
  fail(error: unknown): void;
}

export interface RunServiceOptions {
  readonly name: string;
  readonly log: Logger;
  readonly start: (scope: Scope) => Promise<void>;
  /** Default 20 000. */
  readonly drainTimeoutMs?: number;
  /** Per hook of the other phases; default 5 000. */
  readonly releaseTimeoutMs?: number;
  /** Where signals come from and the exit code goes to; default: this process. */
  readonly host?: Host;
}

/** The part of `process` that is used. */
export interface Host {
  on(signal: "SIGTERM" | "SIGINT", listener: () => void): unknown;
  off(signal: "SIGTERM" | "SIGINT", listener: () => void): unknown;
  exitCode?: number | string | null | undefined;
}

/** Runs until SIGTERM, SIGINT or `scope.fail`; resolves with the exit code, which it also sets. */
export async function runService(options: RunServiceOptions): Promise<number> {
  const { name, log, host = process } = options;
  const scope = new ServiceScope(log);
  const onSignal = (): void => scope.requestStop();
  host.on("SIGTERM", onSignal);
  host.on("SIGINT", onSignal);
  try {
    const started = await startUp(options, scope);
    if (started) log.info({ name }, "service ready");
    await scope.stopRequested;
    await shutDown(options, scope);
  } finally {
    host.off("SIGTERM", onSignal);
    host.off("SIGINT", onSignal);
  }
  const code = scope.failed ? 1 : 0;
  host.exitCode = code;
  log.info({ name, code }, "service stopped");
  return code;
}

/** A signal during the start does not wait for it to end. */
async function startUp(options: RunServiceOptions, scope: ServiceScope): Promise<boolean> {
  const starting = options.start(scope).then(
    () => true,
    (error: unknown) => {
      if (!scope.signal.aborted) scope.fail(error);
      return false;
    },
  );
  const stopped = scope.stopRequested.then(() => false);
  return await Promise.race([starting, stopped]);
}

async function shutDown(options: RunServiceOptions, scope: ServiceScope): Promise<void> {
  const { log, drainTimeoutMs = 20_000, releaseTimeoutMs = 5_000 } = options;
  await scope.runPhase("intake", releaseTimeoutMs);
  const drained = await Promise.race([
    scope.runPhase("drain", drainTimeoutMs),
    scope.forced.then(() => false),
  ]);
  if (!drained) {
    log.warn("draining was cut short");
    await scope.runPhase("force", releaseTimeoutMs);
  }
  await scope.runPhase("release", releaseTimeoutMs);
}

interface Hook {
  readonly name: string;
  readonly fn: () => void | Promise<void>;
}

class ServiceScope implements Scope {
  readonly #log: Logger;
  readonly #hooks: Record<ShutdownPhase, Hook[]> = { intake: [], drain: [], force: [], release: [] };
  readonly #begun = new Set<ShutdownPhase>();
  readonly #stop = new AbortController();
  readonly #stopRequested = Promise.withResolvers<void>();
  readonly #forced = Promise.withResolvers<void>();
  failed = false;

  constructor(log: Logger) {
    this.#log = log;
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  get stopRequested(): Promise<void> {
    return this.#stopRequested.promise;
  }

  get forced(): Promise<void> {
    return this.#forced.promise;
  }

  defer(phase: ShutdownPhase, name: string, fn: () => void | Promise<void>): void {
    if (this.#begun.has(phase)) throw new Error(`${name}: the phase ${phase} has begun`);
    this.#hooks[phase].push({ name, fn });
  }

  use<T extends AsyncDisposable>(name: string, resource: T): T {
    this.defer("release", name, async () => await resource[Symbol.asyncDispose]());
    return resource;
  }

  fail(error: unknown): void {
    this.failed = true;
    this.#log.fatal({ err: error }, "the service cannot go on");
    if (!this.#stop.signal.aborted) this.requestStop();
  }

  requestStop(): void {
    if (this.#stop.signal.aborted) {
      this.#forced.resolve();
      return;
    }
    this.#log.info("shutting down");
    this.#stop.abort();
    this.#stopRequested.resolve();
  }

  /** True when every hook ended within the bound. Hooks of `drain` share it and run side by side, others one by one. */
  async runPhase(phase: ShutdownPhase, timeoutMs: number): Promise<boolean> {
    this.#begun.add(phase);
    const hooks = this.#hooks[phase].toReversed();
    if (phase === "drain") {
      const results = await Promise.all(
        hooks.map(async (hook) => await this.#runHook(phase, hook, timeoutMs)),
      );
      return results.every(Boolean);
    }
    let inTime = true;
    for (const hook of hooks) inTime = (await this.#runHook(phase, hook, timeoutMs)) && inTime;
    return inTime;
  }

  /** V2. */
  async #runHook(phase: ShutdownPhase, { name, fn }: Hook, timeoutMs: number): Promise<boolean> {
    try {
      const ended = await within(timeoutMs, Promise.resolve().then(fn), "late");
      if (ended !== "late") return true;
      this.#log.warn({ phase, hook: name, timeoutMs }, "shutdown hook did not end in time");
      return false;
    } catch (error) {
      this.failed = true;
      this.#log.error({ phase, hook: name, err: error }, "shutdown hook failed");
      return true;
    }
  }
}
