import { describe, expect, test } from "vitest";
import { checkWorkflows } from "./workflow-check.ts";
import type { WorkflowHistory } from "./workflow-history.ts";

const graph = new Map<string, readonly string[]>([
  ["a", []],
  ["b", ["a"]],
]);
const event = (
  version: number,
  state: WorkflowHistory["outbox"][number]["state"],
  nodes: WorkflowHistory["outbox"][number]["nodes"],
) => ({ eventId: `e${version}`, runId: "r", version, state, nodes, published: true });

/** A run of two nodes, the first a task, as it should be. */
const GOOD: WorkflowHistory = {
  accepted: [{ key: "k", runId: "r" }],
  expected: new Map([["k", { end: "Succeeded", graph }]]),
  runs: [{ id: "r", key: "k", version: 4, state: "Succeeded" }],
  nodes: [
    { runId: "r", key: "a", state: "Succeeded", attempt: 1, taskId: "t" },
    { runId: "r", key: "b", state: "Succeeded", attempt: 1, taskId: null },
  ],
  outbox: [
    event(1, "Created", []),
    event(2, "Running", [{ key: "a", state: "Queued", attempt: 1 }]),
    event(3, "Running", [
      { key: "a", state: "Succeeded", attempt: 1 },
      { key: "b", state: "Running", attempt: 1 },
    ]),
    event(4, "Succeeded", [{ key: "b", state: "Succeeded", attempt: 1 }]),
  ],
  stream: [1, 2, 3, 4].map((version) => ({ eventId: `e${version}`, runId: "r", version })),
  tasks: [{ id: "t", runId: "r", state: "Succeeded" }],
  executions: ["r.a"],
};

test("a history as it should be breaks nothing", () => {
  expect(checkWorkflows(GOOD)).toEqual([]);
});

describe("a breach is found", () => {
  const [run] = GOOD.runs;
  const [nodeA, nodeB] = GOOD.nodes;
  if (run === undefined || nodeA === undefined || nodeB === undefined) throw new Error("GOOD has them");
  const BREACHES: readonly (readonly [string, string, Partial<WorkflowHistory>])[] = [
    ["I1", "a run that is gone", { runs: [], outbox: [], stream: [], nodes: [], tasks: [], executions: [] }],
    ["I1", "a run that never ended", { runs: [{ ...run, state: "Running" }] }],
    ["I1", "another end", { expected: new Map([["k", { end: "Failed", graph }]]) }],
    ["I2", "a second run of one order", { runs: [run, { ...run, id: "r2" }] }],
    ["I3", "a command that ran twice", { executions: ["r.a", "r.a"] }],
    [
      "I3",
      "a task that no node asked for",
      { tasks: [...GOOD.tasks, { id: "x", runId: "r", state: "Succeeded" }] },
    ],
    ["I3", "a success without a run", { executions: [] }],
    ["I4", "a missing version", { outbox: GOOD.outbox.filter(({ version }) => version !== 3) }],
    [
      "I4",
      "a node that left its end",
      {
        outbox: [
          ...GOOD.outbox.slice(0, 3),
          event(4, "Succeeded", [{ key: "a", state: "Failed", attempt: 1 }]),
        ],
      },
    ],
    ["I4", "a row that differs from the events", { nodes: [nodeA, { ...nodeB, state: "Failed" }] }],
    [
      "I5",
      "an event that is not published",
      { outbox: GOOD.outbox.map((each) => ({ ...each, published: false })) },
    ],
    ["I5", "another order in the stream", { stream: GOOD.stream.toReversed() }],
    ["I6", "a task that ended otherwise", { tasks: [{ id: "t", runId: "r", state: "Failed" }] }],
    [
      "I7",
      "a start before the upstream's end",
      {
        outbox: [
          event(1, "Created", []),
          event(2, "Running", [{ key: "b", state: "Running", attempt: 1 }]),
          ...GOOD.outbox.slice(2),
        ],
      },
    ],
    ["I7", "an end before the nodes'", { outbox: GOOD.outbox.map((each) => ({ ...each, nodes: [] })) }],
    ["I9", "a cancellation nobody asked for", { runs: [{ ...run, state: "Cancelled" }] }],
  ];
  test.each(BREACHES)("%s: %s", (promise, _what, change) => {
    expect(checkWorkflows({ ...GOOD, ...change }).map((each) => each.promise)).toContain(promise);
  });
});
