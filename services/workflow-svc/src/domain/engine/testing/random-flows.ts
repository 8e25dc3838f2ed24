/** Random workflows that reach every rule of the engine, small so that they shrink to something readable. */
import { TRIGGER_RULES, type WorkflowDefinition, type WorkflowNode } from "@aiep/contracts";
import fc from "fast-check";
import { nodeId } from "./flows.ts";

const MAX_NODES = 7;

/** Mostly what is usual, so that runs get far. */
const rarely = <T>(value: fc.Arbitrary<T>, weight = 1): fc.Arbitrary<T | undefined> =>
  fc.oneof(
    { withCrossShrink: true },
    { weight: 6, arbitrary: fc.constant(undefined) },
    { weight, arbitrary: value },
  );

const node = fc.record({
  rule: fc.oneof(
    { weight: 1, arbitrary: fc.constant("all_success" as const) },
    { weight: 2, arbitrary: fc.constantFrom(...TRIGGER_RULES) },
  ),
  kind: fc.constantFrom("noop", "task", "noop", "task", "approval"),
  upstreams: fc.nat({ max: 2 ** MAX_NODES - 1 }),
  disabled: rarely(fc.constant(true)),
  condition: rarely(fc.constantFrom("true", "false", "error", "item odd", "item not 2")),
  items: rarely(fc.integer({ min: -1, max: 4 }), 2),
  width: rarely(fc.integer({ min: 1, max: 2 }), 3),
  retries: rarely(
    fc.record({
      max: fc.integer({ min: 1, max: 2 }),
      seconds: fc.constantFrom(0, 2, 10),
      on: fc.subarray(["user", "system", "timeout"] as const, { minLength: 1 }),
    }),
    3,
  ),
  queueTimeout: rarely(fc.constantFrom(3, 20)),
  runTimeout: rarely(fc.constantFrom(5, 30)),
  allowFailure: rarely(fc.constant(true)),
  slots: rarely(fc.constant(1)),
  cached: rarely(fc.constant(true)),
  priority: fc.constantFrom(0, 0, 0, 1, -1),
  approval: fc.record({
    seconds: rarely(fc.constantFrom(4, 15), 4),
    action: fc.constantFrom("fail", "skip", "approve"),
  }),
  bad: rarely(fc.constantFrom(true, 1)),
  reads: fc.nat({ max: 6 }),
});
type Sketch = typeof node extends fc.Arbitrary<infer T> ? T : never;

const sketch = fc.record({
  nodes: fc.array(node, { minLength: 1, maxLength: MAX_NODES }),
  final: rarely(fc.array(node, { minLength: 1, maxLength: 2 }), 2),
  finallySeconds: fc.constantFrom(5, 60),
  failFast: fc.boolean(),
  parallelism: rarely(fc.integer({ min: 1, max: 3 }), 4),
  runTimeout: rarely(fc.constantFrom(10, 60), 2),
});

export const definitions: fc.Arbitrary<WorkflowDefinition> = sketch.map((flow) => ({
  schema_version: 1,
  parameters: [],
  options: {
    on_failure: flow.failFast ? "fail_fast" : "continue",
    max_active_policy: "queue",
    priority: 0,
    time_dialect: "wtss",
    ...(flow.parallelism === undefined ? {} : { parallelism: flow.parallelism }),
    ...(flow.runTimeout === undefined ? {} : { run_timeout_seconds: flow.runTimeout }),
  },
  nodes: flow.nodes.map((each, at) => nodeOf(each, "n", at)),
  edges: edgesOf(flow.nodes, "n"),
  ...(flow.final === undefined
    ? {}
    : {
        finally: {
          nodes: flow.final.map((each, at) => nodeOf(each, "f", at)),
          edges: edgesOf(flow.final, "f"),
          run_timeout_seconds: flow.finallySeconds,
        },
      }),
  outputs: [],
}));

/** What happens: each number says what, and to which node. */
export const actions = fc.array(fc.nat({ max: 99_999 }), { maxLength: 120, size: "max" });

function nodeOf(each: Sketch, letter: string, at: number): WorkflowNode {
  const items = each.items ?? 0;
  return {
    id: nodeId(`${letter}${at}`),
    name: `${letter}${at}`,
    kind: each.kind,
    enabled: each.disabled !== true,
    trigger_rule: each.rule,
    allow_failure: each.allowFailure === true,
    priority: each.priority,
    manifest: {
      ...(each.bad === undefined ? {} : { bad: each.bad }),
      reads: [`n${each.reads}`],
      ...(each.approval.seconds === undefined ? {} : { approval_seconds: each.approval.seconds }),
      on_timeout: each.approval.action,
    },
    outputs: [{ name: "n", type: "number", ...(each.priority === 1 ? { default: 42 } : {}) }],
    output_directories: [],
    input_directories: [],
    ...(each.condition === undefined ? {} : { condition: each.condition }),
    ...(each.items === undefined
      ? {}
      : {
          for_each: {
            items: items < 0 ? "no list" : Array.from({ length: items }, (_, index) => index),
            max_items: 3,
            ...(each.width === undefined ? {} : { parallelism: each.width }),
          },
        }),
    ...(each.retries === undefined
      ? {}
      : {
          retries: {
            max: each.retries.max,
            on: each.retries.on,
            backoff_seconds: each.retries.seconds,
            factor: 3,
            max_backoff_seconds: 20,
          },
        }),
    ...(each.queueTimeout === undefined ? {} : { queue_timeout_seconds: each.queueTimeout }),
    ...(each.runTimeout === undefined ? {} : { run_timeout_seconds: each.runTimeout }),
    ...(each.slots === undefined ? {} : { pool: { name: "gpu", slots: each.slots } }),
    ...(each.cached === undefined ? {} : { cache: { ttl_seconds: 60 } }),
  };
}

/** Edges go from lower to higher numbers; bit k of `upstreams` is the edge from node k. */
function edgesOf(nodes: readonly Sketch[], letter: string): WorkflowDefinition["edges"] {
  return nodes.flatMap(({ upstreams }, to) =>
    Array.from({ length: to }, (_, from) => from)
      .filter((from) => (upstreams >> from) & 1)
      .map((from) => ({ source: nodeId(`${letter}${from}`), target: nodeId(`${letter}${to}`) })),
  );
}
