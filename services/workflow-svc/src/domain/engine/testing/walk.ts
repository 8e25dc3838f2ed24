/**
 * A random life of a run: numbers become facts, the virtual clock goes on, the process dies now and then and goes on from
 * rows or from events. After every step the engine is compared with the reference and with the promises.
 */
import type { TaskId, WorkflowDefinition } from "@aiep/contracts";
import { advance } from "../advance.ts";
import type { Advance, AttemptOutcome, Fact, Ms, NodeRecord, RunGraph, RunPhase } from "../model.ts";
import { replay, type StatusEvent, statusEvents } from "../replay.ts";
import { newRun, type Run, records } from "../run.ts";
import { nodeView, rebuild, runColumns } from "../view.ts";
import { env, type Read } from "./flows.ts";
import { Promises } from "./promises.ts";
import { Reference, type Told } from "./reference.ts";

const IDENTITY = {
  run_id: "r".repeat(32),
  experiment_id: "e".repeat(32),
  group_id: "g",
  experiment_name: "walk",
  version_name: "v1",
} as Parameters<typeof statusEvents>[0]; // branded ids, never looked at

type Step = typeof advance<Read>;

export interface WalkOptions {
  /** The engine, or a mutant of it. */
  readonly step?: Step;
}

/** Throws what it finds; returns the number of steps. */
export function walk(
  definition: WorkflowDefinition,
  graph: RunGraph,
  actions: readonly number[],
  { step = advance }: WalkOptions = {},
): number {
  const walker = new Walker(definition, graph, step);
  walker.take({ type: "begin" });
  for (const action of actions) walker.act(action);
  walker.finish();
  return walker.steps;
}

class Walker {
  steps = 0;
  #run: Run;
  #now: Ms = 1_000_000;
  #wakeAt: Ms | null = null;
  #asks: Fact[] = [];
  readonly #history: { readonly before: RunPhase; readonly did: Advance<Read> }[] = [];
  readonly #reference: Reference;
  readonly #promises: Promises;
  readonly #graph: RunGraph;
  readonly #step: Step;

  constructor(definition: WorkflowDefinition, graph: RunGraph, step: Step) {
    const main = definition.edges.map(({ source, target }) => [source, target] as const);
    const last = (definition.finally?.edges ?? []).map(({ source, target }) => [source, target] as const);
    this.#graph = graph;
    this.#run = newRun(graph);
    this.#reference = new Reference(definition, [...main, ...last], graph, env);
    this.#promises = new Promises(graph);
    this.#step = step;
  }

