/** The run's own life: begin, pause, cancel, its deadline, the finally graph and the end. */

import { stopMessage } from "./attempts.ts";
import type { DropReason, Fact, Ms, RunPhase } from "./model.ts";
import { endingOf } from "./rules.ts";
import { arm, enqueue, type Run, recount } from "./run.ts";
import { consider } from "./settle.ts";
import { releaseSlots, setPhase, sweep, type Turn, transition } from "./turn.ts";

type RunFact = Exclude<Fact, { readonly key: string }>;

export function applyToRun<Input>(turn: Turn<Input>, fact: RunFact): DropReason | undefined {
  const { state } = turn.run.phase;
  switch (fact.type) {
    case "queue":
      if (state !== "Created" && state !== "Queued") return "not_expected";
      setPhase(turn, { state: "Queued", reason: fact.reason, message: fact.message });
      return undefined;
    case "begin":
      if (state !== "Created" && state !== "Queued") return "not_expected";
      begin(turn);
      return undefined;
    case "pause":
      return pause(turn);
    case "resume":
      return resume(turn);
    case "cancel":
      return cancel(turn, fact.message);
    default:
      return fact satisfies never;
  }
}

function begin<Input>(turn: Turn<Input>): void {
  const { run, now } = turn;
  const { runTimeoutMs } = run.graph;
  setPhase(turn, {
    state: "Running",
    startedAt: now,
    deadlineAt: runTimeoutMs === null ? null : now + runTimeoutMs,
  });
  for (const slot of run.slots) consider(turn, slot);
}

/** Nothing leaves Ready; what was asked for and not begun is given back. What is at work goes on. */
function pause<Input>(turn: Turn<Input>): DropReason | undefined {
  const { run } = turn;
  if (run.phase.state !== "Running") return "not_expected";
  setPhase(turn, { ...run.phase, state: "Pausing" });
  for (const slot of run.byKey.values()) {
    if (slot.state.state !== "Ready" || (!slot.asked && slot.node.definition.pool === undefined)) continue;
    releaseSlots(turn, slot);
    slot.asked = false;
    recount(run, slot);
    enqueue(run, slot);
  }
  return undefined;
}

function resume<Input>(turn: Turn<Input>): DropReason | undefined {
  const { run, now } = turn;
  const { phase } = run;
  if (phase.state !== "Pausing" && phase.state !== "Paused") return "not_expected";
  setPhase(turn, { state: "Running", startedAt: phase.startedAt, deadlineAt: deadlineNow(phase, now) });
  restartQueueClocks(turn);
  return undefined;
}

/** Idempotent. The finally graph is no part of it: it runs now, or goes on. */
function cancel<Input>(turn: Turn<Input>, message: string | null): DropReason | undefined {
  const { run, now } = turn;
  const { phase } = run;
  const why = {
    stopping: "cancelled",
    reason: "cancelled",
    message: message ?? stopMessage.cancelled,
  } as const;
  switch (phase.state) {
    case "Created":
    case "Queued":
      sweep(turn, { final: false }, why);
      sweep(turn, { final: true }, why);
      setPhase(turn, {
        state: "Cancelled",
        startedAt: null,
        finishedAt: now,
        reason: why.reason,
        message: why.message,
      });
      return undefined;
    case "Running":
    case "Pausing":
    case "Paused":
      setPhase(turn, {
        state: "Cancelling",
        startedAt: phase.startedAt,
        deadlineAt: run.inFinally ? deadlineNow(phase, now) : null,
        reason: "cancelled",
        message: why.message,
      });
      sweep(turn, { final: false }, why);
      restartQueueClocks(turn);
      return undefined;
    default:
      return "not_expected";
  }
}

/** The time in Paused does not count. */
function deadlineNow(phase: Extract<RunPhase, { deadlineAt: Ms | null }>, now: Ms): Ms | null {
  if (phase.deadlineAt === null || phase.state !== "Paused") return phase.deadlineAt;
  return phase.deadlineAt + (now - phase.pausedAt);
}

