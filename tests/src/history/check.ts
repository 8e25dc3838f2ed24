/**
 * The promises as a function: a history in, what breaks them out. Pure, so that made-up histories prove that each breach
 * is found. It checks a history at rest: nothing is running, nothing is under way.
 */
import { isTerminal, type TaskState } from "@aiep/contracts";
import type { EventFact, History, PromiseId, TaskFact, Violation } from "./history.ts";

type Check = (history: History) => Iterable<string>;

const CHECKS: readonly (readonly [PromiseId, Check])[] = [
  ["I1", acceptedIsKept],
  ["I2", oneSubmitOneTask],
  ["I3", nothingRunsTwice],
  ["I4", stateIsMonotonic],
  ["I5", everyChangeIsPublished],
  ["I6", consumersConverge],
  ["I8", eachLineOnceInOrder],
  ["I9", stopWins],
  ["I10", ({ leftovers }) => leftovers],
];

export function checkHistory(history: History): Violation[] {
  return CHECKS.flatMap(([promise, check]) => [...check(history)].map((what) => ({ promise, what })));
}

function* acceptedIsKept({ accepted, tasks, expected }: History): Generator<string> {
  const kept = byId(tasks);
  for (const { key, taskId } of accepted) {
    const task = kept.get(taskId);
    if (task === undefined) yield `${key} was accepted as ${taskId}, which is not there`;
    else if (!isTerminal(task.state)) yield `${key} never ended: it is ${task.state}`;
    else if (!task.stopRequested && expected.has(key) && task.state !== expected.get(key)?.end)
      yield `${key} ended ${task.state} instead of ${expected.get(key)?.end}: ${task.reason}, ${task.message}`;
  }
}

function* oneSubmitOneTask({ accepted, tasks }: History): Generator<string> {
  for (const [key, answers] of group(accepted, ({ key }) => key)) {
    const ids = new Set(answers.map(({ taskId }) => taskId));
    if (ids.size > 1) yield `${key} was answered with ${ids.size} ids`;
  }
  for (const [key, made] of group(tasks, ({ key }) => key))
    if (made.length > 1) yield `${key} became ${made.length} tasks`;
}

function* nothingRunsTwice({ executions, tasks }: History): Generator<string> {
  const runs = group(executions, ({ key, node }) => `${key} ${node}`);
  for (const [node, times] of runs) if (times.length > 1) yield `${node} ran ${times.length} times`;
  const ran = new Set(executions.map(({ key }) => key));
  for (const { key, state } of tasks)
    if (state === "Succeeded" && !ran.has(key)) yield `${key} succeeded without having run`;
}

const RANK: Readonly<Record<TaskState, number>> = {
  Initializing: 0,
  Running: 1,
  Succeeded: 2,
  Failed: 2,
  Stopped: 2,
};

function* stateIsMonotonic({ outbox, tasks }: History): Generator<string> {
  const changes = group(outbox, ({ taskId }) => taskId);
  for (const { id, version, state } of tasks) {
    const own = (changes.get(id) ?? []).toSorted((a, b) => a.version - b.version);
    yield* gaps(id, own);
    const last = own.at(-1);
    if (last?.version !== version || last.state !== state)
      yield `${id} is ${state} at version ${version}, its last change says ${last?.state} at ${last?.version}`;
    for (const [index, { state: after }] of own.entries()) {
      const before = own[index - 1]?.state ?? "Initializing";
      const left = isTerminal(before) && after !== before;
      if (left || RANK[after] < RANK[before]) yield `${id} went from ${before} to ${after}`;
    }
  }
}

function* gaps(id: string, events: readonly EventFact[]): Generator<string> {
  const versions = events.map(({ version }) => version);
  if (versions.some((version, index) => version !== index + 1))
    yield `${id} has versions ${versions.join(" ")}`;
}

function* everyChangeIsPublished({ outbox, stream }: History): Generator<string> {
  const published = group(stream, ({ taskId }) => taskId);
  const written = group(outbox, ({ taskId }) => taskId);
  for (const event of outbox)
    if (!event.published) yield `version ${event.version} of ${event.taskId} is not marked as published`;
  for (const [id, changes] of written) {
    const wanted = changes.toSorted((a, b) => a.version - b.version).map(({ eventId }) => eventId);
    const found = (published.get(id) ?? []).map(({ eventId }) => eventId);
    if (wanted.join() !== found.join())
      yield `${id} has ${wanted.length} changes, the stream has versions ${(published.get(id) ?? []).map(({ version }) => version).join(" ")}`;
  }
  for (const id of published.keys())
    if (!written.has(id)) yield `the stream knows ${id}, the outbox does not`;
}

function* consumersConverge({ projection, tasks }: History): Generator<string> {
  const seen = new Map(projection.map((each) => [each.taskId, each]));
  for (const { id, state, version } of tasks) {
    const found = seen.get(id);
    if (found?.state !== state || found.version !== version)
      yield `${id} is ${state} at version ${version}; log-svc believes ${found?.state} at ${found?.version}`;
  }
}

function* eachLineOnceInOrder({ logs, tasks, expected }: History): Generator<string> {
  const logsOf = group(logs, ({ taskId }) => taskId);
  for (const { id, key, state } of tasks) {
    const own = logsOf.get(id) ?? [];
    const lines = expected.get(key)?.lines;
    if (lines === undefined) continue;
    const whole = state === "Succeeded" || state === "Failed";
    if (whole && own.length === 0) yield `${key} has no log`;
    for (const { node, texts } of own) {
      const wrong = texts.findIndex((text, at) => text !== `line ${at}`);
      if (wrong >= 0)
        yield `${key} ${node}: ${JSON.stringify(texts[wrong] ?? "a gap")} instead of "line ${wrong}"`;
      else if (texts.length > lines || (whole && texts.length < lines))
        yield `${key} ${node}: ${texts.length} lines instead of ${lines}`;
    }
  }
}

function* stopWins({ tasks }: History): Generator<string> {
  for (const { key, state, stopRequested, nodeStates } of tasks) {
    if (stopRequested && state !== "Stopped") yield `${key} was asked to stop and is ${state}`;
    if (!stopRequested && state === "Stopped") yield `${key} is Stopped, and nobody asked for it`;
    if (isTerminal(state) && nodeStates.some((node) => node === "Running"))
      yield `${key} is ${state}, and a node of it is said to run`;
  }
}

const byId = (tasks: readonly TaskFact[]) => new Map(tasks.map((task) => [task.id, task]));

function group<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  return Map.groupBy(items, keyOf);
}
