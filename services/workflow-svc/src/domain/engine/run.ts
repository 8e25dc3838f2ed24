/**
 * A run in memory: the state of its nodes and, derived from it, what makes every fact cheap (D21: O(out-degree) a fact).
 *
 * Owns: slots (a node or a child of a for_each), counters, the queues of nodes that may start, the heap of deadlines.
 * Everything here but the states and the phase can be derived again from them: `derive` does it for a new run and for one
 * read from rows; `turn.ts` keeps it up to date. A property test compares the two.
 */
import { Heap } from "./heap.ts";
import type { GraphNode, Json, Ms, NodeKey, NodeRecord, NodeState, RunGraph, RunPhase } from "./model.ts";
import { endingOf, type UpstreamCounts } from "./rules.ts";

/** One row: a node of the graph, or a child of a for_each. */
export interface Slot {
  readonly key: NodeKey;
  readonly node: GraphNode;
  readonly child: { readonly index: number; readonly item: Json } | null;
  /** Of a child. */
  readonly parent: Slot | null;
  /** Of a for_each node: its children. */
  readonly family: Family | null;
  state: NodeState;
  /** Of a Ready node with a pool: has it asked for its slots, and got them? */
  pool: "none" | "wanted" | "granted";
  cacheChecked: boolean;
  /** Waits for an answer about cache or slots. */
  asked: boolean;
  /** Entry of the start or ask queue that counts; older ones are passed over. */
  ticket: number;
  /** What it counts as at this moment, so that a change can be told to the counters. */
  counted: Occupancy;
}

export interface Family {
  readonly children: Slot[];
  readonly limit: number;
  open: number;
  /** Children at work, or about to be: they ask for slots, or hold them. */
  busy: number;
  /** Ready children over the limit, by index. */
  readonly parked: Heap<Ticket>;
}

export interface Occupancy {
  /** In Queued or Running: takes a place of the run's parallelism. */
  readonly active: boolean;
  readonly asked: boolean;
  readonly busy: boolean;
}
const IDLE: Occupancy = { active: false, asked: false, busy: false };

export interface Ticket {
  readonly slot: Slot;
  readonly ticket: number;
}
export interface Alarm {
  readonly at: Ms;
  readonly slot: Slot;
}

export interface Run {
  readonly graph: RunGraph;
  phase: RunPhase;
  /** By place in the graph. */
  readonly slots: readonly Slot[];
  readonly byKey: Map<NodeKey, Slot>;
  /** Of every node of the graph. */
  readonly upstreams: readonly UpstreamCounts[];
  openMain: number;
  openFinal: number;
  active: number;
  asked: number;
  /** Main nodes and children that count as bad: the run will fail. */
  broken: number;
  /** What could still start was cancelled because of `fail_fast`. */
  swept: boolean;
  /** The finally graph has its turn: the run began and every other node ended. */
  inFinally: boolean;
  readonly startQueue: Heap<Ticket>;
  readonly askQueue: Heap<Ticket>;
  readonly alarms: Heap<Alarm>;
}

/** Every node Waiting, carried results in their place. */
export function newRun(graph: RunGraph): Run {
  const run = emptyRun(graph, { state: "Created" });
  for (const slot of run.slots) slot.state = carriedState(graph, slot.node);
  derive(run);
  return run;
}

/** A run whose states are to be filled in before `derive`. */
export function emptyRun(graph: RunGraph, phase: RunPhase): Run {
  const slots = graph.nodes.map((node) => newSlot(node, null, null));
  return {
    graph,
    phase,
    slots,
    byKey: new Map(slots.map((slot) => [slot.key, slot])),
    upstreams: graph.nodes.map((node) => ({ open: node.upstreams.length, good: 0, bad: 0, skipped: 0 })),
    openMain: graph.mainCount,
    openFinal: graph.nodes.length - graph.mainCount,
    active: 0,
    asked: 0,
    broken: 0,
    swept: false,
    inFinally: false,
    startQueue: new Heap(before),
    askQueue: new Heap(before),
    alarms: new Heap(ringsBefore),
  };
}

