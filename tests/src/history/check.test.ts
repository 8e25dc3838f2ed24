import { describe, expect, it } from "vitest";
import { checkHistory } from "./check.ts";
import type { EventFact, History, PromiseId } from "./history.ts";

const event = (version: number, state: EventFact["state"], taskId = "t1"): EventFact => ({
  eventId: `${taskId}-${version}`,
  taskId,
  version,
  state,
});
const events = [event(1, "Initializing"), event(2, "Running"), event(3, "Succeeded")];

const GOOD: History = {
  accepted: [
    { key: "k1", taskId: "t1" },
    { key: "k1", taskId: "t1" },
  ],
  expected: new Map([["k1", { lines: 2, end: "Succeeded" }]]),
  tasks: [
    {
      id: "t1",
      key: "k1",
      version: 3,
      state: "Succeeded",
      reason: "Completed",
      message: "",
      nodeStates: ["Succeeded"],
      stopRequested: false,
    },
  ],
  outbox: events.map((each) => ({ ...each, published: true })),
  stream: events,
  projection: [{ taskId: "t1", state: "Succeeded", version: 3 }],
  executions: [{ key: "k1", node: "worker-0", pid: "7" }],
  logs: [{ taskId: "t1", node: "worker-0", texts: ["line 0", "line 1"] }],
  leftovers: [],
};

const task = GOOD.tasks[0];
if (task === undefined) throw new Error("the good history has a task");
const log = (...texts: (string | undefined)[]): Partial<History> => ({
  logs: [{ taskId: "t1", node: "worker-0", texts }],
});
const states = (...list: EventFact["state"][]): Partial<History> => {
  const made = list.map((state, index) => event(index + 1, state));
  return { outbox: made.map((each) => ({ ...each, published: true })), stream: made };
};

describe("checkHistory", () => {
  it("finds nothing in a history that keeps every promise", () => {
    expect(checkHistory(GOOD)).toEqual([]);
  });

  it.each<[PromiseId, string, Partial<History>]>([
    ["I1", "a task lost", { tasks: [], outbox: [], stream: [], projection: [], executions: [], logs: [] }],
    ["I1", "a task that never ends", { tasks: [{ ...task, state: "Running" }] }],
    ["I1", "another end than its command's", { expected: new Map([["k1", { lines: 2, end: "Failed" }]]) }],
    ["I2", "two answers to one key", { accepted: [...GOOD.accepted, { key: "k1", taskId: "t2" }] }],
    ["I2", "two tasks of one key", { tasks: [task, { ...task, id: "t2" }] }],
    ["I3", "two executions", { executions: [...GOOD.executions, { key: "k1", node: "worker-0", pid: "8" }] }],
    ["I3", "success without execution", { executions: [] }],
    ["I4", "an end that is left again", states("Initializing", "Succeeded", "Failed")],
    ["I4", "a step back", states("Running", "Initializing", "Succeeded")],
    ["I4", "a version twice", { outbox: [...GOOD.outbox, { ...event(3, "Succeeded"), published: true }] }],
    ["I4", "a change without event", { tasks: [{ ...task, version: 4 }] }],
    ["I5", "an event missing in the stream", { stream: events.slice(1) }],
    ["I5", "an event twice in the stream", { stream: [...events, event(3, "Succeeded")] }],
    ["I5", "events out of order", { stream: events.toReversed() }],
    ["I5", "a row never marked", { outbox: events.map((each) => ({ ...each, published: false })) }],
    ["I5", "an event nobody wrote", { stream: [...events, event(1, "Running", "t9")] }],
    ["I6", "a projection behind", { projection: [{ taskId: "t1", state: "Running", version: 2 }] }],
    ["I6", "a projection without the task", { projection: [] }],
    ["I8", "a line missing", log("line 0")],
    ["I8", "a line twice", log("line 0", "line 0", "line 1")],
    ["I8", "lines out of order", log("line 1", "line 0")],
    ["I8", "a gap", log("line 0", undefined)],
    ["I8", "no log", { logs: [] }],
    ["I9", "a stop that lost", { tasks: [{ ...task, stopRequested: true }] }],
    ["I9", "a stop nobody asked for", { tasks: [{ ...task, state: "Stopped" }] }],
    ["I9", "a node left running", { tasks: [{ ...task, nodeStates: ["Running"] }] }],
    ["I10", "something left over", { leftovers: ["process 7"] }],
  ])("%s: finds %s", (promise, _, change) => {
    expect(checkHistory({ ...GOOD, ...change }).map((each) => each.promise)).toContain(promise);
  });
});
