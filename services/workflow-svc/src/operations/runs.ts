/** Runs as people see and steer them (D21): read, wait, pause, resume, cancel, delete. Nodes and decisions: run-nodes.ts. */
import { AiepError, type HistoryEntry, isTerminalRun, type ListRunsQuery, type RunId } from "@aiep/contracts";
import { type Principal, requireMatch, visibleGroups, watchChanges } from "@aiep/service-kit";
import type { ChangeContext, RunPage, RunRecord } from "../store/run-store.ts";
import { findRun, findRunToChange } from "./access.ts";
import type { OperationDeps } from "./deps.ts";

export async function listRuns(
  { runs }: OperationDeps,
  principal: Principal,
  query: ListRunsQuery,
): Promise<RunPage> {
  return await runs.list(query, visibleGroups(principal));
}

export interface WaitQuery {
  readonly seconds: number;
  /** Default: the version at arrival. */
  readonly afterVersion?: number | undefined;
  readonly until: "changed" | "terminal";
}

/** Long poll: the run as soon as it is past `afterVersion`, or has ended, or when time is up. */
export async function waitForRun(
  deps: OperationDeps,
  principal: Principal,
  written: string,
  { seconds, afterVersion, until }: WaitQuery,
  signal: AbortSignal,
): Promise<RunRecord> {
  const first = await findRun(deps, principal, written);
  if (seconds === 0) return first;
  const { id } = first.facts;
  const after = afterVersion ?? first.status.version;
  const isDone = ({ status }: RunRecord) =>
    isTerminalRun(status.state) || (until === "changed" && status.version > after);
  if (isDone(first)) return first;
  using watch = watchChanges(
    deps.changes,
    id,
    AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000)]),
  );
  for (;;) {
    // Watched before it is read, so that no change falls between.
    const run = await findRun(deps, principal, id);
    if (isDone(run) || !(await watch.changed())) return run;
  }
}

export async function runHistory(
  deps: OperationDeps,
  principal: Principal,
  written: string,
  { afterVersion, limit }: { readonly afterVersion: number; readonly limit: number },
): Promise<readonly HistoryEntry[]> {
  const { facts } = await findRun(deps, principal, written);
  return await deps.runs.history(facts.id, afterVersion, limit);
}

export async function pauseRun(
  deps: OperationDeps,
  principal: Principal,
  written: string,
): Promise<RunRecord> {
  return await steer(deps, principal, written, async (id) => await deps.control.pause(id, principal.user));
}

export async function resumeRun(
  deps: OperationDeps,
  principal: Principal,
  written: string,
): Promise<RunRecord> {
  return await steer(deps, principal, written, async (id) => await deps.control.resume(id, principal.user));
}

async function steer(
  deps: OperationDeps,
  principal: Principal,
  written: string,
  act: (id: RunId) => Promise<void>,
): Promise<RunRecord> {
  const run = await findRunToChange(deps, principal, written);
  if (isTerminalRun(run.status.state))
    throw new AiepError("RUN_ENDED", `Run ${run.facts.id} is ${run.status.state} already.`);
  await act(run.facts.id);
  return await findRun(deps, principal, run.facts.id);
}

/** Idempotent: a run that ended stays as it is. */
export async function cancelRun(
  deps: OperationDeps,
  principal: Principal,
  written: string,
  reason: string | undefined,
): Promise<RunRecord> {
  const run = await findRunToChange(deps, principal, written);
  if (isTerminalRun(run.status.state)) return run;
  await deps.control.cancel(run.facts.id, { by: principal.user, reason });
  return await findRun(deps, principal, run.facts.id);
}

/** A run that ended, and that no live run still reads. Afterwards it is RUN_NOT_FOUND. */
export async function deleteRun(
  deps: OperationDeps,
  principal: Principal,
  written: string,
  options: ChangeContext & { readonly ifMatch?: number | "any" | undefined },
): Promise<void> {
  const { ifMatch, ...context } = options;
  const { facts, status } = await findRunToChange(deps, principal, written);
  requireMatch(ifMatch, status.version);
  const marked = await deps.removal.mark(facts.id, { ...context, by: principal.user, now: deps.clock() });
  switch (marked.outcome) {
    case "deleted":
    case "gone":
      return;
    case "live":
      throw new AiepError(
        "RUN_NOT_ENDED",
        `Run ${facts.id} is ${status.state}; only a run that ended can be deleted.`,
      );
    case "needed":
      throw new AiepError(
        "RUN_NEEDED",
        `Run ${marked.by} has not ended and still needs run ${facts.id}, whose results it reads.`,
      );
    default:
      return marked satisfies never;
  }
}
