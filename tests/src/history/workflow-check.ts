/**
 * The promises of workflow runs as a function: a history in, what breaks them out. Pure, so that made-up histories prove that
 * each breach is found. It checks a history at rest.
 */
import { isTerminal, isTerminalRun, isTerminalRunNode, type RunNodeState } from "@aiep/contracts";
import type { RunNodeFact, WorkflowHistory } from "./workflow-history.ts";

export type WorkflowPromise = "I1" | "I2" | "I3" | "I4" | "I5" | "I6" | "I7" | "I9";
export interface WorkflowViolation {
  readonly promise: WorkflowPromise;
  readonly what: string;
}
type Check = (history: WorkflowHistory) => Iterable<string>;

const CHECKS: readonly (readonly [WorkflowPromise, Check])[] = [
  ["I1", acceptedIsKept],
  ["I2", oneOrderOneRun],
  ["I3", nothingRunsTwice],
  ["I4", stateIsMonotonic],
  ["I5", everyChangeIsPublished],
  ["I6", runsAgreeWithTheirTasks],
  ["I7", nodesStartWhenTheirRuleHolds],
  ["I9", cancelWins],
];

export function checkWorkflows(history: WorkflowHistory): WorkflowViolation[] {
  return CHECKS.flatMap(([promise, check]) => [...check(history)].map((what) => ({ promise, what })));
}

function* acceptedIsKept({ accepted, runs, expected }: WorkflowHistory): Generator<string> {
  const kept = new Map(runs.map((run) => [run.id, run]));
  for (const { key, runId } of accepted) {
    const run = kept.get(runId);
    const end = expected.get(key)?.end;
    if (run === undefined) yield `${key} was accepted as ${runId}, which is not there`;
    else if (!isTerminalRun(run.state)) yield `${key} never ended: it is ${run.state}`;
    else if (end !== "Cancelled" && run.state !== end) yield `${key} ended ${run.state} instead of ${end}`;
  }
}

function* oneOrderOneRun({ runs }: WorkflowHistory): Generator<string> {
  for (const [key, made] of Map.groupBy(runs, ({ key }) => key))
    if (made.length > 1) yield `${key} became ${made.length} runs`;
}

function* nothingRunsTwice({ executions, nodes, tasks }: WorkflowHistory): Generator<string> {
  for (const [key, times] of Map.groupBy(executions, (each) => each))
    if (times.length > 1) yield `${key} ran ${times.length} times`;
  const asked = new Set(nodes.flatMap(({ taskId }) => taskId ?? []));
  for (const { id, runId } of tasks) if (!asked.has(id)) yield `task ${id} of run ${runId} is no node's`;
  const ran = new Set(executions);
  for (const { runId, key, state, taskId } of nodes)
    if (taskId !== null && state === "Succeeded" && !ran.has(`${runId}.${key}`))
      yield `${key} of ${runId} succeeded without having run`;
}

function* stateIsMonotonic({ outbox, runs, nodes }: WorkflowHistory): Generator<string> {
  const events = Map.groupBy(outbox, ({ runId }) => runId);
  const rows = Map.groupBy(nodes, ({ runId }) => runId);
  for (const { id, version, state } of runs) {
    const own = (events.get(id) ?? []).toSorted((a, b) => a.version - b.version);
    const versions = own.map((event) => event.version);
    if (versions.some((each, index) => each !== index + 1)) yield `${id} has versions ${versions.join(" ")}`;
    const last = own.at(-1);
    if (last?.version !== version || last.state !== state)
      yield `${id} is ${state} at version ${version}, its last event says ${last?.state} at ${last?.version}`;
    const told = new Map<string, Pick<RunNodeFact, "state" | "attempt">>();
    for (const event of own) {
      for (const { key, state: next, attempt } of event.nodes) {
        const before = told.get(key);
        if (before !== undefined && isTerminalRunNode(before.state) && before.state !== next)
          yield `${key} of ${id} went from ${before.state} to ${next}`;
        if (before !== undefined && attempt < before.attempt)
          yield `${key} of ${id} went back to attempt ${attempt}`;
        told.set(key, { state: next, attempt });
      }
    }
    for (const { key, state: row } of rows.get(id) ?? [])
      if (told.get(key)?.state !== row)
        yield `${key} of ${id} is ${row}, its events say ${told.get(key)?.state}`;
  }
}

