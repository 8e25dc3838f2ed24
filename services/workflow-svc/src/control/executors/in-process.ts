/** Work of this process: begun after its commit, begun again with the same execution key after a crash (X1). */
import { type Logger, within } from "@aiep/service-kit";
import type { InProcessComponent, Outcome } from "../../components/component.ts";
import { type Attempt, crashed, type Executor, ended, stopped, type Work } from "./executor.ts";
import { outcomeOf } from "./outcomes.ts";

/** How long work that was asked to end may take to do so before its end is told anyway. */
const GRACE_MS = 10_000;
const NEVER = new AbortController().signal;

export function inProcessExecutor(log: Logger): Executor<"in-process"> {
  return {
    begin: (attempt, work) => {
      const { component, context } = attempt.input;
      if (!component.instant) return runWithin(component, attempt, work, log);
      try {
        const outcome = component.execute(context, NEVER);
        if (outcome instanceof Promise) return settle(outcome, attempt, work, log);
        work.tell([ended(attempt, outcomeOf(outcome))]);
      } catch (error) {
        log.error({ err: error, run_id: attempt.run.id, node: attempt.key }, "a component broke");
        work.tell([crashed(attempt, error)]);
      }
    },
  };
}

async function runWithin(
  component: InProcessComponent,
  attempt: Attempt<"in-process">,
  work: Work,
  log: Logger,
): Promise<void> {
  const over = AbortSignal.any([work.stop, work.leave]);
  const running = (async () => await component.execute(attempt.input.context, over))();
  const forced = new Promise<"forced">((resolve) => {
    over.addEventListener(
      "abort",
      () =>
        void within(
          GRACE_MS,
          running.catch(() => {}),
          undefined,
        ).then(() => resolve("forced")),
      {
        once: true,
      },
    );
  });
  const first = await Promise.race([
    running.then(
      () => "ended" as const,
      () => "ended" as const,
    ),
    forced,
  ]);
  if (first === "ended") return await settle(running, attempt, work, log);
  running.catch(() => {}); // nobody waits for it any more
  if (!work.leave.aborted) work.tell([stopped(attempt)]);
}

async function settle(
  running: Promise<Outcome>,
  attempt: Attempt<"in-process">,
  work: Work,
  log: Logger,
): Promise<void> {
  try {
    const outcome = await running;
    if (!work.leave.aborted) work.tell([ended(attempt, outcomeOf(outcome))]);
  } catch (error) {
    if (work.leave.aborted) return;
    if (work.stop.aborted) return work.tell([stopped(attempt)]);
    log.error({ err: error, run_id: attempt.run.id, node: attempt.key }, "a component broke");
    work.tell([crashed(attempt, error)]);
  }
}
