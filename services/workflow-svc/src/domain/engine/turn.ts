/**
 * One call of `advance`: what it works on and what it will answer. Every change of a node or of the run goes through
 * `transition` and `setPhase`, so that counters, alarms and the answer cannot miss one.
 *
 * Invariants: I4 a node that ended stays as it is; I9 an attempt that is being ended ends as its stop says.
 */
import type {
  Decision,
  DropReason,
  EndedNodeState,
  EngineEnv,
  Fact,
  Ms,
  NodeState,
  RunPhase,
  Scope,
  StopReason,
} from "./model.ts";
import { endingOf } from "./rules.ts";
import { arm, countEnding, enqueue, passOn, type Run, recordOf, recount, type Slot } from "./run.ts";

export interface Turn<Input> {
  readonly run: Run;
  readonly env: EngineEnv<Input>;
  readonly now: Ms;
  readonly changed: Set<Slot>;
  /** Slots that ended and whose downstreams have not been looked at; worked off by `settle`, never by recursion. */
  readonly ended: Slot[];
  readonly phases: RunPhase[];
  readonly decisions: Decision<Input>[];
  readonly dropped: { readonly fact: Fact; readonly why: DropReason }[];
}

export function setPhase<Input>(turn: Turn<Input>, phase: RunPhase): void {
  turn.run.phase = phase;
  turn.phases.push(phase);
}

export function transition<Input>(turn: Turn<Input>, slot: Slot, next: NodeState): void {
  const { run } = turn;
  if (endingOf(slot.node, slot.state) !== undefined) {
    throw new Error(`${slot.key} ended as ${slot.state.state} and cannot become ${next.state}`);
  }
  const wasReady = slot.state.state === "Ready";
  slot.state = next;
  if (next.state !== "Ready") slot.asked = false;
  turn.changed.add(slot);
  arm(run, slot);
  if (endingOf(slot.node, next) !== undefined) {
    releaseSlots(turn, slot);
    countEnding(run, slot);
    turn.ended.push(slot);
  }
  recount(run, slot);
  if (next.state === "Ready" && !wasReady) enqueue(run, slot);
  if (wasReady && next.state !== "Ready" && !slot.counted.busy) passOn(run, slot);
}

/** The node's next attempt may start as soon as there is room. */
export function becomeReady<Input>(turn: Turn<Input>, slot: Slot): void {
  transition(turn, slot, { state: "Ready", attempt: workOf(slot.state).attempt + 1, readyAt: turn.now });
}

type Result =
  | Pick<Extract<EndedNodeState, { state: "Succeeded" }>, "state" | "outputs">
  | Pick<Extract<EndedNodeState, { state: "Failed" }>, "state" | "failure">
  | { readonly state: "TimedOut" | "Cancelled" | "Skipped" | "UpstreamFailed" };

/** The node's last change. */
export function end<Input>(
  turn: Turn<Input>,
  slot: Slot,
  result: Result,
  reason: string | null,
  message: string | null,
): void {
  const common = { ...workOf(slot.state), reason, message, finishedAt: turn.now, fromRunId: null };
  transition(turn, slot, { ...common, ...result });
}

/** What is known of the attempt, whatever the state. */
export function workOf(
  state: NodeState,
): Pick<EndedNodeState, "attempt" | "readyAt" | "startedAt" | "taskId" | "childRunId"> {
  switch (state.state) {
    case "Waiting":
      return { attempt: 0, readyAt: null, startedAt: null, taskId: null, childRunId: null };
    case "Ready":
      return {
        attempt: state.attempt,
        readyAt: state.readyAt,
        startedAt: null,
        taskId: null,
        childRunId: null,
      };
    default: {
      const { attempt, readyAt, startedAt, taskId, childRunId } = state;
      return { attempt, readyAt, startedAt, taskId, childRunId };
    }
  }
}

/** Gives back the slots, or the wish for them. Also when a rebuilt run no longer knows of a wish: it is idempotent. */
export function releaseSlots<Input>(turn: Turn<Input>, slot: Slot): void {
  const { pool } = slot.node.definition;
  if (pool === undefined || slot.family !== null || workOf(slot.state).attempt === 0) return;
  slot.pool = "none";
  turn.decisions.push({ type: "release_slots", key: slot.key, pool: pool.name });
}

/** Asks for the end of an attempt. The node goes on until its executor says that it ended. */
export function stop<Input>(turn: Turn<Input>, slot: Slot, why: StopReason): void {
  const { state } = slot;
  if (state.state !== "Queued" && state.state !== "Running") return;
  const known = state.stopping;
  if (known !== null && !isOwnClock(known)) return;
  transition(turn, slot, { ...state, stopping: why });
  if (known !== null) return;
  turn.decisions.push({
    type: "stop",
    key: slot.key,
    attempt: state.attempt,
    why,
    record: recordOf(slot),
  });
}

/** The node's own time was over: the attempt failed of it, another may follow. */
export function isOwnClock(why: StopReason): why is "run_timeout" | "queue_timeout" {
  return why === "run_timeout" || why === "queue_timeout";
}

/**
 * Cancels, of the finally graph or of all other nodes, what is not at work, and stops what is (`stopping`), or lets it
 * finish.
 */
export function sweep<Input>(
  turn: Turn<Input>,
  which: { readonly final: boolean },
  why: { readonly stopping: StopReason | null; readonly reason: string; readonly message: string },
): void {
  for (const parent of turn.run.slots) {
    if (parent.node.final !== which.final) continue;
    for (const slot of [...(parent.family?.children ?? []), parent]) {
      switch (slot.state.state) {
        case "Waiting":
        case "Ready":
        case "UpForRetry":
        case "Suspended":
          end(turn, slot, { state: "Cancelled" }, why.reason, why.message);
          break;
        case "Queued":
        case "Running":
          if (slot.family === null && why.stopping !== null) stop(turn, slot, why.stopping);
          break;
        default:
          break;
      }
    }
  }
}

/** What the expressions and the manifest of the slot may read. */
export function scopeOf(run: Run, slot: Slot): Scope {
  const node: Scope["node"] = (id) => {
    const found = run.byKey.get(id);
    if (found === undefined) {
      const outside = run.graph.readable.get(id);
      return outside === undefined ? undefined : { state: outside.state, outputs: outside.outputs };
    }
    return { state: found.state.state, outputs: outputsOf(found) };
  };
  return slot.child === null ? { node } : { node, iteration: slot.child };
}

/** Of a node that ended without outputs: the declared defaults. */
function outputsOf({ node, state }: Slot) {
  if (state.state === "Succeeded" || state.state === "Cached") return state.outputs;
  if (endingOf(node, state) === undefined) return null;
  return Object.fromEntries(
    node.definition.outputs.flatMap(({ name, default: value }) =>
      value === undefined ? [] : [[name, value]],
    ),
  );
}