function* everyChangeIsPublished({ outbox, stream }: WorkflowHistory): Generator<string> {
  for (const { runId, version, published } of outbox)
    if (!published) yield `version ${version} of ${runId} is not marked as published`;
  const published = Map.groupBy(stream, ({ runId }) => runId);
  for (const [id, changes] of Map.groupBy(outbox, ({ runId }) => runId)) {
    const wanted = changes.toSorted((a, b) => a.version - b.version).map(({ eventId }) => eventId);
    const found = (published.get(id) ?? []).map(({ eventId }) => eventId);
    if (wanted.join() !== found.join())
      yield `${id} has ${wanted.length} changes, the stream has ${found.length}, or in another order`;
  }
}

const NODE_OF_TASK: Readonly<Record<string, readonly RunNodeState[]>> = {
  Succeeded: ["Succeeded", "Cancelled"], // a stop wins over an end that came after it
  Failed: ["Failed", "Cancelled"],
  Stopped: ["Cancelled"],
};

function* runsAgreeWithTheirTasks({ nodes, tasks }: WorkflowHistory): Generator<string> {
  const byTask = new Map(nodes.flatMap((node) => (node.taskId === null ? [] : [[node.taskId, node]])));
  for (const { id, state, runId } of tasks) {
    const node = byTask.get(id);
    if (!isTerminal(state)) yield `task ${id} of run ${runId} is ${state}`;
    else if (node !== undefined && !(NODE_OF_TASK[state] ?? []).includes(node.state))
      yield `task ${id} is ${state}, its node ${node.key} of ${runId} ${node.state}`;
  }
}

const AT_WORK: readonly RunNodeState[] = ["Ready", "Queued", "Running"];

function* nodesStartWhenTheirRuleHolds({ outbox, runs, expected }: WorkflowHistory): Generator<string> {
  const events = Map.groupBy(outbox, ({ runId }) => runId);
  for (const { id, key, state } of runs) {
    const graph = expected.get(key)?.graph ?? new Map<string, readonly string[]>();
    const states = new Map<string, RunNodeState>();
    for (const event of (events.get(id) ?? []).toSorted((a, b) => a.version - b.version)) {
      for (const node of event.nodes) states.set(node.key, node.state);
      for (const node of event.nodes) {
        if (!AT_WORK.includes(node.state)) continue;
        const open = (graph.get(node.key) ?? []).filter((up) => states.get(up) !== "Succeeded");
        if (open.length > 0) yield `${node.key} of ${id} is ${node.state} before ${open.join(", ")}`;
      }
    }
    const left = [...graph.keys()].filter((node) => !isTerminalRunNode(states.get(node) ?? "Waiting"));
    if (isTerminalRun(state) && left.length > 0) yield `${id} ended before its nodes ${left.join(", ")}`;
    if (!isTerminalRun(state) && left.length === 0) yield `${id} did not end although all its nodes did`;
  }
}

function* cancelWins({ runs, expected, nodes }: WorkflowHistory): Generator<string> {
  for (const { key, state } of runs) {
    const end = expected.get(key)?.end;
    if (state === "Cancelled" && end !== "Cancelled") yield `${key} is Cancelled, and nobody asked for it`;
  }
  const cancelled = new Set(runs.filter(({ state }) => state === "Cancelled").map(({ id }) => id));
  for (const { runId, key, state } of nodes)
    if (cancelled.has(runId) && !isTerminalRunNode(state))
      yield `${key} of the cancelled ${runId} is ${state}`;
}