  /** One step of both, compared. */
  take(fact: Fact | null): void {
    this.steps += 1;
    const before = this.#run.phase;
    const did = this.#step(this.#run, fact === null ? [] : [fact], this.#now, env);
    const told = this.#reference.step(fact, this.#now);
    this.#wakeAt = did.wakeAt;
    this.#history.push({ before, did });
    for (const decision of did.decisions) {
      if (decision.type === "check_cache") this.#asks.push({ ...decision, type: "cache_checked", hit: null });
      if (decision.type === "want_slots") this.#asks.push({ ...decision, type: "slots_granted" });
    }
    compareTold(did, told, before.state);
    compareStates(this.#run, this.#reference);
    same(did.wakeAt, this.#reference.wakeAt(), "wakeAt");
    this.#promises.check(this.#run, did);
  }

  act(action: number): void {
    const kind = action % 100;
    const pick = Math.floor(action / 100);
    if (kind < 40) this.#end(pick, { kind: "succeeded", outputs: { n: pick % 7 } });
    else if (kind < 52) this.#end(pick, failures[pick % failures.length] ?? succeeded);
    else if (kind < 61) this.#report(pick);
    else if (kind < 67) this.#decide(pick);
    else if (kind < 79) this.#answer(pick);
    else if (kind < 86) this.#wait(this.#wakeAt === null ? 1000 : this.#wakeAt - this.#now);
    else if (kind < 88) this.take({ type: "pause" });
    else if (kind < 91) this.take({ type: "resume" });
    else if (kind < 92) this.take({ type: "cancel", message: null });
    else if (kind < 94) this.#stale(pick);
    else if (kind < 96) this.#crash("rows");
    else if (kind < 97) this.#crash("events");
    else if (kind < 98) this.take({ type: "queue", reason: "late", message: "late" });
    else this.#wait((pick % 40) * 1000);
  }

  /** Everything is answered and ends: so must the run. */
  finish(): void {
    this.take({ type: "resume" });
    for (let rounds = 0; this.#reference.finishedAt === null; rounds += 1) {
      if (rounds > 2000) throw new Error("the run never ends");
      const active = this.#records((state) => state === "Queued" || state === "Running");
      if (active.length > 0) this.#end(0, succeeded);
      else if (this.#asks.length > 0) this.#answer(0);
      else if (this.#records((state) => state === "Suspended").length > 0) this.#decide(0);
      else if (this.#wakeAt !== null) this.#wait(this.#wakeAt - this.#now);
      else throw new Error(`the run is stuck: ${describe(this.#run)}`);
    }
  }

  #records(matches: (state: string) => boolean): NodeRecord[] {
    return [...records(this.#run)].filter(
      ({ state, node, child }) =>
        matches(state.state) && (child !== null || node.definition.for_each === undefined),
    );
  }

  #end(pick: number, outcome: AttemptOutcome): void {
    const active = this.#records((state) => state === "Queued" || state === "Running");
    const record = active[pick % (active.length || 1)];
    if (record === undefined) this.#wait(1000);
    else this.take({ type: "ended", ...attemptOf(record), outcome });
  }

  #report(pick: number): void {
    const active = this.#records((state) => state === "Queued" || state === "Running" || state === "Ready");
    const record = active[pick % (active.length || 1)];
    if (record === undefined) {
      this.#wait(1000);
      return;
    }
    const attempt = attemptOf(record);
    const taskId = "t".repeat(32) as TaskId; // branded, never looked at
    if (pick % 4 === 0) this.take({ type: "accepted", ...attempt, taskId });
    else if (pick % 4 === 1) this.take({ type: "progress", ...attempt, reason: "quota", message: "waits" });
    else this.take({ type: "started", ...attempt });
  }

  #decide(pick: number): void {
    const suspended = this.#records((state) => state === "Suspended");
    const key = suspended[pick % (suspended.length || 1)]?.key;
    if (key === undefined) {
      this.#answer(pick);
      return;
    }
    if (pick % 3 === 2) this.take({ type: "rejected", key, message: "no" });
    else this.take({ type: "approved", key, outputs: { ok: true }, message: null });
  }

  #answer(pick: number): void {
    const [fact] = this.#asks.splice(pick % (this.#asks.length || 1), 1);
    if (fact?.type === "cache_checked" && pick % 3 === 1) {
      this.take({ ...fact, hit: { outputs: { n: 1 }, fromRunId: IDENTITY.run_id } });
    } else this.take(fact ?? null);
  }

  #wait(time: Ms): void {
    this.#now += Math.max(time, 0);
    this.take(null);
  }

  /** What a late message may say. */
  #stale(pick: number): void {
    const all = [...records(this.#run)];
    const record = all[pick % all.length];
    const attempt = record === undefined ? { key: "nobody", attempt: 1 } : attemptOf(record);
    const shifted = { ...attempt, attempt: attempt.attempt + ((pick % 3) - 1) };
    if (pick % 2 === 0) this.take({ type: "ended", ...shifted, outcome: succeeded });
    else this.take({ type: "slots_granted", ...shifted });
  }

  #events(): StatusEvent["data"][] {
    return this.#history.flatMap(({ before, did }) =>
      statusEvents(IDENTITY, before, did).map(({ data }) => data),
    );
  }

  #crash(from: "rows" | "events"): void {
    const rebuilt =
      from === "rows"
        ? rebuild(this.#graph, {
            run: runColumns(this.#run.phase),
            nodes: [...records(this.#run)].map(nodeView),
          })
        : replay(this.#graph, this.#events());
    compareRuns(rebuilt, this.#run);
    this.#run = rebuilt;
    this.#asks = [];
    this.#reference.forget();
    this.take(null);
  }
}

const succeeded: AttemptOutcome = { kind: "succeeded", outputs: { n: 1 } };
const failed = (failure: "user" | "system" | "timeout" | "validation"): AttemptOutcome => ({
  kind: "failed",
  failure,
  reason: failure,
  message: failure,
});
const failures: readonly AttemptOutcome[] = [
  failed("user"),
  failed("system"),
  failed("timeout"),
  failed("validation"),
  { kind: "cancelled", reason: "stopped", message: "stopped" },
];

function attemptOf({ key, state }: NodeRecord): { key: string; attempt: number } {
  return { key, attempt: "attempt" in state ? state.attempt : 0 };
}

function same(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected) throw new Error(`${what}: ${String(actual)} instead of ${String(expected)}`);
}

function sameText(actual: unknown, expected: unknown, what: string): void {
  if (actual === expected) return;
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: ${a} instead of ${b}`);
}

function compareTold(did: Advance<Read>, told: Told, before: string): void {
  same(did.dropped.length, told.dropped, "dropped facts");
  const of = (type: string) => did.decisions.filter((decision) => decision.type === type);
  const starts = did.decisions.flatMap((d) =>
    d.type === "start" ? [{ key: d.key, attempt: d.attempt, input: d.input }] : [],
  );
  if (starts.length + told.starts.length > 0) sameText(starts, told.starts, "starts");
  if (did.decisions.length !== starts.length || told.asks.length + told.stops.length + told.over.length > 0) {
    const asks = did.decisions.flatMap((d) =>
      d.type === "check_cache" || d.type === "want_slots"
        ? [`${d.type === "check_cache" ? "cache" : "slots"} ${d.key}#${d.attempt}`]
        : [],
    );
    sameText(asks, told.asks, "questions");
    sameText(of("stop").map(keyOf).sort(), [...told.stops].sort(), "stops");
    sameText(of("release_slots").map(keyOf).sort(), [...told.releases].sort(), "released slots");
    const over = did.decisions.flatMap((d) => (d.type === "attempt_over" ? [`${d.key}#${d.attempt}`] : []));
    sameText(over.sort(), [...told.over].sort(), "attempts that are over");
  }
  const words = did.phases.map(({ state }) => state);
  // A new deadline is a new phase in the same state.
  sameText(distinct([before, ...words]), distinct([before, ...told.phases]), "phases");
}

