/**
 * Waits that stopped (D27). A published flow that was killed over there says nothing: its wait no longer renews the lease. Whether
 * it was killed, only its scheduler knows; so that one is asked before a run is stopped (I9).
 *
 * W1 Our own absence never counts: the lease runs from the last wait or from when we could be reached again, whichever is later.
 * W2 Only a scheduler that says "it ended" or "I have no such execution" ends a run. One that says "it runs", or nothing, is asked
 *    again later, and the run goes on.
 * W3 Doubled by a second leader it does the same twice: the fire's version lets one cancel through.
 */
import { type Logger, pause } from "@aiep/service-kit";
import {
  type ExecutionState,
  type Scheduler,
  SchedulerError,
  type SchedulerKind,
} from "../schedulers/scheduler.ts";
import type { FireStore } from "../store/fire-store.ts";
import type { OverdueWait, WaitStore } from "../store/waits.ts";
import { cancelOnce } from "./cancel-fire.ts";

export interface LeaseWatchDeps {
  readonly fires: FireStore;
  readonly waits: WaitStore;
  readonly clock: () => Date;
  readonly scheduler: (kind: SchedulerKind) => Scheduler | undefined;
  readonly log: Logger;
  readonly leaseMs: number;
  /** Between two looks; default a sixth of the lease. */
  readonly everyMs?: number;
}

const AT_ONCE = 20;

/** Until the signal is aborted; to be run by one leader. */
export async function watchLeases(deps: LeaseWatchDeps, signal: AbortSignal): Promise<void> {
  const everyMs = deps.everyMs ?? deps.leaseMs / 6;
  while (!signal.aborted) {
    await look(deps, signal).catch((err: unknown) =>
      deps.log.warn({ err }, "waits could not be looked at; trying again"),
    );
    await pause(everyMs, signal);
  }
}

/** All that are due; each one that was asked about is not due again for a while. */
async function look(deps: LeaseWatchDeps, signal: AbortSignal): Promise<void> {
  for (let full = true; full && !signal.aborted; ) {
    const overdue = await deps.waits.overdue(deps.leaseMs, deps.leaseMs / 3, AT_ONCE);
    await Promise.all(overdue.map(async (wait) => await decide(deps, wait, signal)));
    full = overdue.length === AT_ONCE;
  }
}

async function decide(deps: LeaseWatchDeps, wait: OverdueWait, signal: AbortSignal): Promise<void> {
  const { waits, log, leaseMs } = deps;
  const state = await askFor(deps, wait, signal);
  await waits.checked(wait.fireId);
  const line = { fire: wait.fireId, execution: wait.externalId, state };
  if (state === "running" || state === undefined)
    return log.info(line, "a flow does not wait, and is not known to have ended"); // W2
  // It may have begun to wait again while its scheduler was asked.
  if (!(await waits.isOverdue(wait.fireId, leaseMs))) return;
  log.info(line, "a flow ended without waiting for its run: the run is cancelled");
  await cancelOnce(deps, wait.fireId, reasonOf(wait, state, leaseMs));
}

/** Undefined: nobody can say. */
async function askFor(
  { scheduler, log }: LeaseWatchDeps,
  { scheduler: kind, externalId, fireId }: OverdueWait,
  signal: AbortSignal,
): Promise<ExecutionState | undefined> {
  try {
    return await scheduler(kind)?.execution(executionOf(externalId), signal);
  } catch (error) {
    if (!(error instanceof SchedulerError)) throw error;
    log.warn({ err: error, fire: fireId }, "the scheduler cannot say how an execution stands");
    return undefined;
  }
}

/** `12345.0` is the first attempt of 12345. */
const executionOf = (externalId: string) => externalId.replace(/\.\d+$/, "");

function reasonOf({ externalId, scheduler }: OverdueWait, state: ExecutionState, leaseMs: number): string {
  const execution = executionOf(externalId);
  const there =
    state === "unknown"
      ? `${scheduler} knows no execution ${execution}`
      : `execution ${execution} ended there as ${state}`;
  return `The published flow has not asked for its run for ${Math.round(leaseMs / 1000)} seconds, and ${there}.`;
}
