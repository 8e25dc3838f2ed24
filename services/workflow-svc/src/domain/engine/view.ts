/**
 * States as rows and events show them (contracts: `runNode`, `RunStatusData`), and a run read from them again. Each is the
 * other's inverse, which property tests hold it to.
 */
import type { RunNodeView, WorkflowNode, WorkflowNodeId } from "@aiep/contracts";
import type {
  EndedNodeState,
  Ms,
  NodeRecord,
  NodeState,
  RunColumns,
  RunGraph,
  RunPhase,
  RunSnapshot,
} from "./model.ts";
import { addChild, derive, emptyRun, type Run, type Slot } from "./run.ts";

const iso = (at: Ms | null): string | null => (at === null ? null : new Date(at).toISOString());
const ms = (at: string | null): Ms | null => (at === null ? null : Date.parse(at));

/** A node that nothing happened to yet: its row and its events are still to come. */
export function untouchedView({ id, name, kind }: WorkflowNode): RunNodeView {
  return {
    key: id,
    node_id: id,
    index: null,
    item: null,
    name,
    kind,
    state: "Waiting",
    reason: null,
    message: null,
    failure: null,
    attempt: 0,
    task_id: null,
    child_run_id: null,
    from_run_id: null,
    outputs: null,
    ready_at: null,
    started_at: null,
    finished_at: null,
    retry_at: null,
    stopping: null,
    deadline_at: null,
    on_deadline: null,
  };
}

/** The node as its row and its events show it. */
export function nodeView({ key, node, child, state }: NodeRecord): RunNodeView {
  const view: RunNodeView = {
    ...untouchedView(node.definition),
    key,
    index: child?.index ?? null,
    item: child?.item ?? null,
    state: state.state,
  };
  switch (state.state) {
    case "Waiting":
      return view;
    case "Ready":
      return { ...view, attempt: state.attempt, ready_at: iso(state.readyAt) };
    default:
      return { ...view, ...workView(state), ...ownView(state) };
  }
}

function workView(state: Exclude<NodeState, { state: "Waiting" | "Ready" }>): Partial<RunNodeView> {
  return {
    attempt: state.attempt,
    reason: state.reason,
    message: state.message,
    task_id: state.taskId,
    child_run_id: state.childRunId,
    ready_at: iso(state.readyAt),
    started_at: iso(state.startedAt),
  };
}

function ownView(state: Exclude<NodeState, { state: "Waiting" | "Ready" }>): Partial<RunNodeView> {
  switch (state.state) {
    case "Queued":
    case "Running":
      return { stopping: state.stopping };
    case "Suspended":
      return { deadline_at: iso(state.deadlineAt), on_deadline: state.onDeadline };
    case "UpForRetry":
      return { failure: state.failure, finished_at: iso(state.finishedAt), retry_at: iso(state.retryAt) };
    case "Succeeded":
    case "Cached":
      return { outputs: state.outputs, ...endView(state) };
    case "Failed":
      return { failure: state.failure, ...endView(state) };
    case "TimedOut":
      return { failure: "timeout", ...endView(state) };
    case "Cancelled":
      return { failure: "cancelled", ...endView(state) };
    case "Skipped":
    case "UpstreamFailed":
      return endView(state);
    default:
      return state satisfies never;
  }
}

const endView = (state: EndedNodeState): Partial<RunNodeView> => ({
  finished_at: iso(state.finishedAt),
  from_run_id: state.fromRunId,
});

/** The run's own columns. */
export function runColumns(phase: RunPhase): RunColumns {
  return {
    state: phase.state,
    reason: "reason" in phase ? phase.reason : null,
    message: "message" in phase ? phase.message : null,
    started_at: "startedAt" in phase ? iso(phase.startedAt) : null,
    finished_at: "finishedAt" in phase ? iso(phase.finishedAt) : null,
    deadline_at: "deadlineAt" in phase ? iso(phase.deadlineAt) : null,
    paused_at: "pausedAt" in phase ? iso(phase.pausedAt) : null,
  };
}

