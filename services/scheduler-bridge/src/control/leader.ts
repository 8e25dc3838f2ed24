/**
 * One replica at a time does what has no caller: planning fires, working publications off, watching waits. The lease only saves
 * work: two leaders for a moment do no harm, because every write is guarded by a unique key or a version.
 *
 * L1 A job that breaks is begun again after a while, and the others go on (I12). L2 Nothing in memory outlives a term: a job loads
 * what it needs when it begins.
 */
import { backoffMs, type Lease, type Logger, pause } from "@aiep/service-kit";

/** Runs until the signal aborts. */
export interface LeaderJob {
  readonly name: string;
  run(signal: AbortSignal): Promise<void>;
}

export interface LeaderDeps {
  readonly lease: Lease;
  readonly jobs: readonly LeaderJob[];
  readonly log: Logger;
}

export interface Leader {
  start(): void;
  /** Ends the jobs, waits for their steps under way, gives the lease up. */
  stop(): Promise<void>;
  readonly leads: boolean;
}

const BACKOFF = { floorMs: 200, capMs: 10_000 };

export function createLeader({ lease, jobs, log }: LeaderDeps): Leader {
  const stopping = new AbortController();
  let running: Promise<void> | undefined;
  let leads = false;

  const keepRunning = async (job: LeaderJob, signal: AbortSignal): Promise<void> => {
    for (let failures = 1; !signal.aborted; failures += 1) {
      try {
        await job.run(signal);
        return;
      } catch (err) {
        if (signal.aborted) return;
        log.error({ err, job: job.name, failures }, `${job.name} broke; beginning again`);
        await pause(backoffMs(failures, BACKOFF), signal);
      }
    }
  };

  const terms = async (): Promise<void> => {
    const { signal } = stopping;
    while (!signal.aborted) {
      try {
        await using grant = await lease.acquire(signal);
        const term = AbortSignal.any([signal, grant.lost]);
        leads = true;
        await Promise.all(jobs.map(async (job) => await keepRunning(job, term)));
      } catch (err) {
        if (!signal.aborted) log.error({ err }, "the leader's term broke; taking the lease again");
      } finally {
        leads = false;
      }
    }
  };

  return {
    start: () => {
      running ??= terms();
    },
    stop: async () => {
      stopping.abort();
      await running;
    },
    get leads() {
      return leads;
    },
  };
}
