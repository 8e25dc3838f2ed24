/**
 * The engine's words (D21): what a run and its nodes are, what may happen to them (facts) and what is to be done about it
 * (decisions). The pure core is `advance(run, facts, now, env)`; it knows no I/O, clock, randomness or NATS.
 *
 * Owns: states of one run. Never does: persistence, leases, pools across runs, resolving templates, which belong to the
 * shell (`control/`) and to `domain/values`.
 *
 * How the shell works with it:
 * 1. `buildRunGraph(input)` once a run, then `newRun(graph)`, or `rebuild(graph, snapshot)` from rows.
 * 2. `advance(run, facts, now, env)` changes `run` in place and says which rows changed and what to do. The shell commits
 *    changed rows, run row, events and command rows in one transaction, then acts on the decisions. A run whose commit
 *    failed is thrown away and rebuilt from its rows; facts are kept and given again.
 * 3. It calls again when facts arrive or `wakeAt` is reached (with no facts: deadlines and retries that are due).
 * 4. After a rebuild `outstanding(run)` says again what was asked and not yet answered; `Queued` and `Running` rows are
 *    the shell's to recover with their executors.
 *
 * Every deadline follows from rows, so nothing but rows is to be stored: queue timeout = `readyAt` + setting, run timeout of
 * an attempt = `startedAt` + setting, retry = `retryAt`, approval, run and finally = `deadlineAt`.
 */
import type {
  FailureClass,
  RunId,
  RunNodeView,
  RunStatusData,
  TaskId,
  TerminalRunState,
  WorkflowNode,
  WorkflowNodeId,
} from "@aiep/contracts";
import type { NodeScope } from "../values/index.ts";

/** Milliseconds since the epoch. */
export type Ms = number;
/** `train`, and `train[3]` for a child of a for_each. */
export type NodeKey = string;
export type Outputs = NonNullable<RunNodeView["outputs"]>;
export type Json = Outputs[string];

/* ---------------------------------------------------------------- graph */

/** What the engine must know of a node kind. */
export interface NodeTraits {
  /**
   * State that a start gives: `Running` for work in process and timers (the commit precedes the work), `Queued` for work of
   * others (tasks, polled services, child runs) until a fact `started`, `Suspended` for approvals.
   */
  readonly startsAs: "Running" | "Queued" | "Suspended";
  /** Its condition names `item` or `index`: asked per child of a for_each, else once for the node. */
  readonly conditionPerItem: boolean;
}

export interface GraphNode {
  /** Place in `RunGraph.nodes`. */
  readonly at: number;
  readonly definition: WorkflowNode;
  readonly traits: NodeTraits;
  /** Belongs to the finally graph. */
  readonly final: boolean;
  /** Longest path from a root. */
  readonly depth: number;
  /** Place in the order (priority, depth, name) in which nodes leave Ready. */
  readonly rank: number;
  /** Distinct direct upstreams and downstreams, as places. */
  readonly upstreams: readonly number[];
  readonly downstreams: readonly number[];
  /** Runs whatever its rule, condition and `enabled` say (mode single). */
  readonly forced: boolean;
  /** Result taken over from the base run of a rerun. */
  readonly carried: BaseNode | null;
}

/** The immutable graph of one run: only nodes that belong to it. Main nodes first, then those of `finally`. */
export interface RunGraph {
  readonly nodes: readonly GraphNode[];
  readonly mainCount: number;
  readonly onFailure: "continue" | "fail_fast";
  readonly parallelism: number;
  readonly runTimeoutMs: Ms | null;
  readonly finallyTimeoutMs: Ms;
  readonly baseRunId: RunId | null;
  /** Results of nodes that are not part of the run and may be read (mode single). */
  readonly readable: ReadonlyMap<WorkflowNodeId, BaseNode>;
}

/** How a node ended in the base run of a rerun. */
export type BaseNode = Pick<
  RunNodeView,
  "state" | "reason" | "outputs" | "task_id" | "child_run_id" | "started_at" | "finished_at"
>;

/** How an approval ends by itself. */
export interface ApprovalTerms {
  readonly deadlineAt: Ms | null;
  readonly onDeadline: NonNullable<RunNodeView["on_deadline"]>;
}

/* ---------------------------------------------------------------- states */

/**
 * Why an attempt is being ended. `run_timeout` and `queue_timeout` are the node's own clocks and may be retried;
 * the others end it as Cancelled. Whatever the executor reports afterwards, the stop wins (I9).
 */
export type StopReason = NonNullable<RunNodeView["stopping"]>;

