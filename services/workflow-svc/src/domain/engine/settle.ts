/**
 * What follows from ended nodes: trigger rules, conditions, lists of a for_each, their results, fail_fast. A work list, no
 * recursion: a chain of 10 000 skipped nodes needs no stack. O(out-degree) for every ended node (D21).
 */
import { MAX_OUTPUT_BYTES } from "@aiep/contracts";
import type { EndedNodeState, Json, Outputs } from "./model.ts";
import { DISABLED, decide } from "./rules.ts";
import { addChild, hasBegun, type Slot } from "./run.ts";
import { becomeReady, end, scopeOf, sweep, type Turn, transition } from "./turn.ts";

/** Of the collected outputs of a for_each node: they travel in one event. */
const MAX_COLLECTED_BYTES = 8 * MAX_OUTPUT_BYTES;

export function settle<Input>(turn: Turn<Input>): void {
  const { run, ended } = turn;
  do {
    for (let slot = ended.pop(); slot !== undefined; slot = ended.pop()) {
      if (slot.parent !== null) {
        closeFamily(turn, slot.parent);
        continue;
      }
      for (const at of slot.node.downstreams) {
        const downstream = run.slots[at];
        if (downstream !== undefined) consider(turn, downstream);
      }
    }
    failFast(turn);
  } while (ended.length > 0);
}

/** Nothing leaves Ready any more; what is at work finishes. Nodes behind the failed one say so, the others are cancelled. */
function failFast<Input>(turn: Turn<Input>): void {
  const { run } = turn;
  if (run.graph.onFailure !== "fail_fast" || run.broken === 0 || run.swept) return;
  run.swept = true;
  const message = "Another node failed, and the workflow stops at the first failure.";
  sweep(turn, { final: false }, { stopping: null, reason: "fail_fast", message });
}

/** Decided once: a node that is not Waiting any more is left alone (I7). */
export function consider<Input>(turn: Turn<Input>, slot: Slot): void {
  const { run } = turn;
  const { node } = slot;
  if (slot.state.state !== "Waiting" || !hasBegun(run) || (node.final && !run.inFinally)) return;
  const counts = run.upstreams[node.at];
  if (counts === undefined) return;
  const verdict = node.forced ? "run" : decide(node.definition.trigger_rule, counts);
  switch (verdict) {
    case "wait":
      return;
    case "skip":
      end(turn, slot, { state: "Skipped" }, "upstream", ruleMessage(slot, "was skipped"));
      return;
    case "upstream_failed":
      end(turn, slot, { state: "UpstreamFailed" }, "upstream", ruleMessage(slot, "cannot run"));
      return;
    case "run":
      admit(turn, slot);
      return;
    default:
      verdict satisfies never;
  }
}

function ruleMessage({ node }: Slot, what: string): string {
  return `The node ${what}: nodes before it did not end as its rule ${node.definition.trigger_rule} wants.`;
}

/** The rule holds: disabled, condition, list, and then it may start. */
function admit<Input>(turn: Turn<Input>, slot: Slot): void {
  const { definition, forced, traits } = slot.node;
  if (!definition.enabled && !forced) {
    end(turn, slot, { state: "Skipped" }, DISABLED, "The node is disabled.");
    return;
  }
  const perItem = slot.family !== null && traits.conditionPerItem;
  if (!perItem && !forced && !passes(turn, slot)) return;
  if (slot.family === null) becomeReady(turn, slot);
  else expand(turn, slot);
}

/** Asks the condition; a slot that does not pass has ended. */
function passes<Input>(turn: Turn<Input>, slot: Slot): boolean {
  if (slot.node.definition.condition === undefined) return true;
  const answer = turn.env.condition(slot.node, scopeOf(turn.run, slot));
  if (!answer.ok) refuse(turn, slot, answer.reason, answer.message);
  else if (!answer.value) end(turn, slot, { state: "Skipped" }, "condition", "Its condition is false.");
  return answer.ok && answer.value;
}

export function refuse<Input>(turn: Turn<Input>, slot: Slot, reason: string, message: string): void {
  end(turn, slot, { state: "Failed", failure: "validation" }, reason, message);
}

