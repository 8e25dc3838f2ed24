/** What happens to the attempts of a node: facts of its executor, answers to questions, failure and retry. */
import type { FailureClass } from "@aiep/contracts";
import type { AttemptOutcome, DropReason, Fact, Ms } from "./model.ts";
import { enqueue, isHeld, question, type Run, recordOf, recount, type Slot } from "./run.ts";
import { becomeReady, end, isOwnClock, releaseSlots, stop, type Turn, transition, workOf } from "./turn.ts";

type AttemptFact = Extract<Fact, { readonly key: string }>;
/** Undefined: the fact had its effect. */
type Dropped = DropReason | undefined;

export function applyToNode<Input>(turn: Turn<Input>, fact: AttemptFact): Dropped {
  const slot = turn.run.byKey.get(fact.key);
  if (slot === undefined) return "unknown_node";
  if (slot.family !== null) return "not_expected";
  if ("attempt" in fact && workOf(slot.state).attempt !== fact.attempt) return "stale_attempt";
  switch (fact.type) {
    case "accepted":
    case "started":
      return learn(turn, slot, fact);
    case "progress":
      return progress(turn, slot, fact);
    case "ended":
      return ended(turn, slot, fact.outcome);
    case "cache_checked":
      return cacheChecked(turn, slot, fact.hit);
    case "slots_granted":
      return slotsGranted(turn.run, slot);
    case "approved":
      if (slot.state.state !== "Suspended") return "not_expected";
      end(turn, slot, { state: "Succeeded", outputs: fact.outputs }, "approved", fact.message);
      return undefined;
    case "rejected":
      if (slot.state.state !== "Suspended") return "not_expected";
      end(turn, slot, { state: "Failed", failure: "user" }, "rejected", fact.message);
      return undefined;
    default:
      return fact satisfies never;
  }
}

function learn<Input>(
  turn: Turn<Input>,
  slot: Slot,
  fact: Extract<Fact, { type: "accepted" | "started" }>,
): Dropped {
  const { state } = slot;
  if (state.state !== "Queued" && state.state !== "Running") return "not_expected";
  const taskId = fact.taskId ?? state.taskId;
  const childRunId = fact.childRunId ?? state.childRunId;
  if (fact.type === "started" && state.state === "Queued") {
    const seen = { ...state, taskId, childRunId, reason: null, message: null };
    transition(turn, slot, { ...seen, state: "Running", startedAt: turn.now });
    return undefined;
  }
  if (taskId === state.taskId && childRunId === state.childRunId) return "not_expected";
  transition(turn, slot, { ...state, taskId, childRunId });
  return undefined;
}

function progress<Input>(
  turn: Turn<Input>,
  slot: Slot,
  { reason, message }: { readonly reason: string | null; readonly message: string | null },
): Dropped {
  const { state } = slot;
  if (state.state !== "Queued" && state.state !== "Running" && state.state !== "Suspended")
    return "not_expected";
  if (state.reason !== reason || state.message !== message)
    transition(turn, slot, { ...state, reason, message });
  return undefined;
}

/** I9: an attempt that was to be ended ends so, whatever its executor says. */
function ended<Input>(turn: Turn<Input>, slot: Slot, outcome: AttemptOutcome): Dropped {
  const { state } = slot;
  if (state.state !== "Queued" && state.state !== "Running") return "not_expected";
  const { stopping } = state;
  if (stopping !== null) {
    if (isOwnClock(stopping)) fail(turn, slot, "timeout", stopping, timeoutMessage(slot, stopping));
    else end(turn, slot, { state: "Cancelled" }, stopping, stopMessage[stopping]);
    return undefined;
  }
  switch (outcome.kind) {
    case "succeeded":
      end(turn, slot, { state: "Succeeded", outputs: outcome.outputs }, null, outcome.message ?? null);
      return undefined;
    case "failed":
      fail(turn, slot, outcome.failure, outcome.reason, outcome.message);
      return undefined;
    case "cancelled":
      end(turn, slot, { state: "Cancelled" }, outcome.reason, outcome.message);
      return undefined;
    default:
      return outcome satisfies never;
  }
}

