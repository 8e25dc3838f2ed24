/** What is known of workflow runs after everything came to rest (I1–I7, I9): facts only, from every place that keeps some. */
import type { RunNodeState, RunState, TaskState } from "@aiep/contracts";

export interface RunFact {
  readonly id: string;
  /** The experiment's name: by it the truth is compared with what was asked for. */
  readonly key: string;
  readonly version: number;
  readonly state: RunState;
}

export interface RunNodeFact {
  readonly runId: string;
  readonly key: string;
  readonly state: RunNodeState;
  readonly attempt: number;
  readonly taskId: string | null;
}

export interface RunEventFact {
  readonly eventId: string;
  readonly runId: string;
  readonly version: number;
  readonly state: RunState;
  readonly nodes: readonly Pick<RunNodeFact, "key" | "state" | "attempt">[];
}

/** A container task of a run, from task-svc's table. */
export interface RunTaskFact {
  readonly id: string;
  readonly runId: string;
  readonly state: TaskState;
}

export interface ExpectedRun {
  /** `Cancelled` also when it may have ended before the cancellation came. */
  readonly end: "Succeeded" | "Failed" | "Cancelled";
  /** Node → its direct upstreams; every rule is all_success. */
  readonly graph: ReadonlyMap<string, readonly string[]>;
}

export interface WorkflowHistory {
  /** Runs that were answered with an id. */
  readonly accepted: readonly { readonly key: string; readonly runId: string }[];
  readonly expected: ReadonlyMap<string, ExpectedRun>;
  readonly runs: readonly RunFact[];
  readonly nodes: readonly RunNodeFact[];
  /** In the order of writing. */
  readonly outbox: readonly (RunEventFact & { readonly published: boolean })[];
  /** The WORKFLOW stream's events of runs, in its order. */
  readonly stream: readonly Pick<RunEventFact, "eventId" | "runId" | "version">[];
  readonly tasks: readonly RunTaskFact[];
  /** `<run id>.<node>`, once for each time its command began. */
  readonly executions: readonly string[];
}
