/**
 * Events of the workflow context, stream WORKFLOW. Aggregates: an experiment, a run; versions are gap-free from 1 (D6).
 *
 * Every run event carries the run's whole status and those nodes that changed since the event before, so that the events
 * of a run alone rebuild its state (a node that was never named is Waiting). At most `NODES_PER_EVENT` nodes travel in one
 * event; a larger commit is several events.
 */
import * as z from "zod";
import { defineEvent, type EventDefinition } from "../events/define.ts";
import { experimentId, groupId, runId, taskId, timestamp } from "../ids.ts";
import { componentKind, workflowNodeId } from "./definition.ts";
import { failureClass, runMode, runNodeState, runState } from "./states.ts";

export const NODES_PER_EVENT = 100;

/**
 * `run_timeout` and `queue_timeout` are the node's own clocks, `run_deadline` and `finally_deadline` those of the run and of its
 * finally graph.
 */
const STOP_REASONS = [
  "cancelled",
  "run_timeout",
  "queue_timeout",
  "run_deadline",
  "finally_deadline",
] as const;
const DEADLINE_ACTIONS = ["fail", "skip", "approve"] as const;

/** `train`, and `train[3]` for a child of a for_each. */
export const runNodeKey = z.string().regex(/^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}(\[(0|[1-9][0-9]{0,4})\])?$/);

export const runNode = z.object({
  key: runNodeKey,
  node_id: workflowNodeId,
  /** Number of the child of a for_each. */
  index: z.int().min(0).nullable(),
  /** What that child works on. */
  item: z.json(),
  name: z.string(),
  kind: componentKind,
  state: runNodeState,
  /** Machine word. */
  reason: z.string().max(64).nullable(),
  /** A sentence that says what happened and what to do. */
  message: z.string().nullable(),
  failure: failureClass.nullable(),
  /** From 1; 0 before the first. */
  attempt: z.int().min(0),
  /** The container task of this attempt. */
  task_id: taskId.nullable(),
  /** The run of a sub-workflow node. */
  child_run_id: runId.nullable(),
  /** The run whose result this is: carried over by a rerun, or found in the cache. */
  from_run_id: runId.nullable(),
  /** Values the node left; present once it succeeded. */
  outputs: z.record(z.string(), z.json()).nullable(),
  ready_at: timestamp.nullable(),
  started_at: timestamp.nullable(),
  finished_at: timestamp.nullable(),
  /** UpForRetry: when the next attempt starts. */
  retry_at: timestamp.nullable(),
  /** Queued and Running: why the attempt is being ended. */
  stopping: z.enum(STOP_REASONS).nullable(),
  /** Suspended: when it ends by itself, and how. */
  deadline_at: timestamp.nullable(),
  on_deadline: z.enum(DEADLINE_ACTIONS).nullable(),
});
export type RunNodeView = z.infer<typeof runNode>;

export const RUN_ORIGINS = ["manual", "schedule", "trigger", "backfill", "sub_workflow", "rerun"] as const;
export const runOrigin = z.object({
  kind: z.enum(RUN_ORIGINS),
  /** The publication or trigger it came through. */
  publication_id: z.string().max(64).optional(),
  /** The scheduler's own number of the execution, or the id of the event. */
  external_id: z.string().max(256).optional(),
  parent_run_id: runId.optional(),
  /** The node of the parent that started it. */
  parent_node: runNodeKey.optional(),
});
export type RunOrigin = z.infer<typeof runOrigin>;

const identity = {
  run_id: runId,
  experiment_id: experimentId,
  group_id: groupId,
  experiment_name: z.string(),
  /** `v3`. */
  version_name: z.string(),
};

const status = z.object({
  ...identity,
  state: runState,
  reason: z.string().max(64).nullable(),
  message: z.string().nullable(),
  /** Nodes that changed with this event. */
  nodes: z.array(runNode).max(NODES_PER_EVENT),
  started_at: timestamp.nullable(),
  finished_at: timestamp.nullable(),
  /** When the run's time is over; once all other nodes ended, that of the finally graph. A pause shifts it. */
  deadline_at: timestamp.nullable(),
  /** Paused: since when. */
  paused_at: timestamp.nullable(),
});
export type RunStatusData = z.infer<typeof status>;