function newSlot(node: GraphNode, parent: Slot | null, child: Slot["child"]): Slot {
  const { definition } = node;
  const family = parent === null && definition.for_each !== undefined;
  return {
    key: child === null ? definition.id : `${definition.id}[${child.index}]`,
    node,
    child,
    parent,
    family: family
      ? {
          children: [],
          limit: definition.for_each?.parallelism ?? Number.POSITIVE_INFINITY,
          open: 0,
          busy: 0,
          parked: new Heap(before),
        }
      : null,
    state: { state: "Waiting" },
    pool: "none",
    cacheChecked: false,
    asked: false,
    ticket: 0,
    counted: IDLE,
  };
}

/** A child of a for_each node, Waiting. Children are added in the order of their items. */
export function addChild(run: Run, parent: Slot, item: Json): Slot {
  const { family } = parent;
  if (family === null) throw new Error(`${parent.key} is no for_each`);
  const slot = newSlot(parent.node, parent, { index: family.children.length, item });
  family.children.push(slot);
  family.open += 1;
  run.byKey.set(slot.key, slot);
  return slot;
}

/** Everything that follows from states and phase. The run must come from `emptyRun`, with its children added. */
export function derive(run: Run): void {
  for (const slot of run.slots) {
    for (const child of slot.family?.children ?? []) deriveSlot(run, child);
    deriveSlot(run, slot);
  }
  run.inFinally = run.openMain === 0 && hasBegun(run) && run.graph.nodes.length > run.graph.mainCount;
}

export function hasBegun({ phase }: Run): boolean {
  return "startedAt" in phase && phase.startedAt !== null;
}

function deriveSlot(run: Run, slot: Slot): void {
  const { state } = slot;
  if (slot.node.definition.pool !== undefined && holdsSlots(state)) slot.pool = "granted";
  if (endingOf(slot.node, state) !== undefined) countEnding(run, slot);
  recount(run, slot);
  arm(run, slot);
  if (state.state === "Ready") enqueue(run, slot);
}

/** Slots are held by an attempt, not through the backoff between two: idle GPUs help nobody. */
function holdsSlots({ state }: NodeState): boolean {
  return state === "Queued" || state === "Running" || state === "Suspended";
}

/** A slot has just ended: its downstreams, its family and the run count it. */
export function countEnding(run: Run, slot: Slot): void {
  const ending = endingOf(slot.node, slot.state);
  if (ending === undefined) return;
  if (ending === "bad" && !slot.node.final) run.broken += 1;
  if (slot.parent !== null) {
    if (slot.parent.family !== null) slot.parent.family.open -= 1;
    return;
  }
  if (slot.node.final) run.openFinal -= 1;
  else run.openMain -= 1;
  for (const at of slot.node.downstreams) {
    const counts = run.upstreams[at];
    if (counts === undefined) continue;
    counts.open -= 1;
    counts[ending] += 1;
  }
}

/** Brings the counters in line with what the slot is now; a place that becomes free lets a parked sibling in. */
export function recount(run: Run, slot: Slot): void {
  const was = slot.counted;
  const now = occupancy(slot);
  if (was.active === now.active && was.asked === now.asked && was.busy === now.busy) return;
  slot.counted = now;
  run.active += Number(now.active) - Number(was.active);
  run.asked += Number(now.asked) - Number(was.asked);
  const family = slot.parent?.family;
  if (family === undefined || family === null || was.busy === now.busy) return;
  family.busy += Number(now.busy) - Number(was.busy);
  if (was.busy) passOn(run, slot);
}

/** A child does not take the place that it had, or was offered: the next of its parked siblings may. */
export function passOn(run: Run, { parent }: Slot): void {
  const parked = parent?.family?.parked;
  for (let next = parked?.pop(); next !== undefined; next = parked?.pop()) {
    if (!isCurrent(next)) continue;
    enqueue(run, next.slot);
    return;
  }
}

function occupancy(slot: Slot): Occupancy {
  switch (slot.state.state) {
    case "Queued":
    case "Running":
      return slot.family === null ? { active: true, asked: false, busy: true } : IDLE;
    case "Suspended":
      return { active: false, asked: false, busy: true };
    case "Ready":
      return slot.asked || slot.pool === "granted" ? { active: false, asked: slot.asked, busy: true } : IDLE;
    default:
      return IDLE;
  }
}