/** A run as it was when these rows were written. Questions about cache and slots are asked again by the next `advance`. */
export function rebuild(graph: RunGraph, { run: columns, nodes }: RunSnapshot): Run {
  const run = emptyRun(graph, phaseOf(columns));
  const byId = new Map<WorkflowNodeId, Slot>(run.slots.map((slot) => [slot.node.definition.id, slot]));
  const children: { readonly parent: Slot; readonly view: RunNodeView; readonly index: number }[] = [];
  for (const view of nodes) {
    const slot = byId.get(view.node_id);
    if (slot === undefined) throw new Error(`the row ${view.key} belongs to no node of the run`);
    if (view.index === null) slot.state = stateOf(view);
    else children.push({ parent: slot, view, index: view.index });
  }
  children.sort((a, b) => a.index - b.index);
  for (const { parent, view } of children) {
    const slot = addChild(run, parent, view.item);
    if (slot.key !== view.key)
      throw new Error(`${parent.key} has rows of later children, but not ${slot.key}`);
    slot.state = stateOf(view);
  }
  derive(run);
  return run;
}

function stateOf(view: RunNodeView): NodeState {
  const work = {
    attempt: view.attempt,
    readyAt: ms(view.ready_at),
    startedAt: ms(view.started_at),
    taskId: view.task_id,
    childRunId: view.child_run_id,
    reason: view.reason,
    message: view.message,
  };
  const ended = () => ({ ...work, finishedAt: at(view, "finished_at"), fromRunId: view.from_run_id });
  const { state } = view;
  switch (state) {
    case "Waiting":
      return { state };
    case "Ready":
      return { state, attempt: view.attempt, readyAt: at(view, "ready_at") };
    case "Queued":
      return { state, ...work, readyAt: at(view, "ready_at"), stopping: view.stopping };
    case "Running":
      return {
        state,
        ...work,
        readyAt: at(view, "ready_at"),
        startedAt: at(view, "started_at"),
        stopping: view.stopping,
      };
    case "Suspended":
      return {
        state,
        ...work,
        readyAt: at(view, "ready_at"),
        startedAt: at(view, "started_at"),
        deadlineAt: ms(view.deadline_at),
        onDeadline: view.on_deadline ?? "fail",
      };
    case "UpForRetry":
      return {
        state,
        ...work,
        failure: view.failure ?? "system",
        finishedAt: at(view, "finished_at"),
        retryAt: at(view, "retry_at"),
      };
    case "Succeeded":
    case "Cached":
      return { state, ...ended(), outputs: view.outputs ?? {} };
    case "Failed":
      return { state, ...ended(), failure: view.failure ?? "system" };
    case "TimedOut":
    case "Cancelled":
    case "Skipped":
    case "UpstreamFailed":
      return { state, ...ended() };
    default:
      return state satisfies never;
  }
}

function phaseOf(columns: RunColumns): RunPhase {
  const { state, reason, message } = columns;
  const startedAt = () => at(columns, "started_at");
  const deadlineAt = ms(columns.deadline_at);
  switch (state) {
    case "Created":
      return { state };
    case "Queued":
      return { state, reason, message };
    case "Running":
    case "Pausing":
      return { state, startedAt: startedAt(), deadlineAt };
    case "Paused":
      return { state, startedAt: startedAt(), deadlineAt, pausedAt: at(columns, "paused_at") };
    case "Cancelling": {
      const cause = reason === "run_timeout" ? "run_timeout" : "cancelled";
      return { state, startedAt: startedAt(), deadlineAt, reason: cause, message };
    }
    case "Succeeded":
    case "Failed":
    case "Cancelled":
    case "TimedOut":
      return {
        state,
        startedAt: ms(columns.started_at),
        finishedAt: at(columns, "finished_at"),
        reason,
        message,
      };
    default:
      return state satisfies never;
  }
}

/** A time that a row in this state always has. */
function at<Key extends string>(
  row: Readonly<Record<Key, string | null>> & { readonly state: string },
  key: Key,
): Ms {
  const value = row[key];
  if (value === null) throw new Error(`a row in state ${row.state} has no ${key}`);
  return Date.parse(value);
}