/** What a pause held back could not start: its queue clock begins anew. */
function restartQueueClocks<Input>(turn: Turn<Input>): void {
  const { run, now } = turn;
  for (const slot of run.byKey.values()) {
    if (slot.state.state !== "Ready" || slot.node.definition.queue_timeout_seconds === undefined) continue;
    if (slot.state.readyAt === now) arm(run, slot);
    else transition(turn, slot, { ...slot.state, readyAt: now });
  }
}

/** When the run's present time limit ends. In Paused the clock stands still. */
export function deadlineOf({ phase }: Run): Ms | null {
  switch (phase.state) {
    case "Running":
    case "Pausing":
    case "Cancelling":
      return phase.deadlineAt;
    default:
      return null;
  }
}

/** The time of the run, or of its finally graph, is over. True when it was. */
export function ringRun<Input>(turn: Turn<Input>): boolean {
  const { run, now } = turn;
  const { phase } = run;
  if (phase.state !== "Running" && phase.state !== "Pausing" && phase.state !== "Cancelling") return false;
  if (phase.deadlineAt === null || phase.deadlineAt > now) return false;
  if (run.inFinally) {
    setPhase(turn, { ...phase, deadlineAt: null });
    const message = stopMessage.finally_deadline;
    sweep(turn, { final: true }, { stopping: "finally_deadline", reason: "finally_deadline", message });
    return true;
  }
  const message = stopMessage.run_deadline;
  setPhase(turn, {
    state: "Cancelling",
    startedAt: phase.startedAt,
    deadlineAt: null,
    reason: "run_timeout",
    message,
  });
  sweep(turn, { final: false }, { stopping: "run_deadline", reason: "run_deadline", message });
  return true;
}

/** Begins the finally graph when every other node ended, ends the run when every node did (I7). True when it did. */
export function complete<Input>(turn: Turn<Input>): boolean {
  const { run } = turn;
  const { phase } = run;
  if (!isBegun(phase) || run.openMain > 0) return false;
  if (run.openFinal === 0) {
    setPhase(turn, result(turn, phase));
    return true;
  }
  if (run.inFinally) return false;
  run.inFinally = true;
  // In Paused the clock stands still: it will be shifted by the whole pause.
  const since = phase.state === "Paused" ? phase.pausedAt : turn.now;
  setPhase(turn, { ...phase, deadlineAt: since + run.graph.finallyTimeoutMs });
  for (const slot of run.slots) if (slot.node.final) consider(turn, slot);
  return true;
}

/** No node is at work any more: the pause is reached. */
export function settlePause<Input>(turn: Turn<Input>): void {
  const { run, now } = turn;
  if (run.phase.state !== "Pausing" || run.active > 0) return;
  setPhase(turn, { ...run.phase, state: "Paused", pausedAt: now });
}

type Begun = Extract<RunPhase, { deadlineAt: Ms | null }>;
function isBegun(phase: RunPhase): phase is Begun {
  return "deadlineAt" in phase;
}

/** A failure of the finally graph is recorded on its nodes alone. */
function result<Input>({ run, now }: Turn<Input>, phase: Begun): RunPhase {
  const times = { startedAt: phase.startedAt, finishedAt: now };
  if (phase.state === "Cancelling") {
    const state = phase.reason === "cancelled" ? "Cancelled" : "TimedOut";
    return { state, ...times, reason: phase.reason, message: phase.message };
  }
  if (run.broken === 0) return { state: "Succeeded", ...times, reason: null, message: null };
  return { state: "Failed", ...times, reason: "node_failed", message: failureMessage(run) };
}

function failureMessage(run: Run): string {
  const failed = run.slots
    .filter(({ node, state }) => !node.final && endingOf(node, state) === "bad")
    .filter(({ state }) => state.state === "Failed" || state.state === "TimedOut" || isOutside(state))
    .map(({ node }) => node.definition.name);
  const named = failed.slice(0, 3).join(", ");
  const more = failed.length > 3 ? ` and ${failed.length - 3} more` : "";
  return failed.length === 1 ? `Node ${named} failed.` : `${failed.length} nodes failed: ${named}${more}.`;
}

/** Cancelled from outside, not because another node failed. */
function isOutside(state: { readonly state: string; readonly reason?: string | null }): boolean {
  return state.state === "Cancelled" && state.reason !== "fail_fast";
}