export const runCreated = defineEvent({
  context: "workflow",
  name: "run_created",
  version: 1,
  summary: "A run was accepted, its version and parameters frozen. It is kept whatever happens next (I1).",
  schema: z.object({
    ...status.shape,
    mode: runMode,
    /** The chosen nodes of the modes single, until and from_node. */
    selected: z.array(workflowNodeId),
    parameters: z.record(z.string(), z.json()),
    /** Business date, `yyyyMMdd`. */
    run_date: z.string().regex(/^\d{8}$/),
    origin: runOrigin,
    node_count: z.int().min(0),
    created_by: z.string(),
    command_id: z.string().optional(),
  }),
});

const statusEvent = <Name extends string>(name: Name, summary: string) =>
  defineEvent({ context: "workflow", name, version: 1, summary, schema: status });

export const runUpdated = statusEvent(
  "run_updated",
  "Nodes or the message changed; the run's state did not.",
);
export const runQueued = statusEvent("run_queued", "The run waits for others of its experiment.");
export const runRunning = statusEvent("run_running", "The run started or was resumed.");
export const runPausing = statusEvent("run_pausing", "Nothing new starts; running nodes go on.");
export const runPaused = statusEvent("run_paused", "No node runs; the run waits to be resumed.");
export const runCancelling = statusEvent("run_cancelling", "Running nodes are being ended.");
export const runSucceeded = statusEvent("run_succeeded", "Every node ended and none failed. Terminal.");
export const runFailed = statusEvent("run_failed", "Every node ended and at least one failed. Terminal.");
export const runCancelled = statusEvent("run_cancelled", "The run was cancelled. Terminal.");
export const runTimedOut = statusEvent("run_timed_out", "The run's time was over. Terminal.");

export const runDeleted = defineEvent({
  context: "workflow",
  name: "run_deleted",
  version: 1,
  summary:
    "A run that had ended was deleted: nobody finds it any more. Its container tasks live on by themselves.",
  schema: z.object({
    ...identity,
    /** Null: by nobody, it was older than runs are kept. */
    deleted_by: z.string().nullable(),
  }),
});

export const runRejected = defineEvent({
  context: "workflow",
  name: "run_rejected",
  version: 1,
  summary: "A command was refused; nothing was created. The aggregate is the command.",
  schema: z.object({
    command_id: z.string(),
    group_id: groupId,
    command: z.string(),
    code: z.string(),
    detail: z.string(),
    errors: z.array(z.object({ pointer: z.string(), code: z.string(), detail: z.string() })),
  }),
});

const experiment = z.object({
  experiment_id: experimentId,
  group_id: groupId,
  name: z.string(),
  /** Who did it. */
  by: z.string(),
});
const experimentEvent = <Name extends string>(name: Name, summary: string) =>
  defineEvent({ context: "workflow", name, version: 1, summary, schema: experiment });

export const experimentCreated = experimentEvent("experiment_created", "An experiment was created.");
export const experimentUpdated = experimentEvent(
  "experiment_updated",
  "Its draft or its description changed.",
);
export const experimentDeleted = experimentEvent("experiment_deleted", "It was deleted; its runs are kept.");
export const experimentVersionFrozen = defineEvent({
  context: "workflow",
  name: "experiment_version_frozen",
  version: 1,
  summary: "A numbered version was frozen; it never changes again.",
  schema: z.object({ ...experiment.shape, version_name: z.string(), description: z.string() }),
});

/** The event of each run state but Created. */
export const RUN_STATE_EVENTS = {
  Queued: runQueued,
  Running: runRunning,
  Pausing: runPausing,
  Paused: runPaused,
  Cancelling: runCancelling,
  Succeeded: runSucceeded,
  Failed: runFailed,
  Cancelled: runCancelled,
  TimedOut: runTimedOut,
} as const;

export const WORKFLOW_EVENTS = [
  runCreated,
  runUpdated,
  runQueued,
  runRunning,
  runPausing,
  runPaused,
  runCancelling,
  runSucceeded,
  runFailed,
  runCancelled,
  runTimedOut,
  runDeleted,
  runRejected,
  experimentCreated,
  experimentUpdated,
  experimentDeleted,
  experimentVersionFrozen,
] as const satisfies readonly EventDefinition[];
