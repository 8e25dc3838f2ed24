/**
 * A run in its owner's memory: the core's run with what the rows hold beside it. `step` lets the core take facts in and puts
 * everything that is to be committed together; nothing is done here, and after a failed commit the whole is thrown away.
 */
import { isTerminalRun, type RunNodeState, type WorkflowDefinition } from "@aiep/contracts";
import type { ComponentRegistry } from "../components/registry.ts";
import {
  advance,
  type Fact,
  newRun,
  nodeView,
  outstanding,
  type Run,
  type RunColumns,
  type RunGraph,
  rebuild,
  runColumns,
  statusEvents,
} from "../domain/engine/index.ts";
import type { NodeRecord, RunPhase, Scope } from "../domain/engine/model.ts";
import { recordOf } from "../domain/engine/run.ts";
import { scopeOf } from "../domain/engine/turn.ts";
import type { Json } from "../domain/values/index.ts";
import { identityOf } from "../store/outbox.ts";
import type { RunStep } from "../store/owned-runs.ts";
import type { LoadedRun, NodeRow, RunFacts, RunStatus } from "../store/run-store.ts";
import type { RunEnv } from "./engine-env.ts";
import type { AnyAttempt, Executors } from "./executors/executors.ts";
import type { Letter } from "./run-letter.ts";
import { partsOf, type RunParts } from "./run-parts.ts";

export interface LiveRunDeps {
  readonly facts: RunFacts;
  readonly definition: WorkflowDefinition;
  readonly graph: RunGraph;
  readonly env: RunEnv;
  readonly registry: ComponentRegistry;
  readonly executors: Executors;
}

/** What is to be done once the step is committed. */
export interface Effects extends Readonly<Omit<RunParts, "commands" | "requests" | "attempts" | "remember">> {
  /** Attempts that are at work no more. */
  readonly over: readonly string[];
  /** Ended well in this step, with what the node left. */
  readonly succeeded: readonly NodeRecord[];
}

export interface Step {
  /** Undefined: nothing changed, nothing is to be written. */
  readonly commit: Omit<RunStep, "epoch" | "now" | "also"> | undefined;
  readonly effects: Effects;
  readonly dropped: number;
  readonly wakeAt: number | null;
  readonly ended: boolean;
}

export class LiveRun {
  readonly #deps: LiveRunDeps;
  readonly #run: Run;
  readonly #states = new Map<string, RunNodeState>();
  readonly #counts = new Map<RunNodeState, number>();
  readonly #remembered = new Map<string, Json>();
  #version: number;