const keyOf = ({ key }: { readonly key: string }): string => key;
const distinct = (words: readonly string[]): string[] => words.filter((word, at) => word !== words[at - 1]);

function compareStates(run: Run, reference: Reference): void {
  same(run.phase.state, reference.state, "state of the run");
  const { phase } = run;
  same("deadlineAt" in phase ? phase.deadlineAt : null, reference.deadlineAt, "deadline of the run");
  let at = 0;
  for (const { key, state } of records(run)) {
    const other = reference.nodes[at];
    at += 1;
    if (other === undefined) throw new Error(`${key} is unknown to the reference`);
    same(key, other.key, "key");
    if (state.state !== other.state) throw new Error(`${key} is ${state.state} instead of ${other.state}`);
    if (state.state === "Waiting") continue;
    same(state.attempt, other.attempt, `attempt of ${key}`);
    same(state.readyAt, other.readyAt, `readyAt of ${key}`);
    if (state.state === "Ready") continue;
    same(state.startedAt, other.startedAt, `startedAt of ${key}`);
    same(state.reason, other.reason, `reason of ${key}`);
    same(state.taskId, other.taskId, `task of ${key}`);
    if ("finishedAt" in state) same(state.finishedAt, other.finishedAt, `finishedAt of ${key}`);
    if ("stopping" in state) same(state.stopping, other.stopping, `stopping of ${key}`);
    if ("retryAt" in state) same(state.retryAt, other.retryAt, `retryAt of ${key}`);
    if ("failure" in state) same(state.failure, other.failure, `failure of ${key}`);
    if ("outputs" in state) sameText(state.outputs, other.outputs, `outputs of ${key}`);
  }
  same(at, reference.nodes.length, "number of nodes");
}

/** What is derived must be what was kept up to date. Questions and answers are not in rows: they are asked again. */
function compareRuns(rebuilt: Run, live: Run): void {
  sameText(shown(rebuilt), shown(live), "rebuilt rows");
  sameText(runColumns(rebuilt.phase), runColumns(live.phase), "rebuilt run");
  for (const name of ["openMain", "openFinal", "active", "broken", "inFinally"] as const) {
    same(rebuilt[name], live[name], `rebuilt ${name}`);
  }
  sameText(rebuilt.upstreams, live.upstreams, "rebuilt counts");
  for (const [at, slot] of rebuilt.slots.entries()) {
    same(slot.family?.open, live.slots[at]?.family?.open, `rebuilt family of ${slot.key}`);
  }
}

/** States whatever the order of their keys. */
const shown = (run: Run) => [...records(run)].map(({ key, child, state }) => [key, child, sorted(state)]);
const sorted = (state: object) => Object.entries(state).sort(([a], [b]) => (a < b ? -1 : 1));

function describe(run: Run): string {
  return [run.phase.state, ...[...records(run)].map(({ key, state }) => `${key}=${state.state}`)].join(" ");
}
