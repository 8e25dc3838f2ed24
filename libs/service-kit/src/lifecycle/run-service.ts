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
  /** Hooks of a phase run last registered first. Registering for a phase that has passed is an error. */
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
  /** Default 5 000. */
  readonly releaseTimeoutMs?: number;
}

/** Runs until SIGTERM, SIGINT or `scope.fail`; resolves with the exit code, which it also sets. A second signal forces. */
export function runService(_options: RunServiceOptions): Promise<number> {
  throw new Error("pending");
}