/** The attempt failed: the next one waits for its time, or the node ended. */
function fail<Input>(
  turn: Turn<Input>,
  slot: Slot,
  failure: FailureClass,
  reason: string,
  message: string,
): void {
  const work = workOf(slot.state);
  const delay = retryDelay(turn, slot, work.attempt, failure);
  if (delay === null) {
    end(
      turn,
      slot,
      failure === "timeout" ? { state: "TimedOut" } : { state: "Failed", failure },
      reason,
      message,
    );
    return;
  }
  const { now } = turn;
  releaseSlots(turn, slot);
  transition(turn, slot, {
    state: "UpForRetry",
    ...work,
    failure,
    reason,
    message,
    finishedAt: now,
    retryAt: now + delay,
  });
  turn.decisions.push({ type: "attempt_over", key: slot.key, attempt: work.attempt, record: recordOf(slot) });
}

/** delay(k) = min(max, base × factor^(k-1)), ±20 %; null: no other attempt. */
function retryDelay<Input>(
  { run, env }: Turn<Input>,
  { key, node }: Slot,
  attempt: number,
  failure: FailureClass,
): Ms | null {
  const policy = node.definition.retries;
  if (policy === undefined || attempt > policy.max || !isRetried(policy.on, failure)) return null;
  if (!node.final && run.broken > 0 && run.graph.onFailure === "fail_fast") return null;
  const wanted = policy.backoff_seconds * policy.factor ** (attempt - 1);
  const seconds = Math.min(policy.max_backoff_seconds, wanted);
  return Math.round(seconds * 1000 * (0.8 + 0.4 * env.dice(key, attempt)));
}

function isRetried(on: readonly FailureClass[], failure: FailureClass): boolean {
  return on.includes(failure);
}

function cacheChecked<Input>(
  turn: Turn<Input>,
  slot: Slot,
  hit: Extract<Fact, { type: "cache_checked" }>["hit"],
): Dropped {
  const { run, now } = turn;
  if (slot.state.state !== "Ready" || question(slot) !== "cache" || isHeld(run)) return "not_expected";
  slot.cacheChecked = true;
  slot.asked = false;
  recount(run, slot);
  if (hit === null) {
    enqueue(run, slot);
    return undefined;
  }
  const told = { reason: "cache_hit", message: `The result of run ${hit.fromRunId} was used.` };
  transition(turn, slot, { ...workOf(slot.state), ...told, state: "Cached", finishedAt: now, ...hit });
  return undefined;
}

function slotsGranted(run: Run, slot: Slot): Dropped {
  if (slot.state.state !== "Ready" || slot.pool !== "wanted") return "not_expected";
  slot.pool = "granted";
  slot.asked = false;
  recount(run, slot);
  enqueue(run, slot);
  return undefined;
}

/** The slot's clock rang: see `alarmOf`. */
export function ring<Input>(turn: Turn<Input>, slot: Slot): void {
  const { state } = slot;
  switch (state.state) {
    case "Ready":
      fail(turn, slot, "timeout", "queue_timeout", timeoutMessage(slot, "queue_timeout"));
      return;
    case "Queued":
      stop(turn, slot, "queue_timeout");
      return;
    case "Running":
      stop(turn, slot, "run_timeout");
      return;
    case "UpForRetry":
      becomeReady(turn, slot);
      return;
    case "Suspended":
      approvalOver(turn, slot, state.onDeadline);
      return;
    default:
      return;
  }
}

function approvalOver<Input>(turn: Turn<Input>, slot: Slot, action: "fail" | "skip" | "approve"): void {
  const reason = "approval_timeout";
  switch (action) {
    case "fail":
      end(turn, slot, { state: "TimedOut" }, reason, "Nobody approved in time.");
      return;
    case "skip":
      end(turn, slot, { state: "Skipped" }, reason, "Nobody approved in time; the node was skipped.");
      return;
    case "approve":
      end(turn, slot, { state: "Succeeded", outputs: {} }, reason, "Nobody objected in time; approved.");
      return;
    default:
      action satisfies never;
  }
}

export const stopMessage = {
  cancelled: "The run was cancelled.",
  run_deadline: "The time of the run was over.",
  finally_deadline: "The time of the finally graph was over.",
} as const;

function timeoutMessage({ node }: Slot, why: "run_timeout" | "queue_timeout"): string {
  const { queue_timeout_seconds: queue, run_timeout_seconds: work } = node.definition;
  return why === "run_timeout"
    ? `The attempt ran longer than run_timeout_seconds (${work}).`
    : `The attempt did not start within queue_timeout_seconds (${queue}).`;
}