  constructor(deps: LiveRunDeps, loaded: LoadedRun) {
    this.#deps = deps;
    this.#version = loaded.status.version;
    this.#run =
      loaded.status.state === "Created" && loaded.nodes.length === 0
        ? newRun(deps.graph)
        : rebuild(deps.graph, {
            run: columnsOf(loaded.status),
            nodes: loaded.nodes.map(({ view }) => view),
          });
    this.#counts.set("Waiting", deps.graph.nodes.length);
    for (const { node } of this.#run.slots) this.#states.set(node.definition.id, "Waiting");
    for (const { view, executor } of loaded.nodes) {
      this.#count(view.key, view.state);
      if (executor !== null) this.#remembered.set(view.key, executor);
    }
  }

  get phase(): RunPhase {
    return this.#run.phase;
  }

  get ended(): boolean {
    return isTerminalRun(this.#run.phase.state);
  }

  get version(): number {
    return this.#version;
  }

  record(key: string): NodeRecord | undefined {
    const slot = this.#run.byKey.get(key);
    return slot === undefined ? undefined : recordOf(slot);
  }

  /** Attempts that the rows say are at work, prepared again; what cannot be prepared any more fails. */
  atWork(now: number): { readonly attempts: Effects["begin"]; readonly facts: readonly Fact[] } {
    const attempts: { attempt: AnyAttempt; remembered: Json }[] = [];
    const facts: Fact[] = [];
    for (const slot of this.#run.byKey.values()) {
      const { state } = slot;
      if (slot.family !== null || !isAtWork(state)) continue;
      const prepared = this.#deps.env.prepare(recordOf(slot), state.attempt, scopeOf(this.#run, slot), now);
      if (prepared.ok) {
        const { input } = prepared.value;
        const attempt = { run: this.#deps.facts, key: slot.key, attempt: state.attempt, input };
        attempts.push({ attempt, remembered: this.#remembered.get(slot.key) ?? null });
      } else {
        const { reason, message } = prepared;
        const outcome = { kind: "failed", failure: "validation", reason, message } as const;
        facts.push({ type: "ended", key: slot.key, attempt: state.attempt, outcome });
      }
    }
    return { attempts, facts };
  }

  /** Stops that were asked for and not answered. */
  stops(): readonly { readonly key: string; readonly attempt: number; readonly remembered: Json }[] {
    return outstanding(this.#run).map(({ key, attempt }) => ({
      key,
      attempt,
      remembered: this.#remembered.get(key) ?? null,
    }));
  }

  /** What the workflow's expressions may read of its nodes. */
  scope(): Scope {
    const [slot] = this.#run.slots;
    return slot === undefined ? { node: () => undefined } : { node: scopeOf(this.#run, slot).node };
  }

  /** The attempt is at work and was asked to end. */
  isStopping(key: string, attempt: number): boolean {
    const state = this.record(key)?.state;
    return state !== undefined && "stopping" in state && state.stopping !== null && state.attempt === attempt;
  }

  step(letters: readonly Letter[], now: number): Step {
    const { facts, env } = this.#deps;
    const before = this.#run.phase;
    const result = advance(
      this.#run,
      letters.flatMap(({ facts: told }) => (typeof told === "function" ? told(this) : told)),
      now,
      env,
    );
    const parts = partsOf(this.#deps, result.decisions);
    for (const { remember } of letters) {
      if (remember === undefined || this.#attemptOf(remember.key) !== remember.attempt) continue;
      if (!parts.remember.has(remember.key)) parts.remember.set(remember.key, remember.value);
    }
    const touched = this.#remember(parts.remember, result.changed);
    const events = statusEvents(identityOf(facts), before, result);
    for (const { key, state } of result.changed) this.#count(key, state.state);
    const version = this.#version + events.length;
    const commands = [...parts.commands, ...letters.flatMap((letter) => letter.commands ?? [])];
    const answered = letters.flatMap(({ request }) => (request === undefined ? [] : [request]));
    const rows = [...result.changed, ...touched].map((record) => this.#row(record));
    const questions = parts.checkCache.length + parts.wantSlots.length + parts.releaseSlots.length;
    const changed = events.length + rows.length + commands.length + questions > 0;
    const commit = {
      facts,
      version: this.#version,
      status: statusOf(version, runColumns(this.#run.phase)),
      nodesByState: this.#countsNow(),
      nodes: rows,
      attempts: parts.attempts,
      events,
      commands,
      answered,
      requests: parts.requests,
    };
    this.#version = version;
    return {
      commit: changed ? commit : undefined,
      effects: {
        ...parts,
        over: result.changed.filter(({ state }) => !isAtWork(state)).map(({ key }) => key),
        succeeded: result.changed.filter(({ state }) => state.state === "Succeeded"),
      },
      dropped: result.dropped.length,
      wakeAt: result.wakeAt,
      ended: this.ended,
    };
  }

  /** Takes what is to be remembered over; returns the records that are written for its sake alone. */
  #remember(news: ReadonlyMap<string, Json>, changed: readonly NodeRecord[]): NodeRecord[] {
    for (const { key, state } of changed) if (!isOpen(state)) this.#remembered.delete(key);
    const written = new Set(changed.map(({ key }) => key));
    const touched: NodeRecord[] = [];
    for (const [key, value] of news) {
      const record = this.record(key);
      if (record === undefined || !isOpen(record.state)) continue;
      this.#remembered.set(key, value);
      if (!written.has(key)) touched.push(record);
    }
    return touched;
  }

  #attemptOf(key: string): number | undefined {
    const state = this.#run.byKey.get(key)?.state;
    return state !== undefined && isOpen(state) ? state.attempt : undefined;
  }

  #row(record: NodeRecord): NodeRow {
    return { view: nodeView(record), executor: this.#remembered.get(record.key) ?? null };
  }

  #count(key: string, state: RunNodeState): void {
    const before = this.#states.get(key);
    if (before !== undefined) this.#counts.set(before, (this.#counts.get(before) ?? 0) - 1);
    this.#counts.set(state, (this.#counts.get(state) ?? 0) + 1);
    this.#states.set(key, state);
  }

  #countsNow(): RunStep["nodesByState"] {
    return Object.fromEntries([...this.#counts].filter(([, count]) => count > 0));
  }
}

type State = NodeRecord["state"];

function isAtWork(state: State): state is Extract<State, { state: "Queued" | "Running" | "Suspended" }> {
  return state.state === "Queued" || state.state === "Running" || state.state === "Suspended";
}

function isOpen(state: State): state is Exclude<State, { finishedAt: number } | { state: "Waiting" }> {
  return isAtWork(state) || state.state === "Ready";
}

const date = (text: string | null): Date | null => (text === null ? null : new Date(text));
const text = (at: Date | null): string | null => at?.toISOString() ?? null;

function statusOf(version: number, columns: RunColumns): RunStatus {
  return {
    version,
    state: columns.state,
    reason: columns.reason,
    message: columns.message,
    startedAt: date(columns.started_at),
    finishedAt: date(columns.finished_at),
    deadlineAt: date(columns.deadline_at),
    pausedAt: date(columns.paused_at),
  };
}

function columnsOf(status: RunStatus): RunColumns {
  return {
    state: status.state,
    reason: status.reason,
    message: status.message,
    started_at: text(status.startedAt),
    finished_at: text(status.finishedAt),
    deadline_at: text(status.deadlineAt),
    paused_at: text(status.pausedAt),
  };
}
