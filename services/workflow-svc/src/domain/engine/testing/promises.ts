/** Promises of the design (section 12) checked at every step, without knowing how the engine works. */
import type { Advance, NodeState, RunGraph } from "../model.ts";
import { decide, endingOf } from "../rules.ts";
import { type Run, records } from "../run.ts";

const ENDED_RUNS = new Set(["Succeeded", "Failed", "Cancelled", "TimedOut"]);

export class Promises {
  readonly #started = new Set<string>();
  readonly #ended = new Map<string, NodeState>();
  readonly #stopped = new Set<string>();
  readonly #graph: RunGraph;
  #over = false;

  constructor(graph: RunGraph) {
    this.#graph = graph;
  }

  check(run: Run, did: Advance<unknown>): void {
    for (const decision of did.decisions) {
      if (decision.type === "stop") this.#stopped.add(`${decision.key}#${decision.attempt}`);
      if (decision.type === "start") this.#startedOnce(run, decision.key, decision.attempt);
    }
    let allEnded = true;
    let active = 0;
    for (const { key, node, child, state } of records(run)) {
      const before = this.#ended.get(key);
      // I4
      if (before !== undefined && differs(before, state))
        throw new Error(`I4: ${key} changed after it had ended`);
      const ended = endingOf(node, state) !== undefined;
      if (ended) this.#ended.set(key, state);
      else allEnded = false;
      // I9
      const { state: word } = state;
      if (word === "Succeeded" && this.#stopped.has(`${key}#${state.attempt}`)) {
        throw new Error(`I9: ${key} succeeded after its stop`);
      }
      const parent = child === null && node.definition.for_each !== undefined;
      if ((word === "Queued" || word === "Running") && !parent) active += 1;
    }
    // I7
    const over = ENDED_RUNS.has(run.phase.state);
    if (over !== allEnded && run.phase.state !== "Created" && run.phase.state !== "Queued") {
      throw new Error(
        `I7: the run is ${run.phase.state}, its nodes ${allEnded ? "all" : "have not all"} ended`,
      );
    }
    if (this.#over && did.changed.length + did.phases.length > 0)
      throw new Error("I4: the run changed after its end");
    this.#over = over;
    if (active > this.#graph.parallelism)
      throw new Error(`${active} nodes at work, more than the run allows`);
  }

  /** I3, I7. */
  #startedOnce(run: Run, key: string, attempt: number): void {
    const name = `${key}#${attempt}`;
    if (this.#started.has(name)) throw new Error(`I3: ${name} was started twice`);
    if (attempt > 1 && !this.#started.has(`${key}#${attempt - 1}`) && !run.byKey.has(key)) {
      throw new Error(`I3: ${name} has no predecessor`);
    }
    this.#started.add(name);
    const slot = run.byKey.get(key);
    if (slot === undefined) throw new Error(`${key} is no node`);
    const counts = { open: 0, good: 0, bad: 0, skipped: 0 };
    for (const at of slot.node.upstreams) {
      const up = run.slots[at];
      const ending = up === undefined ? undefined : endingOf(up.node, up.state);
      counts[ending ?? "open"] += 1;
    }
    if (decide(slot.node.definition.trigger_rule, counts) !== "run")
      throw new Error(`I7: ${key} started against its rule`);
  }
}

/** Not by identity: a run read from rows has states of its own. */
function differs(a: NodeState, b: NodeState): boolean {
  return a.state !== b.state || ("finishedAt" in a && "finishedAt" in b && a.finishedAt !== b.finishedAt);
}
