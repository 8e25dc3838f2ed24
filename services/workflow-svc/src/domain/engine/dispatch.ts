/**
 * Which Ready nodes start: first (priority, depth, name, index), while there is room in the run and among the children of
 * a for_each. A node that must ask first (cache, slots of a pool) asks only when there would be room for it, so that a
 * run never hoards slots it cannot use; while it waits for the answer others pass it.
 */

import type { Heap } from "./heap.ts";
import type { ApprovalTerms, Ms, NodeState, NodeTraits } from "./model.ts";
import { isCurrent, isHeld, question, recordOf, recount, type Slot, type Ticket } from "./run.ts";
import { refuse } from "./settle.ts";
import { scopeOf, type Turn, transition, workOf } from "./turn.ts";

/** True when a node ended instead of starting, so that there is more to look at. */
export function dispatch<Input>(turn: Turn<Input>): boolean {
  const { run } = turn;
  const { phase } = run;
  if (isHeld(run) || (phase.state !== "Running" && phase.state !== "Cancelling")) return false;
  const { parallelism } = run.graph;
  while (run.active < parallelism) {
    const slot = next(run.startQueue);
    if (slot === undefined) break;
    start(turn, slot);
    if (turn.ended.length > 0) return true;
  }
  while (run.active + run.asked < parallelism) {
    const slot = next(run.askQueue);
    if (slot === undefined) break;
    ask(turn, slot);
    if (turn.ended.length > 0) return true;
  }
  return false;
}

/** The first that may: children of a full family wait with it. */
function next(queue: Heap<Ticket>): Slot | undefined {
  for (let entry = queue.pop(); entry !== undefined; entry = queue.pop()) {
    if (!isCurrent(entry)) continue;
    const { slot } = entry;
    const family = slot.parent?.family ?? null;
    if (family === null || slot.counted.busy || family.busy < family.limit) return slot;
    family.parked.push(entry);
  }
  return undefined;
}

function start<Input>(turn: Turn<Input>, slot: Slot): void {
  const { run, env, now } = turn;
  if (slot.state.state !== "Ready") return;
  const { attempt } = slot.state;
  const prepared = env.prepare(recordOf(slot), attempt, scopeOf(run, slot), now);
  if (!prepared.ok) {
    refuse(turn, slot, prepared.reason, prepared.message);
    return;
  }
  const { input, approval } = prepared.value;
  transition(turn, slot, begun(slot.node.traits.startsAs, slot.state, now, approval));
  turn.decisions.push({ type: "start", key: slot.key, attempt, record: recordOf(slot), input });
}

function begun(
  startsAs: NodeTraits["startsAs"],
  { attempt, readyAt }: Extract<NodeState, { state: "Ready" }>,
  now: Ms,
  approval: ApprovalTerms = { deadlineAt: null, onDeadline: "fail" },
): NodeState {
  const common = { attempt, readyAt, taskId: null, childRunId: null, reason: null, message: null };
  switch (startsAs) {
    case "Queued":
      return { ...common, state: startsAs, startedAt: null, stopping: null };
    case "Running":
      return { ...common, state: startsAs, startedAt: now, stopping: null };
    case "Suspended":
      return { ...common, state: startsAs, startedAt: now, ...approval };
    default:
      return startsAs satisfies never;
  }
}

function ask<Input>(turn: Turn<Input>, slot: Slot): void {
  const { run, env, now } = turn;
  const { key, node } = slot;
  const { attempt } = workOf(slot.state);
  if (question(slot) === "cache") {
    const prepared = env.prepare(recordOf(slot), attempt, scopeOf(run, slot), now);
    if (!prepared.ok) {
      refuse(turn, slot, prepared.reason, prepared.message);
      return;
    }
    const { input } = prepared.value;
    turn.decisions.push({ type: "check_cache", key, attempt, record: recordOf(slot), input });
  } else {
    const { pool, priority } = node.definition;
    if (pool === undefined) return;
    slot.pool = "wanted";
    turn.decisions.push({
      type: "want_slots",
      key,
      attempt,
      pool: pool.name,
      slots: pool.slots,
      priority,
    });
  }
  slot.asked = true;
  recount(run, slot);
}