interface Work {
  /** From 1, counted when the node becomes Ready; 0 before. */
  readonly attempt: number;
  readonly readyAt: Ms | null;
  readonly startedAt: Ms | null;
  readonly taskId: TaskId | null;
  readonly childRunId: RunId | null;
}
interface Told {
  /** Machine word. */
  readonly reason: string | null;
  readonly message: string | null;
}
interface Active extends Work, Told {
  readonly readyAt: Ms;
  readonly stopping: StopReason | null;
}
interface Ended extends Work, Told {
  readonly finishedAt: Ms;
  /** The run whose result this is: carried over, or found in the cache. */
  readonly fromRunId: RunId | null;
}

export type OpenNodeState =
  | { readonly state: "Waiting" }
  | { readonly state: "Ready"; readonly attempt: number; readonly readyAt: Ms }
  | ({ readonly state: "Queued" } & Active)
  /** Of a for_each node: its children are at work. */
  | ({ readonly state: "Running"; readonly startedAt: Ms } & Active)
  | ({ readonly state: "Suspended"; readonly readyAt: Ms; readonly startedAt: Ms } & Work &
      Told &
      ApprovalTerms)
  /** `finishedAt`: end of the attempt that failed. */
  | ({
      readonly state: "UpForRetry";
      readonly failure: FailureClass;
      readonly finishedAt: Ms;
      readonly retryAt: Ms;
    } & Work &
      Told);
export type EndedNodeState =
  | ({ readonly state: "Succeeded"; readonly outputs: Outputs } & Ended)
  | ({ readonly state: "Cached"; readonly outputs: Outputs } & Ended)
  | ({ readonly state: "Failed"; readonly failure: FailureClass } & Ended)
  | ({ readonly state: "TimedOut" } & Ended)
  | ({ readonly state: "Cancelled" } & Ended)
  | ({ readonly state: "Skipped" } & Ended)
  | ({ readonly state: "UpstreamFailed" } & Ended);
export type NodeState = OpenNodeState | EndedNodeState;

/** `deadlineAt`: when the run's time is over, once all other nodes ended that of `finally`. A pause shifts it. */
export type RunPhase =
  | { readonly state: "Created" }
  | ({ readonly state: "Queued" } & Told)
  | { readonly state: "Running" | "Pausing"; readonly startedAt: Ms; readonly deadlineAt: Ms | null }
  | {
      readonly state: "Paused";
      readonly startedAt: Ms;
      readonly deadlineAt: Ms | null;
      readonly pausedAt: Ms;
    }
  | {
      readonly state: "Cancelling";
      readonly startedAt: Ms;
      readonly deadlineAt: Ms | null;
      readonly reason: "cancelled" | "run_timeout";
      readonly message: string | null;
    }
  | ({ readonly state: TerminalRunState; readonly startedAt: Ms | null; readonly finishedAt: Ms } & Told);

/** A node or a child of a for_each with its state: one row. */
export interface NodeRecord {
  readonly key: NodeKey;
  readonly node: GraphNode;
  /** Of a child of a for_each. */
  readonly child: { readonly index: number; readonly item: Json } | null;
  readonly state: NodeState;
}

/* ---------------------------------------------------------------- facts */

/** How an attempt ended, in its executor's words. */
export type AttemptOutcome =
  | { readonly kind: "succeeded"; readonly outputs: Outputs; readonly message?: string }
  | {
      readonly kind: "failed";
      readonly failure: "user" | "system" | "timeout" | "validation";
      readonly reason: string;
      readonly message: string;
    }
  /** Ended by somebody outside, for instance a task stopped by its owner. */
  | { readonly kind: "cancelled"; readonly reason: string; readonly message: string };

/** What happened. A fact about an attempt that is not the current one, or has ended, is dropped and counted. */
export type Fact =
  /** Of a new run: it waits for others of its experiment. */
  | { readonly type: "queue"; readonly reason: string; readonly message: string }
  /** The run starts. */
  | { readonly type: "begin" }
  | { readonly type: "pause" }
  | { readonly type: "resume" }
  | { readonly type: "cancel"; readonly message: string | null }
  /** The executor knows the attempt; it is not at work yet. */
  | ({ readonly type: "accepted" } & OfAttempt & Partial<ExecutorIds>)
  /** The attempt is at work. */
  | ({ readonly type: "started" } & OfAttempt & Partial<ExecutorIds>)
  /** Why it waits, or what it does. */
  | ({ readonly type: "progress" } & OfAttempt & Told)
  | ({ readonly type: "ended"; readonly outcome: AttemptOutcome } & OfAttempt)
  /** Answer to `check_cache`; null: no hit. */
  | ({
      readonly type: "cache_checked";
      readonly hit: { readonly outputs: Outputs; readonly fromRunId: RunId } | null;
    } & OfAttempt)
  /** Answer to `want_slots`; given again for slots that are already held it has no effect. */
  | ({ readonly type: "slots_granted" } & OfAttempt)
  | {
      readonly type: "approved";
      readonly key: NodeKey;
      readonly outputs: Outputs;
      readonly message: string | null;
    }
  | { readonly type: "rejected"; readonly key: NodeKey; readonly message: string };

