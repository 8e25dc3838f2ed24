/** What is known of a rig after everything came to rest: facts only, from every place that keeps some (I1–I10). */
import type { NodeState, TaskState } from "@aiep/contracts";

export interface AcceptedSubmit {
  readonly key: string;
  readonly taskId: string;
}

/** A row of task-svc's table. */
export interface TaskFact {
  readonly id: string;
  /** The task's name, which is its Idempotency-Key. */
  readonly key: string;
  readonly version: number;
  readonly state: TaskState;
  readonly reason: string;
  readonly message: string;
  readonly nodeStates: readonly NodeState[];
  readonly stopRequested: boolean;
}

export interface EventFact {
  readonly eventId: string;
  readonly taskId: string;
  readonly version: number;
  readonly state: TaskState;
}

export interface OutboxFact extends EventFact {
  readonly published: boolean;
}

export interface ProjectionFact {
  readonly taskId: string;
  readonly state: TaskState;
  /** Last version applied. */
  readonly version: number;
}

/** A command really begun: the line it wrote into its storage. */
export interface ExecutionFact {
  readonly key: string;
  readonly node: string;
  readonly pid: string;
}

export interface LogFact {
  readonly taskId: string;
  readonly node: string;
  /** Of the user's own lines; a gap is `undefined`. */
  readonly texts: readonly (string | undefined)[];
}

export interface Expectation {
  /** Numbered lines `line 0` … of each node, when the task ran to its own end; undefined: nobody looks at its log. */
  readonly lines: number | undefined;
  /** The end that the task comes to when nobody stops it. */
  readonly end: "Succeeded" | "Failed";
}

export interface History {
  readonly accepted: readonly AcceptedSubmit[];
  readonly expected: ReadonlyMap<string, Expectation>;
  readonly tasks: readonly TaskFact[];
  /** In the order of writing. */
  readonly outbox: readonly OutboxFact[];
  /** The TASK stream, in its order. */
  readonly stream: readonly EventFact[];
  readonly projection: readonly ProjectionFact[];
  readonly executions: readonly ExecutionFact[];
  readonly logs: readonly LogFact[];
  /** Processes, work folders and temporary files that nobody needs any more. */
  readonly leftovers: readonly string[];
}

export type PromiseId = "I1" | "I2" | "I3" | "I4" | "I5" | "I6" | "I8" | "I9" | "I10";

export interface Violation {
  readonly promise: PromiseId;
  readonly what: string;
}
