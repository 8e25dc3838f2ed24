/**
 * Runs go when they are older than they are kept, and what was deleted is emptied and forgotten (`run-removal.ts`). One replica at
 * a time does it, for as long as it holds the lease; two for a moment do no harm, since a run is marked under its row's lock and
 * the rest changes nothing when done twice. In small batches, so that runs that live do not feel it.
 */
import { AiepError, type RunId } from "@aiep/contracts";
import { createLease, type Logger, pause, type SqlPool } from "@aiep/service-kit";
import type { RunRemoval } from "../store/run-removal.ts";

export interface RunRetentionDeps {
  readonly removal: RunRemoval;
  /** Null: for ever. */
  readonly keepMs: number | null;
  /** Events of deleted runs. */
  readonly historyMs: number;
  readonly clock: () => Date;
  readonly log: Pick<Logger, "info" | "warn">;
}

/** Read at once. */
const BATCH = 100;
/** By age, in one round: what an installation that set its days for the first time has more than this, goes round by round. */
const MOST_PER_ROUND = 2_000;

/** One round: what is too old is marked, what is marked is emptied, what was marked long ago is forgotten. */
export async function tidyRuns(deps: RunRetentionDeps, signal: AbortSignal): Promise<void> {
  const { removal, keepMs, historyMs, clock, log } = deps;
  const before = (ageMs: number) => new Date(clock().getTime() - ageMs);
  const deleted = keepMs === null ? 0 : await markExpired(deps, before(keepMs), signal);
  const emptied = await inBatches(async () => await removal.empty(BATCH, signal));
  const forgotten = await inBatches(async () => await removal.forget(before(historyMs), BATCH, signal));
  if (deleted + emptied + forgotten > 0)
    log.info({ deleted, emptied, forgotten }, "old and deleted runs tidied up");
}

async function markExpired(deps: RunRetentionDeps, before: Date, signal: AbortSignal): Promise<number> {
  let deleted = 0;
  for (let more = true; more && deleted < MOST_PER_ROUND; ) {
    const ids = await deps.removal.expired(before, BATCH);
    const earlier = deleted;
    for (const id of ids) {
      if (signal.aborted) return deleted;
      if (await marked(deps, id)) deleted += 1;
    }
    more = deleted > earlier; // children are seen once their parents went
  }
  return deleted;
}

/** One that cannot be deleted holds up no other (I12). */
async function marked({ removal, clock, log }: RunRetentionDeps, id: RunId): Promise<boolean> {
  try {
    return (await removal.mark(id, { by: null, now: clock() })).outcome === "deleted";
  } catch (err) {
    if (AiepError.is(err, "DEPENDENCY_UNAVAILABLE")) throw err;
    log.warn({ err, run_id: id }, "an old run could not be deleted; the others go on");
    return false;
  }
}

async function inBatches(one: () => Promise<number>): Promise<number> {
  let all = 0;
  for (let done = BATCH; done === BATCH; all += done) done = await one();
  return all;
}

const EVERY_MS = 60_000;
/** Nobody waits for it: a crash may rest this long. */
const LEASE_MS = 30_000;

/** Returns how to stop, which waits for the step under way. */
export function keepRunsTidy(
  deps: RunRetentionDeps & { readonly pool: SqlPool; readonly log: Logger; readonly leaseMs?: number },
): () => Promise<void> {
  const { pool, log, leaseMs = LEASE_MS } = deps;
  const stopping = new AbortController();
  const lease = createLease({ pool, log, name: "workflow-svc/retention", ttlMs: leaseMs });
  const term = async (): Promise<void> => {
    await using grant = await lease.acquire(stopping.signal);
    const signal = AbortSignal.any([stopping.signal, grant.lost]);
    while (!signal.aborted) {
      await tidyRuns(deps, signal);
      await pause(EVERY_MS, signal);
    }
  };
  const running = (async () => {
    while (!stopping.signal.aborted) {
      try {
        await term();
      } catch (err) {
        if (stopping.signal.aborted) return;
        log.warn({ err }, "old runs could not be tidied up; trying again");
        await pause(EVERY_MS, stopping.signal);
      }
    }
  })();
  return async () => {
    stopping.abort();
    await running;
  };
}