/** One child a item; the node itself is Running until all of them ended. */
function expand<Input>(turn: Turn<Input>, slot: Slot): void {
  const { env, now, run } = turn;
  const items = env.items(slot.node, scopeOf(run, slot));
  if (!items.ok) {
    refuse(turn, slot, items.reason, items.message);
    return;
  }
  const fault = faultOf(items.value, slot.node.definition.for_each?.max_items ?? 0);
  if (fault !== undefined) {
    refuse(turn, slot, fault.reason, fault.message);
    return;
  }
  transition(turn, slot, {
    state: "Running",
    attempt: 1,
    readyAt: now,
    startedAt: now,
    taskId: null,
    childRunId: null,
    reason: null,
    message: null,
    stopping: null,
  });
  const children = items.value.map((item) => addChild(run, slot, item));
  for (const child of children) {
    const { conditionPerItem } = slot.node.traits;
    if (!conditionPerItem || passes(turn, child)) becomeReady(turn, child);
  }
  if (children.length === 0) closeFamily(turn, slot);
}

function faultOf(items: readonly Json[], cap: number): { reason: string; message: string } | undefined {
  if (items.length > cap) {
    return {
      reason: "too_many_items",
      message: `The list has ${items.length} items; for_each.max_items allows ${cap}.`,
    };
  }
  const large = items.findIndex((item) => bytesOf(item) > MAX_OUTPUT_BYTES);
  if (large === -1) return undefined;
  return {
    reason: "item_too_large",
    message: `Item ${large} of the list is larger than ${MAX_OUTPUT_BYTES} bytes; pass a reference to it.`,
  };
}

/** All children ended: any failure fails the node, all skipped skips it, otherwise their outputs are its own, in order. */
function closeFamily<Input>(turn: Turn<Input>, slot: Slot): void {
  const { family } = slot;
  if (family === null || family.open > 0 || slot.state.state !== "Running") return;
  const states = family.children.map((child) => child.state);
  const failed = states.findIndex(({ state }) => state === "Failed" || state === "TimedOut");
  if (failed !== -1) {
    const first = states[failed];
    const count = states.filter(({ state }) => state === "Failed" || state === "TimedOut").length;
    const failure = first?.state === "Failed" ? first.failure : "timeout";
    const message = `${count} of ${states.length} children failed, the first is ${slot.key}[${failed}].`;
    end(turn, slot, { state: "Failed", failure }, "child_failed", message);
    return;
  }
  const cancelled = states.find(isCancelled);
  if (cancelled !== undefined) {
    end(turn, slot, { state: "Cancelled" }, cancelled.reason, cancelled.message);
    return;
  }
  if (states.length > 0 && states.every(({ state }) => state === "Skipped")) {
    end(turn, slot, { state: "Skipped" }, "condition", "Its condition is false for every item.");
    return;
  }
  const outputs = collect(slot, states);
  if (bytesOf(outputs) > MAX_COLLECTED_BYTES) {
    const limit = `${MAX_COLLECTED_BYTES} bytes`;
    refuse(turn, slot, "outputs_too_large", `The outputs of all children are more than ${limit} together.`);
    return;
  }
  end(turn, slot, { state: "Succeeded", outputs }, null, null);
}

/** Per name a list with one place a child; a child that left no such value has the declared default there, or null. */
function collect(slot: Slot, states: readonly Slot["state"][]): Outputs {
  const defaults = new Map(
    slot.node.definition.outputs.map(({ name, default: value }) => [name, value ?? null]),
  );
  const left = states.map((state) => (hasOutputs(state) ? state.outputs : {}));
  const names = new Set([...defaults.keys(), ...left.flatMap((outputs) => Object.keys(outputs))]);
  return Object.fromEntries(
    [...names].map((name) => [
      name,
      left.map((outputs) => (Object.hasOwn(outputs, name) ? outputs[name] : defaults.get(name)) ?? null),
    ]),
  );
}

function isCancelled(state: Slot["state"]): state is Extract<EndedNodeState, { state: "Cancelled" }> {
  return state.state === "Cancelled";
}

function hasOutputs(state: Slot["state"]): state is Extract<EndedNodeState, { outputs: Outputs }> {
  return state.state === "Succeeded" || state.state === "Cached";
}

const bytesOf = (value: Json | Outputs): number => Buffer.byteLength(JSON.stringify(value));
