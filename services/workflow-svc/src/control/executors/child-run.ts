/** Runs of other workflows (D21): created under an id that follows from the attempt, followed by the child's own last commit. */
import { AiepError, type RunId } from "@aiep/contracts";
import { backoffMs, type Logger, pause } from "@aiep/service-kit";
import type { ChildRunRequest } from "../../components/component.ts";
import type { AttemptOutcome, Fact } from "../../domain/engine/model.ts";
import type { RunFacts, RunRequest } from "../../store/run-store.ts";
import { childRunId } from "../execution-key.ts";
import {
  type Attempt,
  type AttemptRef,
  crashed,
  type Executor,
  ended,
  stopped,
  type Work,
} from "./executor.ts";
import { succeededWith } from "./outcomes.ts";

export interface ChildRun {
  readonly id: RunId;
  readonly parent: RunFacts;
  /** The parent's node. */
  readonly key: string;
  readonly request: ChildRunRequest;
}

/** How a child run is made; the same code as any run's start. */
export interface ChildRuns {
  /** Finds the run when it is there already. Throws AiepError when it is refused, or may succeed later. */
  start(child: ChildRun): Promise<void>;
  exists(id: RunId): Promise<boolean>;
}

export function childRunExecutor(children: ChildRuns, log: Logger): Executor<"child-run"> {
  return {
    begin: async (attempt, work) => {
      try {
        await startChild(children, attempt, work, log);
      } catch (error) {
        if (work.leave.aborted) return;
        log.error(
          { err: error, run_id: attempt.run.id, node: attempt.key },
          "a child run could not be started",
        );
        work.tell([crashed(attempt, error)]);
      }
    },
    stopping: ({ run, key, attempt }) => ({
      requests: [
        {
          runId: childRunId(run.id, key, attempt),
          request: { kind: "cancel", by: run.createdBy, reason: `Its parent run ${run.id} ended this node.` },
        },
      ],
    }),
  };
}

async function startChild(
  children: ChildRuns,
  attempt: Attempt<"child-run">,
  work: Work,
  log: Logger,
): Promise<void> {
  const { run: parent, key, attempt: number, input } = attempt;
  const id = childRunId(parent.id, key, number);
  for (let failures = 0; !work.leave.aborted; ) {
    if (work.stop.aborted && !(await children.exists(id))) return work.tell([stopped(attempt)]);
    try {
      await children.start({ id, parent, key, request: input.request });
      return work.tell([{ type: "started", key, attempt: number, childRunId: id }]);
    } catch (error) {
      if (!AiepError.is(error)) throw error;
      if (error.entry.retry !== "later") return work.tell([refused(attempt, error)]);
      failures += 1;
      log.warn({ err: error, run_id: parent.id, node: key, failures }, "child run not started; trying again");
      await pause(
        backoffMs(failures, { floorMs: 200, capMs: 30_000 }),
        AbortSignal.any([work.stop, work.leave]),
      );
    }
  }
}

function refused(attempt: AttemptRef, error: AiepError): Fact {
  const message = `The workflow could not be started: ${error.message}`;
  return ended(attempt, { kind: "failed", failure: "validation", reason: error.code, message });
}

/** What the end of a child means for its parent; nothing when it is an earlier attempt's. */
export function childFacts(
  attempt: AttemptRef,
  { runId: id, state, message, outputs }: Extract<RunRequest, { kind: "child_ended" }>,
): readonly Fact[] {
  if (childRunId(attempt.run.id, attempt.key, attempt.attempt) !== id) return [];
  return [ended(attempt, outcomeOfRun())];

  function outcomeOfRun(): AttemptOutcome {
    switch (state) {
      case "Succeeded":
        return succeededWith(outputs, null);
      case "Cancelled":
        return { kind: "cancelled", reason: "ChildRunCancelled", message: `Run ${id} was cancelled.` };
      case "TimedOut":
        return { kind: "failed", failure: "timeout", reason: "ChildRunTimedOut", message: told("timed out") };
      case "Failed":
        return { kind: "failed", failure: "user", reason: "ChildRunFailed", message: told("failed") };
      default: {
        const never: never = state;
        throw new TypeError(`unknown end of a run: ${String(never)}`);
      }
    }
  }
  function told(how: string): string {
    return `Run ${id} ${how}${message === null ? "." : `: ${message}`}`;
  }
}
