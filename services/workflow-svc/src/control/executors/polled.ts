/**
 * Work elsewhere that is asked for now and then. What `start` gave is kept in the node's row with the time of the next
 * question, so that a restart goes on where it was and nothing is held between the questions but a timer.
 */
import { type Limiter, type Logger, pause, within } from "@aiep/service-kit";
import * as z from "zod";
import type { Outcome, Waiting } from "../../components/component.ts";
import type { Json } from "../../domain/values/index.ts";
import {
  type Attempt,
  type AttemptRef,
  crashed,
  type Executor,
  ended,
  progress,
  stopped,
  type Work,
} from "./executor.ts";
import { outcomeOf } from "./outcomes.ts";

export interface PolledDeps {
  readonly log: Logger;
  readonly now: () => number;
  /** Questions at the same time, over all runs. */
  readonly limit: Limiter;
}

const memory = z.object({ handle: z.json(), check_at: z.number(), message: z.string() });
type Memory = z.infer<typeof memory>;

const CANCEL_MS = 10_000;
const LEAST_SECONDS = 0.05;

export function polledExecutor(deps: PolledDeps): Executor<"polled"> {
  return {
    begin: async (attempt, work) => {
      try {
        await follow(attempt, work, deps);
      } catch (error) {
        if (work.leave.aborted) return;
        deps.log.error({ err: error, run_id: attempt.run.id, node: attempt.key }, "a component broke");
        work.tell([crashed(attempt, error)]);
      }
    },
  };
}

async function follow(attempt: Attempt<"polled">, work: Work, deps: PolledDeps): Promise<void> {
  const { component, context } = attempt.input;
  const over = AbortSignal.any([work.stop, work.leave]);
  const known = memory.safeParse(work.remembered);
  let at: Memory | undefined = known.success ? known.data : undefined;
  if (at === undefined) {
    if (over.aborted) return finish(work, attempt);
    const answer = await deps.limit(async () => await component.start(context, over));
    at = told(answer, attempt, work, undefined, deps.now());
  }
  while (at !== undefined) {
    await pause(Math.max(0, at.check_at - deps.now()), over);
    if (work.leave.aborted) return;
    if (work.stop.aborted) return await cancel(attempt, work, at.handle);
    if (at.check_at > deps.now()) continue;
    const { handle } = at;
    const answer = await deps.limit(async () => await component.status(context, handle, over));
    if (work.stop.aborted && answer.kind === "waiting") continue;
    at = told(answer, attempt, work, at, deps.now());
  }
}

/** What to do next; undefined when it is over. */
function told(
  answer: Waiting | Outcome,
  attempt: AttemptRef,
  work: Work,
  before: Memory | undefined,
  now: number,
): Memory | undefined {
  if (work.leave.aborted) return undefined;
  if (answer.kind !== "waiting") {
    work.tell([ended(attempt, outcomeOf(answer))]);
    return undefined;
  }
  const { handle, message } = answer;
  const next = { handle, check_at: now + Math.max(LEAST_SECONDS, answer.checkAfterSeconds) * 1000, message };
  const { key, attempt: number } = attempt;
  const waits = progress(attempt, "Waiting", message);
  if (before === undefined) work.tell([{ type: "started", key, attempt: number }, waits], remembered(next));
  else if (before.message !== message || !sameJson(before.handle, handle))
    work.tell(before.message === message ? [] : [waits], remembered(next));
  return next;
}

const remembered = ({ handle, check_at, message }: Memory): Json => ({ handle, check_at, message });
const sameJson = (a: Json, b: Json): boolean => JSON.stringify(a) === JSON.stringify(b);

async function cancel(attempt: Attempt<"polled">, work: Work, handle: Json): Promise<void> {
  const { component, context } = attempt.input;
  const bound = AbortSignal.any([AbortSignal.timeout(CANCEL_MS), work.leave]);
  const cancelling = component.cancel(context, handle, bound).catch(() => undefined);
  await within(CANCEL_MS, cancelling, undefined);
  finish(work, attempt);
}

function finish(work: Work, attempt: AttemptRef): void {
  if (!work.leave.aborted) work.tell([stopped(attempt)]);
}
