/**
 * A run in events, and back. Every event carries the run's columns and the nodes that changed, so that the events of a run
 * alone rebuild it (a node that was never named is Waiting); `replay` is held to that by a property test.
 */
import {
  type EventDefinition,
  NODES_PER_EVENT,
  RUN_STATE_EVENTS,
  type RunNodeView,
  type RunStatusData,
  runUpdated,
} from "@aiep/contracts";
import type { Advance, RunColumns, RunGraph, RunPhase } from "./model.ts";
import type { Run } from "./run.ts";
import { nodeView, rebuild, runColumns } from "./view.ts";

/** Of the nodes of one event, as JSON: the stream takes messages of 256 KiB. */
const BYTES_PER_EVENT = 160 * 1024;

export type RunIdentity = Pick<
  RunStatusData,
  "run_id" | "experiment_id" | "group_id" | "experiment_name" | "version_name"
>;
export interface StatusEvent {
  readonly definition: EventDefinition;
  readonly data: RunStatusData;
}

/**
 * Events of a step: one for each state that the run went through, the nodes with the last, in as many `run_updated` before
 * it as their number and size ask for. `before` is the phase at the beginning of the step.
 */
export function statusEvents(
  identity: RunIdentity,
  before: RunPhase,
  step: Pick<Advance<unknown>, "changed" | "phases">,
): StatusEvent[] {
  if (step.changed.length === 0 && step.phases.length === 0) return [];
  const states: RunPhase[] = [];
  let phase = before;
  for (const next of step.phases) {
    if (next.state !== phase.state) states.push(phase);
    phase = next;
  }
  const passed = states.slice(1).map((state) => eventOf(identity, state, [], true));
  const last = states.length > 0;
  const between = states.at(-1) ?? phase;
  const chunks = chunked(step.changed.map(nodeView));
  const rest = chunks.pop() ?? [];
  return [
    ...passed,
    ...chunks.map((nodes) => eventOf(identity, between, nodes, false)),
    eventOf(identity, phase, rest, last),
  ];
}

function eventOf(
  identity: RunIdentity,
  phase: RunPhase,
  nodes: RunNodeView[],
  entered: boolean,
): StatusEvent {
  const definition = entered && phase.state !== "Created" ? RUN_STATE_EVENTS[phase.state] : runUpdated;
  return { definition, data: { ...identity, ...runColumns(phase), nodes } };
}

function chunked(views: readonly RunNodeView[]): RunNodeView[][] {
  const chunks: RunNodeView[][] = [];
  let room = 0;
  let chunk: RunNodeView[] = [];
  for (const view of views) {
    const bytes = Buffer.byteLength(JSON.stringify(view));
    if (chunks.length === 0 || chunk.length === NODES_PER_EVENT || bytes > room) {
      chunk = [];
      chunks.push(chunk);
      room = BYTES_PER_EVENT;
    }
    chunk.push(view);
    room -= bytes;
  }
  return chunks;
}

/** The run after these events, oldest first. */
export function replay(graph: RunGraph, events: Iterable<RunColumns & Pick<RunStatusData, "nodes">>): Run {
  const nodes = new Map<string, RunNodeView>();
  let run: RunColumns = runColumns({ state: "Created" });
  for (const event of events) {
    run = event;
    for (const node of event.nodes) nodes.set(node.key, node);
  }
  return rebuild(graph, { run, nodes: nodes.values() });
}
