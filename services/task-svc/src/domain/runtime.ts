/**
 * The seam between task-svc and what runs its tasks (D14). A runtime launches, stops and observes; it holds no task
 * state of its own and never decides whether a task succeeded: that is life-cycle.ts, from what is observed.
 *
 * R1 Names are deterministic per (task, attempt): `launch` called again finds the workload it made before and starts
 *    nothing (I2, I3). A crash between "created there" and "saved here" is therefore harmless.
 * R2 Level-triggered: `observe` tells the whole truth about one workload at any time; the sink only makes it sooner.
 * R3 After `stop` no node of the workload is started any more, also by a `launch` still under way (I9).
 * R4 A workload survives the runtime's process: after a restart `start` adopts what it finds and reports it.
 */
import type {
  GroupId,
  NodeName,
  NodeRole,
  NodeState,
  TaskId,
  TaskOutputs,
  TaskReason,
  TaskSpec,
} from "@aiep/contracts";

/** One launch of one task. */
export interface WorkloadRef {
  readonly taskId: TaskId;
  /** From 1. */
  readonly attempt: number;
}

export interface Workload extends WorkloadRef {
  readonly groupId: GroupId;
  readonly taskName: string;
  readonly createdBy: string;
  readonly spec: TaskSpec;
  /** The user's own. */
  readonly labels: Readonly<Record<string, string>>;
  /** W3C trace context of the submission; becomes TRACEPARENT in the task's environment. */
  readonly traceparent: string | undefined;
}

export interface NodeObservation {
  readonly name: NodeName;
  readonly role: NodeRole;
  readonly index: number;
  readonly state: NodeState;
  /** 0–255; null while the command has not ended, or when nobody can know. */
  readonly exitCode: number | null;
  readonly reason: TaskReason | null;
  /** A sentence that says what to do; null when the state says it all. */
  readonly message: string | null;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
}

export type Observation =
  /** All nodes of the workload, as they are now. `waiting` says why nodes that are Pending are (I11). */
  | {
      readonly kind: "present";
      readonly ref: WorkloadRef;
      readonly nodes: readonly NodeObservation[];
      readonly waiting: { readonly reason: TaskReason; readonly message: string } | null;
      /** What worker-0 left for other tasks; from the moment it is Succeeded, when the spec asks for it. */
      readonly outputs?: TaskOutputs | null;
    }
  /** The runtime has no workload of this (task, attempt): never launched, or removed. */
  | { readonly kind: "absent"; readonly ref: WorkloadRef };

export type ObservationSink = (observation: Observation) => void;

/** One line of `doctor` and of readiness. */
export interface RuntimeCheck {
  readonly name: string;
  readonly status: "pass" | "warn" | "fail";
  readonly message: string;
  /** The one namespace it is about. */
  readonly namespace?: string;
}

export interface Runtime {
  readonly kind: "local" | "kubernetes";
  /** Adopts what an earlier process left (R4) and from then on reports every change to the sink. */
  start(sink: ObservationSink): Promise<void>;
  /**
   * Creates the workload, or finds it (R1). Resolves when the runtime has taken responsibility, not when nodes run.
   * Throws `AiepError` LAUNCH_REFUSED (never retry) or RUNTIME_UNAVAILABLE (retry).
   */
  launch(workload: Workload): Promise<void>;
  observe(ref: WorkloadRef): Promise<Observation>;
  /** Ends all nodes: politely, after `graceSeconds` by force. Idempotent; the end arrives as observations. */
  stop(ref: WorkloadRef, options: { readonly graceSeconds: number }): Promise<void>;
  /** Frees what a terminal workload holds (working folders, objects), never its logs. Ends nodes that still run. Idempotent. */
  remove(ref: WorkloadRef): Promise<void>;
  /** Every workload the runtime knows, for finding orphans (I10). */
  list(): Promise<readonly WorkloadRef[]>;
  checks(): Promise<readonly RuntimeCheck[]>;
  /** Stops watching. Workloads go on running (R4). */
  close(): Promise<void>;
}
