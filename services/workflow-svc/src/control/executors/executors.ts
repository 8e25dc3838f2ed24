/** The executor of each way to be executed, and one door to them all. */
import type { Execution } from "../../components/component.ts";
import type { StopReason } from "../../domain/engine/model.ts";
import type { StartInput } from "../engine-env.ts";
import type { AttemptRef, Executor, Part, Work } from "./executor.ts";

export type Executors = { readonly [E in Execution]: Executor<E> };

/** An attempt of any kind. */
export interface AnyAttempt extends AttemptRef {
  readonly input: StartInput;
}

const NOTHING: Part = {};

export function starting(executors: Executors, attempt: AnyAttempt): Part {
  return bound(executors, attempt).starting() ?? NOTHING;
}

export function begin(executors: Executors, attempt: AnyAttempt, work: Work): void | Promise<void> {
  return bound(executors, attempt).begin(work);
}

export function stopping(
  executors: Executors,
  execution: Execution,
  attempt: AttemptRef,
  why: StopReason,
): Part {
  return executors[execution].stopping?.(attempt, why) ?? NOTHING;
}

interface Bound {
  starting(): Part | undefined;
  begin(work: Work): void | Promise<void>;
}

/** The compiler ties an input to its executor branch by branch only. */
function bound(executors: Executors, { input, ...ref }: AnyAttempt): Bound {
  switch (input.execution) {
    case "task":
      return bind(executors.task, { ...ref, input });
    case "in-process":
      return bind(executors["in-process"], { ...ref, input });
    case "polled":
      return bind(executors.polled, { ...ref, input });
    case "timer":
      return bind(executors.timer, { ...ref, input });
    case "approval":
      return bind(executors.approval, { ...ref, input });
    case "child-run":
      return bind(executors["child-run"], { ...ref, input });
    default:
      return input satisfies never;
  }
}

function bind<E extends Execution>(
  executor: Executor<E>,
  attempt: Parameters<Executor<E>["begin"]>[0],
): Bound {
  return {
    starting: () => executor.starting?.(attempt),
    begin: (work) => executor.begin(attempt, work),
  };
}
