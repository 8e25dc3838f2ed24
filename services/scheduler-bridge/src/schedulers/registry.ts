/** The schedulers this installation knows; whether each can be used is asked read-only. */
import { SCHEDULER_KINDS, type SchedulerKind } from "@aiep/contracts";
import type { Scheduler, SchedulerCheck } from "./scheduler.ts";

export interface SchedulerStatus {
  readonly kind: SchedulerKind;
  readonly configured: boolean;
  readonly checks: readonly SchedulerCheck[];
}

const CHECKS_TIMEOUT_MS = 10_000;

export class Schedulers {
  readonly #adapters: ReadonlyMap<SchedulerKind, Scheduler>;

  constructor(adapters: readonly Scheduler[]) {
    this.#adapters = new Map(adapters.map((each) => [each.kind, each]));
  }

  get(kind: SchedulerKind): Scheduler | undefined {
    return this.#adapters.get(kind);
  }

  async statuses(signal: AbortSignal): Promise<readonly SchedulerStatus[]> {
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(CHECKS_TIMEOUT_MS)]);
    return await Promise.all(
      SCHEDULER_KINDS.map(async (kind) => {
        const adapter = this.#adapters.get(kind);
        if (adapter === undefined) return { kind, configured: false, checks: [] };
        return { kind, configured: true, checks: await checksOf(adapter, bounded) };
      }),
    );
  }
}

async function checksOf(adapter: Scheduler, signal: AbortSignal): Promise<readonly SchedulerCheck[]> {
  try {
    return await adapter.checks(signal);
  } catch {
    const message = `${adapter.kind} could not be asked, or did not answer within ${CHECKS_TIMEOUT_MS / 1000} s.`;
    return [{ name: "reachable", ok: false, message }];
  }
}