interface OfAttempt {
  readonly key: NodeKey;
  readonly attempt: number;
}
interface ExecutorIds {
  readonly taskId: TaskId;
  readonly childRunId: RunId;
}

export type DropReason = "unknown_node" | "stale_attempt" | "not_expected" | "run_ended";

/* ---------------------------------------------------------------- decisions */

/** What the shell does after, or (commands, attempts) in, the commit. `Input` is what `env.prepare` gave. */
export type Decision<Input> =
  /** Execute the attempt. The node is already Queued, Running or Suspended in `changed`. */
  | ({ readonly type: "start"; readonly record: NodeRecord; readonly input: Input } & OfAttempt)
  /** End the attempt: grace, then kill. Idempotent. The attempt goes on until a fact `ended`. */
  | ({ readonly type: "stop"; readonly why: StopReason; readonly record: NodeRecord } & OfAttempt)
  /** Answer with `cache_checked`. */
  | ({ readonly type: "check_cache"; readonly record: NodeRecord; readonly input: Input } & OfAttempt)
  /** Answer with `slots_granted` when all slots are free. A second wish of the same node replaces the first. */
  | ({
      readonly type: "want_slots";
      readonly pool: string;
      readonly slots: number;
      readonly priority: number;
    } & OfAttempt)
  /** Slots, or the wish for them, are given back: the attempt ended, or the run pauses before it started. */
  | { readonly type: "release_slots"; readonly key: NodeKey; readonly pool: string }
  /** This attempt is over and another follows: `record` shows it as it ended (UpForRetry). The last one stands in the node. */
  | ({ readonly type: "attempt_over"; readonly record: NodeRecord } & OfAttempt);

/** What one call of `advance` did. */
export interface Advance<Input> {
  /** Every row that changed, once, with its last state; new children included. */
  readonly changed: readonly NodeRecord[];
  /** Phases that the run went through, in order; the last is `run.phase`. */
  readonly phases: readonly RunPhase[];
  readonly decisions: readonly Decision<Input>[];
  readonly dropped: readonly { readonly fact: Fact; readonly why: DropReason }[];
  /** When to call again without facts. */
  readonly wakeAt: Ms | null;
}

/* ---------------------------------------------------------------- environment */

/** What a condition, a list or a manifest may read. */
export interface Scope {
  /** Declared defaults are filled in where a node ended without outputs. */
  readonly node: (id: WorkflowNodeId) => NodeScope | undefined;
  /** Of a child of a for_each. */
  readonly iteration?: { readonly item: Json; readonly index: number };
}

export interface Prepared<Input> {
  readonly input: Input;
  /** Of a node that starts as Suspended. */
  readonly approval?: ApprovalTerms;
}

export type Evaluated<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: string; readonly message: string };

/** Pure functions of the workflow's version and the run's parameters, and dice. */
export interface EngineEnv<Input> {
  condition(node: GraphNode, scope: Scope): Evaluated<boolean>;
  /** Items of a for_each; the engine checks the cap. */
  items(node: GraphNode, scope: Scope): Evaluated<readonly Json[]>;
  /** Manifest with its values, ready for the executor; what fails here fails the node as `validation`. */
  prepare(record: NodeRecord, attempt: number, scope: Scope, now: Ms): Evaluated<Prepared<Input>>;
  /** In [0, 1), the jitter of a backoff. */
  dice(key: NodeKey, attempt: number): number;
}

/* ---------------------------------------------------------------- rows */

/** What the engine knows of a run beside its nodes: columns of its row, fields of its events. */
export type RunColumns = Pick<
  RunStatusData,
  "state" | "reason" | "message" | "started_at" | "finished_at" | "deadline_at" | "paused_at"
>;

/** A run in rows: a node's row is what its events say of it (`nodeView`). A node without a row is Waiting. */
export interface RunSnapshot {
  readonly run: RunColumns;
  readonly nodes: Iterable<RunNodeView>;
}