/** Puts a Ready slot where it is found when there is room: it asks first (cache, slots), or starts. */
export function enqueue(run: Run, slot: Slot): void {
  slot.ticket += 1;
  const queue = question(slot) === undefined ? run.startQueue : run.askQueue;
  queue.push({ slot, ticket: slot.ticket });
}

/** What a Ready node needs to know before it starts. */
export function question(slot: Slot): "cache" | "slots" | undefined {
  const { cache, pool } = slot.node.definition;
  if (cache !== undefined && !slot.cacheChecked && slot.state.state === "Ready" && slot.state.attempt === 1) {
    return "cache";
  }
  return pool !== undefined && slot.pool !== "granted" ? "slots" : undefined;
}

export function isCurrent({ slot, ticket }: Ticket): boolean {
  return slot.ticket === ticket && slot.state.state === "Ready" && !slot.asked;
}

function before(a: Ticket, b: Ticket): boolean {
  return isFirst(a.slot, b.slot);
}

function ringsBefore(a: Alarm, b: Alarm): boolean {
  return a.at === b.at ? isFirst(a.slot, b.slot) : a.at < b.at;
}

function isFirst(a: Slot, b: Slot): boolean {
  if (a.node.rank !== b.node.rank) return a.node.rank < b.node.rank;
  return (a.child?.index ?? 0) < (b.child?.index ?? 0);
}

/** Sets the alarm of the slot's present state, if it has one. Alarms of earlier states are passed over. */
export function arm(run: Run, slot: Slot): void {
  const at = alarmOf(run, slot);
  if (at !== null) run.alarms.push({ at, slot });
}

/** When something happens to the slot by the clock alone. What a pause holds back has no queue clock. */
export function alarmOf(run: Run, slot: Slot): Ms | null {
  const { state } = slot;
  const { queue_timeout_seconds: queue, run_timeout_seconds: work } = slot.node.definition;
  switch (state.state) {
    case "Ready":
      return queue === undefined || isHeld(run) ? null : state.readyAt + queue * 1000;
    case "Queued":
      return queue === undefined || state.stopping !== null ? null : state.readyAt + queue * 1000;
    case "Running":
      return work === undefined || state.stopping !== null || slot.family !== null
        ? null
        : state.startedAt + work * 1000;
    case "UpForRetry":
      return state.retryAt;
    case "Suspended":
      return state.deadlineAt;
    default:
      return null;
  }
}

/** Nothing leaves Ready. */
export function isHeld({ phase }: Run): boolean {
  return phase.state === "Pausing" || phase.state === "Paused";
}

export function recordOf({ key, node, child, state }: Slot): NodeRecord {
  return { key, node, child, state };
}

/** Every row, children behind their node. */
export function* records(run: Run): Generator<NodeRecord> {
  for (const slot of run.slots) {
    yield recordOf(slot);
    for (const child of slot.family?.children ?? []) yield recordOf(child);
  }
}

function carriedState(graph: RunGraph, { carried }: GraphNode): NodeState {
  if (carried === null) return { state: "Waiting" };
  const finishedAt = carried.finished_at === null ? 0 : Date.parse(carried.finished_at);
  const ended = {
    attempt: 0,
    readyAt: null,
    startedAt: carried.started_at === null ? null : Date.parse(carried.started_at),
    finishedAt,
    taskId: carried.task_id,
    childRunId: carried.child_run_id,
    reason: carried.reason,
    message: "Taken over from the earlier run.",
    fromRunId: graph.baseRunId,
  };
  switch (carried.state) {
    case "Succeeded":
    case "Cached":
      return { state: "Succeeded", outputs: carried.outputs ?? {}, ...ended };
    case "Failed":
      return { state: "Failed", failure: "user", ...ended };
    case "TimedOut":
    case "Skipped":
      return { state: carried.state, ...ended };
    default:
      throw new Error(`a node in state ${carried.state} is not taken over`);
  }
}
