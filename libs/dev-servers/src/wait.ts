import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { WaitTimeoutError } from "./errors.ts";

export interface WaitOptions {
  /** Default 60 000: a bound for what hangs, not for what is slow. */
  readonly timeoutMs?: number;
  /** Pause between probes; default 20. */
  readonly intervalMs?: number;
  readonly signal?: AbortSignal;
}

type Falsy = undefined | null | false | 0 | "";

/**
 * Probes until the answer is truthy, and returns it. A probe that throws counts as "not yet". The name goes into the
 * timeout's message together with the last answer, so that a failed test says what was awaited and what was there instead.
 */
export async function waitFor<T>(
  name: string,
  probe: () => T | Promise<T>,
  options: WaitOptions = {},
): Promise<Exclude<Awaited<T>, Falsy>> {
  const { timeoutMs = 60_000, intervalMs = 20, signal } = options;
  const deadline = performance.now() + timeoutMs;
  let last = "nothing: no probe has returned";
  let cause: unknown;
  for (;;) {
    signal?.throwIfAborted();
    try {
      const answer = await withinDeadline(probe, deadline);
      if (answer) return answer as Exclude<Awaited<T>, Falsy>; // truthy: the falsy members are gone
      last = inspect(answer, { depth: 4, breakLength: 120 });
      cause = undefined;
    } catch (error) {
      if (error !== hung) {
        last = `error ${error instanceof Error ? error.message : inspect(error)}`;
        cause = error;
      }
    }
    if (performance.now() >= deadline) throw new WaitTimeoutError(name, timeoutMs, last, { cause });
    await sleep(intervalMs, undefined, signal === undefined ? {} : { signal });
  }
}

const hung = Symbol("the probe did not answer before the deadline");

/** A probe that never settles must not hold the wait for ever. */
async function withinDeadline<T>(probe: () => T | Promise<T>, deadline: number): Promise<Awaited<T>> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(hung), Math.max(1, deadline - performance.now()));
  });
  try {
    return await Promise.race([probe(), timeout]);
  } finally {
    clearTimeout(timer);
  }
}
