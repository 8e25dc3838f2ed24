/**
 * The engine once more, slow and obvious: after every fact it looks at every node again, until nothing changes. It shares
 * no code with the engine (only its types) and keeps no counters, queues or alarms; property tests hold the engine to it.
 */
import type { RunNodeView, WorkflowDefinition, WorkflowNode } from "@aiep/contracts";
import type {
  AttemptOutcome,
  EngineEnv,
  Fact,
  GraphNode,
  Json,
  Ms,
  NodeRecord,
  Outputs,
  RunGraph,
  Scope,
  StopReason,
} from "../model.ts";

interface RefNode {
  readonly key: string;
  readonly graphNode: GraphNode;
  readonly node: WorkflowNode;
  readonly final: boolean;
  readonly child: { readonly index: number; readonly item: Json } | null;
  state: RunNodeView["state"];
  attempt: number;
  readyAt: Ms | null;
  startedAt: Ms | null;
  finishedAt: Ms | null;
  retryAt: Ms | null;
  deadlineAt: Ms | null;
  onDeadline: "fail" | "skip" | "approve" | null;
  stopping: StopReason | null;
  failure: string | null;
  reason: string | null;
  outputs: Outputs | null;
  taskId: string | null;
  asked: boolean;
  granted: boolean;
  cacheKnown: boolean;
}

export interface Told {
  readonly starts: { key: string; attempt: number; input: unknown }[];
  readonly asks: string[];
  readonly stops: string[];
  readonly releases: string[];
  readonly over: string[];
  readonly phases: string[];
  dropped: number;
}

const ENDED = new Set([
  "Succeeded",
  "Failed",
  "TimedOut",
  "Cancelled",
  "Skipped",
  "UpstreamFailed",
  "Cached",
]);
const AT_WORK = new Set(["Queued", "Running"]);

export class Reference {
  readonly nodes: RefNode[];
  state = "Created";
  startedAt: Ms | null = null;
  finishedAt: Ms | null = null;
  deadlineAt: Ms | null = null;
  pausedAt: Ms | null = null;
  cause: "cancelled" | "run_timeout" | null = null;
  finallyBegan = false;
  #now = 0;
  #told: Told = fresh();
  readonly #definition: WorkflowDefinition;
  readonly #edges: readonly (readonly [string, string])[];
  readonly #env: EngineEnv<unknown>;
  readonly #graph: RunGraph;

  constructor(
    definition: WorkflowDefinition,
    edges: readonly (readonly [string, string])[],
    graph: RunGraph,
    env: EngineEnv<unknown>,
  ) {
    this.#definition = definition;
    this.#edges = edges;
    this.#graph = graph;
    this.#env = env;
    this.nodes = graph.nodes.map((graphNode) => blank(graphNode, null));
  }

  /** Takes one fact (or none) into account, and what is due. */
  step(fact: Fact | null, now: Ms): Told {
    this.#now = now;
    this.#told = fresh();
    if (fact !== null && !this.#apply(fact)) this.#told.dropped += 1;
    this.#follow();
    while (this.#due() || this.#startSomething()) this.#follow();
    if (this.state === "Pausing" && !this.nodes.some((n) => this.#isActive(n))) {
      this.pausedAt = now;
      this.#enter("Paused");
    }
    return { ...this.#told, asks: this.#told.asks.filter((ask) => this.#isAsked(ask)) };
  }

  #isAsked(ask: string): boolean {
    return this.nodes.some((n) => n.asked && ask.endsWith(` ${n.key}#${n.attempt}`));
  }

  /** The process died: questions that were not answered are asked again. */
  forget(): void {
    for (const n of this.nodes) {
      if (n.state !== "Ready") continue;
      n.asked = false;
      n.granted = false;
      n.cacheKnown = false;
    }
  }

  wakeAt(): Ms | null {
    const times = this.nodes.flatMap((n) => this.#alarm(n) ?? []);
    if (this.deadlineAt !== null && ["Running", "Pausing", "Cancelling"].includes(this.state))
      times.push(this.deadlineAt);
    return times.length === 0 ? null : Math.min(...times);
  }

  /* ------------------------------------------------------------ facts */

  #apply(fact: Fact): boolean {
    if (this.finishedAt !== null) return false;
    switch (fact.type) {
      case "queue":
        if (this.state !== "Created" && this.state !== "Queued") return false;
        this.#enter("Queued");
        return true;
      case "begin":
        if (this.state !== "Created" && this.state !== "Queued") return false;
        this.startedAt = this.#now;
        this.deadlineAt = this.#graph.runTimeoutMs === null ? null : this.#now + this.#graph.runTimeoutMs;
        this.#enter("Running");
        return true;
      case "pause":
        if (this.state !== "Running") return false;
        this.#enter("Pausing");
        for (const n of this.nodes) {
          if (n.state !== "Ready") continue;
          if (n.node.pool !== undefined) this.#told.releases.push(n.key);
          n.granted = false;
          n.asked = false;
        }
        return true;
      case "resume":
        if (this.state !== "Pausing" && this.state !== "Paused") return false;
        this.#endPause();
        this.#enter("Running");
        return true;
      case "cancel":
        return this.#cancel();
      default:
        return this.#applyToNode(fact);
    }
  }

  #endPause(): void {
    if (this.state === "Paused" && this.pausedAt !== null && this.deadlineAt !== null) {
      this.deadlineAt += this.#now - this.pausedAt;
    }
    this.pausedAt = null;
    for (const n of this.nodes) {
      if (n.state === "Ready" && n.node.queue_timeout_seconds !== undefined) n.readyAt = this.#now;
    }
  }

  #cancel(): boolean {
    if (this.state === "Cancelling") return false;
    this.cause = "cancelled";
    if (this.startedAt === null) {
      for (const n of this.nodes) this.#end(n, "Cancelled", "cancelled");
      this.#finish("Cancelled");
      return true;
    }
    for (const n of this.nodes) if (!n.final) this.#sweepOne(n, "cancelled", "cancelled");
    this.#endPause();
    if (!this.finallyBegan) this.deadlineAt = null;
    this.#enter("Cancelling");
    return true;
  }

  #sweepOne(n: RefNode, reason: string, stop: StopReason | null): void {
    if (ENDED.has(n.state)) return;
    if (!AT_WORK.has(n.state)) this.#end(n, "Cancelled", reason);
    else if (!isParent(n) && stop !== null) this.#stop(n, stop);
  }

  #stop(n: RefNode, why: StopReason): void {
    if (n.stopping === null) this.#told.stops.push(n.key);
    else if (n.stopping !== "run_timeout" && n.stopping !== "queue_timeout") return;
    n.stopping = why;
  }

  #applyToNode(fact: Extract<Fact, { key: string }>): boolean {
    const n = this.nodes.find(({ key }) => key === fact.key);
    if (n === undefined || isParent(n)) return false;
    if ("attempt" in fact && fact.attempt !== n.attempt) return false;
    switch (fact.type) {
      case "accepted":
      case "started": {
        if (!AT_WORK.has(n.state)) return false;
        const taskId = fact.taskId ?? n.taskId;
        const news = taskId !== n.taskId || (fact.type === "started" && n.state === "Queued");
        n.taskId = taskId;
        if (fact.type === "started" && n.state === "Queued") {
          n.state = "Running";
          n.startedAt = this.#now;
          n.reason = null;
        }
        return news;
      }
      case "progress":
        if (!AT_WORK.has(n.state) && n.state !== "Suspended") return false;
        n.reason = fact.reason;
        return true;
      case "ended":
        if (!AT_WORK.has(n.state)) return false;
        this.#attemptEnded(n, fact.outcome);
        return true;
      case "cache_checked":
        if (
          n.state !== "Ready" ||
          this.#question(n) !== "cache" ||
          this.state === "Pausing" ||
          this.state === "Paused"
        )
          return false;
        n.cacheKnown = true;
        n.asked = false;
        if (fact.hit !== null) {
          n.outputs = fact.hit.outputs;
          this.#end(n, "Cached", "cache_hit");
        }
        return true;
      case "slots_granted":
        if (n.state !== "Ready" || !n.asked || this.#question(n) !== "slots") return false;
        n.granted = true;
        n.asked = false;
        return true;
      case "approved":
      case "rejected":
        if (n.state !== "Suspended") return false;
        if (fact.type === "approved") {
          n.outputs = fact.outputs;
          this.#end(n, "Succeeded", "approved");
        } else this.#end(n, "Failed", "rejected", "user");
        return true;
      default:
        return fact satisfies never;
    }
  }

  #attemptEnded(n: RefNode, outcome: AttemptOutcome): void {
    if (n.stopping === "run_timeout" || n.stopping === "queue_timeout")
      this.#attemptFailed(n, "timeout", n.stopping);
    else if (n.stopping !== null) this.#end(n, "Cancelled", n.stopping);
    else if (outcome.kind === "cancelled") this.#end(n, "Cancelled", outcome.reason);
    else if (outcome.kind === "failed") this.#attemptFailed(n, outcome.failure, outcome.reason);
    else {
      n.outputs = outcome.outputs;
      this.#end(n, "Succeeded", null);
    }
  }

  #attemptFailed(n: RefNode, failure: "user" | "system" | "timeout" | "validation", reason: string): void {
    const policy = n.node.retries;
    const tripped = !n.final && this.#tripped();
    const wanted = policy !== undefined && failure !== "validation" && policy.on.includes(failure);
    if (policy === undefined || !wanted || n.attempt > policy.max || tripped) {
      this.#end(n, failure === "timeout" ? "TimedOut" : "Failed", reason, failure);
      return;
    }
    let seconds = policy.backoff_seconds;
    for (let k = 1; k < n.attempt; k += 1) seconds *= policy.factor;
    seconds = Math.min(seconds, policy.max_backoff_seconds);
    const jitter = 0.8 + 0.4 * this.#env.dice(n.key, n.attempt);
    if (n.node.pool !== undefined) this.#told.releases.push(n.key);
    n.granted = false;
    n.state = "UpForRetry";
    n.retryAt = this.#now + Math.round(seconds * 1000 * jitter);
    n.finishedAt = this.#now;
    n.failure = failure;
    n.reason = reason;
    n.stopping = null;
    n.asked = false;
    this.#told.over.push(`${n.key}#${n.attempt}`);
  }

  #end(n: RefNode, state: RunNodeView["state"], reason: string | null, failure: string | null = null): void {
    if (ENDED.has(n.state)) return;
    if (n.node.pool !== undefined && n.attempt > 0 && !isParent(n)) this.#told.releases.push(n.key);
    if (state !== "Succeeded" && state !== "Cached") n.outputs = null;
    n.state = state;
    n.reason = reason;
    n.failure = state === "TimedOut" ? "timeout" : state === "Cancelled" ? "cancelled" : failure;
    n.finishedAt = this.#now;
    n.stopping = null;
    n.retryAt = null;
    n.deadlineAt = null;
    n.onDeadline = null;
    n.asked = false;
  }

  /* ------------------------------------------------------------ what follows */

  #follow(): void {
    if (this.startedAt === null || this.finishedAt !== null) return;
    for (;;) {
      while (this.#closeOne() || this.#decideOne());
      if (this.#tripped()) {
        const idle = this.nodes.filter((n) => !n.final && !ENDED.has(n.state) && !AT_WORK.has(n.state));
        for (const n of idle) this.#end(n, "Cancelled", "fail_fast");
        if (idle.length > 0) continue;
      }
      if (!this.nodes.every((n) => n.final || ENDED.has(n.state))) return;
      if (this.nodes.every((n) => ENDED.has(n.state))) {
        this.#finish();
        return;
      }
      if (this.finallyBegan) return;
      this.finallyBegan = true;
      this.deadlineAt = (this.pausedAt ?? this.#now) + this.#graph.finallyTimeoutMs;
    }
  }

  #finish(state?: string): void {
    this.finishedAt = this.#now;
    this.deadlineAt = null;
    this.pausedAt = null;
    const failed = this.nodes.some((n) => !n.final && this.#ending(n) === "F");
    const own = failed ? "Failed" : "Succeeded";
    const caused = this.cause === "cancelled" ? "Cancelled" : this.cause === "run_timeout" ? "TimedOut" : own;
    this.#enter(state ?? caused);
  }

  /** S, F or K of the truth table, or undefined while it is open. */
  #ending(n: RefNode): "S" | "F" | "K" | undefined {
    if (!ENDED.has(n.state)) return undefined;
    if (n.state === "Succeeded" || n.state === "Cached") return "S";
    if (n.state === "Skipped") return n.reason === "disabled" ? "S" : "K";
    if (n.state === "UpstreamFailed") return "F";
    return n.node.allow_failure ? "S" : "F";
  }

  #tripped(): boolean {
    if (this.#definition.options.on_failure !== "fail_fast") return false;
    return this.nodes.some((n) => !n.final && this.#ending(n) === "F");
  }

  #decideOne(): boolean {
    for (const n of this.nodes) {
      if (n.state !== "Waiting" || n.child !== null || (n.final && !this.finallyBegan)) continue;
      const ups = new Set(this.#edges.filter(([, target]) => target === n.node.id).map(([source]) => source));
      const ends = this.nodes
        .filter((u) => u.child === null && ups.has(u.node.id))
        .map((u) => this.#ending(u));
      const verdict = verdictOf(n.node.trigger_rule, ends);
      if (verdict === "wait") continue;
      if (verdict === "K") this.#end(n, "Skipped", "upstream");
      else if (verdict === "F") this.#end(n, "UpstreamFailed", "upstream");
      else this.#admit(n);
      return true;
    }
    return false;
  }

  #admit(n: RefNode): void {
    if (!n.node.enabled) {
      this.#end(n, "Skipped", "disabled");
      return;
    }
    const perItem = n.node.for_each !== undefined && n.graphNode.traits.conditionPerItem;
    if (!perItem && !this.#passes(n)) return;
    if (n.node.for_each === undefined) {
      this.#ready(n);
      return;
    }
    const items = this.#env.items(n.graphNode, this.#scope(n));
    if (!items.ok) {
      this.#end(n, "Failed", items.reason, "validation");
      return;
    }
    if (items.value.length > n.node.for_each.max_items) {
      this.#end(n, "Failed", "too_many_items", "validation");
      return;
    }
    n.state = "Running";
    n.attempt = 1;
    n.readyAt = this.#now;
    n.startedAt = this.#now;
    const children = items.value.map((item, index) => blank(n.graphNode, { index, item }));
    this.nodes.splice(this.nodes.indexOf(n) + 1, 0, ...children);
    for (const child of children) if (!perItem || this.#passes(child)) this.#ready(child);
  }

  #passes(n: RefNode): boolean {
    if (n.node.condition === undefined) return true;
    const answer = this.#env.condition(n.graphNode, this.#scope(n));
    if (!answer.ok) this.#end(n, "Failed", answer.reason, "validation");
    else if (!answer.value) this.#end(n, "Skipped", "condition");
    return answer.ok && answer.value;
  }

  #ready(n: RefNode): void {
    n.state = "Ready";
    n.attempt += 1;
    n.readyAt = this.#now;
    n.startedAt = null;
    n.finishedAt = null;
    n.retryAt = null;
    n.failure = null;
    n.reason = null;
    n.taskId = null;
  }

  #closeOne(): boolean {
    for (const n of this.nodes) {
      if (!isParent(n) || n.state !== "Running") continue;
      const children = this.nodes.filter((c) => c.child !== null && c.node === n.node);
      if (!children.every((c) => ENDED.has(c.state))) continue;
      const failed = children.find((c) => c.state === "Failed" || c.state === "TimedOut");
      const cancelled = children.find((c) => c.state === "Cancelled");
      if (failed !== undefined) this.#end(n, "Failed", "child_failed", failed.failure);
      else if (cancelled !== undefined) this.#end(n, "Cancelled", cancelled.reason);
      else if (children.length > 0 && children.every((c) => c.state === "Skipped"))
        this.#end(n, "Skipped", "condition");
      else {
        const names = new Set([
          ...n.node.outputs.map((o) => o.name),
          ...children.flatMap((c) => Object.keys(c.outputs ?? {})),
        ]);
        n.outputs = {};
        for (const name of names) {
          const fallback = n.node.outputs.find((o) => o.name === name)?.default ?? null;
          n.outputs[name] = children.map((c) => c.outputs?.[name] ?? fallback);
        }
        this.#end(n, "Succeeded", null);
      }
      return true;
    }
    return false;
  }

  /* ------------------------------------------------------------ the clock */

  #alarm(n: RefNode): Ms | null {
    const { queue_timeout_seconds: queue, run_timeout_seconds: work } = n.node;
    const held = this.state === "Pausing" || this.state === "Paused";
    if (n.state === "UpForRetry") return n.retryAt;
    if (n.state === "Suspended") return n.deadlineAt;
    if (isParent(n) || n.stopping !== null || n.readyAt === null) return null;
    if (n.state === "Queued" || (n.state === "Ready" && !held))
      return queue === undefined ? null : n.readyAt + queue * 1000;
    if (n.state === "Running" && n.startedAt !== null)
      return work === undefined ? null : n.startedAt + work * 1000;
    return null;
  }

  #due(): boolean {
    if (this.finishedAt !== null) return false;
    const runs = ["Running", "Pausing", "Cancelling"].includes(this.state);
    if (runs && this.deadlineAt !== null && this.deadlineAt <= this.#now) {
      this.deadlineAt = null;
      if (this.finallyBegan) {
        for (const n of this.nodes) if (n.final) this.#sweepOne(n, "finally_deadline", "finally_deadline");
        this.#told.phases.push(this.state);
      } else {
        this.cause = "run_timeout";
        for (const n of this.nodes) if (!n.final) this.#sweepOne(n, "run_deadline", "run_deadline");
        this.#enter("Cancelling");
      }
      return true;
    }
    const due = this.nodes
      .filter((n) => (this.#alarm(n) ?? Number.POSITIVE_INFINITY) <= this.#now)
      .sort((a, b) => (this.#alarm(a) ?? 0) - (this.#alarm(b) ?? 0) || this.#order(a, b))[0];
    if (due === undefined) return false;
    if (due.state === "UpForRetry") this.#ready(due);
    else if (due.state === "Ready") this.#attemptFailed(due, "timeout", "queue_timeout");
    else if (due.state === "Queued") this.#stop(due, "queue_timeout");
    else if (due.state === "Running") this.#stop(due, "run_timeout");
    else if (due.onDeadline === "approve") {
      due.outputs = {};
      this.#end(due, "Succeeded", "approval_timeout");
    } else this.#end(due, due.onDeadline === "skip" ? "Skipped" : "TimedOut", "approval_timeout");
    return true;
  }

  /* ------------------------------------------------------------ starting */

  #order(a: RefNode, b: RefNode): number {
    const ranks =
      a.node.priority === b.node.priority
        ? a.graphNode.depth - b.graphNode.depth
        : b.node.priority - a.node.priority;
    if (ranks !== 0) return ranks;
    if (a.node.name !== b.node.name) return a.node.name < b.node.name ? -1 : 1;
    if (a.node.id !== b.node.id) return a.node.id < b.node.id ? -1 : 1;
    return (a.child?.index ?? 0) - (b.child?.index ?? 0);
  }

  #isActive(n: RefNode): boolean {
    return AT_WORK.has(n.state) && !isParent(n);
  }

  #isBusy(n: RefNode): boolean {
    return this.#isActive(n) || n.state === "Suspended" || (n.state === "Ready" && (n.asked || n.granted));
  }

  #question(n: RefNode): "cache" | "slots" | undefined {
    if (n.node.cache !== undefined && n.attempt === 1 && !n.cacheKnown) return "cache";
    return n.node.pool !== undefined && !n.granted ? "slots" : undefined;
  }

  #hasRoom(n: RefNode): boolean {
    if (n.child === null || this.#isBusy(n)) return true;
    const siblings = this.nodes.filter((c) => c.child !== null && c.node === n.node);
    return (
      siblings.filter((c) => this.#isBusy(c)).length <
      (n.node.for_each?.parallelism ?? Number.POSITIVE_INFINITY)
    );
  }

  /** Starts or asks for one node; true when one was found. */
  #startSomething(): boolean {
    if (this.state !== "Running" && this.state !== "Cancelling") return false;
    const limit = this.#definition.options.parallelism ?? Number.POSITIVE_INFINITY;
    const active = this.nodes.filter((n) => this.#isActive(n)).length;
    const asked = this.nodes.filter((n) => n.state === "Ready" && n.asked).length;
    const ready = this.nodes
      .filter((n) => n.state === "Ready" && !n.asked && this.#hasRoom(n))
      .sort((a, b) => this.#order(a, b));
    const first = ready.find((n) => this.#question(n) === undefined);
    if (first !== undefined && active < limit) {
      this.#start(first);
      return true;
    }
    const asking = ready.find((n) => this.#question(n) !== undefined);
    if (asking === undefined || active + asked >= limit) return false;
    const question = this.#question(asking);
    if (question === "cache" && !this.#prepare(asking).ok) return true;
    this.#told.asks.push(`${question} ${asking.key}#${asking.attempt}`);
    asking.asked = true;
    return true;
  }

  #prepare(n: RefNode) {
    const record: NodeRecord = { key: n.key, node: n.graphNode, child: n.child, state: { state: "Waiting" } };
    const prepared = this.#env.prepare(record, n.attempt, this.#scope(n), this.#now);
    if (!prepared.ok) this.#end(n, "Failed", prepared.reason, "validation");
    return prepared;
  }

  #start(n: RefNode): void {
    const prepared = this.#prepare(n);
    if (!prepared.ok) return;
    const { startsAs } = n.graphNode.traits;
    n.state = startsAs;
    if (startsAs !== "Queued") n.startedAt = this.#now;
    if (startsAs === "Suspended") {
      n.deadlineAt = prepared.value.approval?.deadlineAt ?? null;
      n.onDeadline = prepared.value.approval?.onDeadline ?? "fail";
    }
    this.#told.starts.push({ key: n.key, attempt: n.attempt, input: prepared.value.input });
  }

  #scope(n: RefNode): Scope {
    const node: Scope["node"] = (id) => {
      const found = this.nodes.find((m) => m.child === null && m.node.id === id);
      if (found === undefined) return undefined;
      let { outputs } = found;
      if (ENDED.has(found.state) && outputs === null) {
        outputs = {};
        for (const o of found.node.outputs) if (o.default !== undefined) outputs[o.name] = o.default;
      }
      return { state: found.state, outputs };
    };
    return n.child === null ? { node } : { node, iteration: n.child };
  }

  #enter(state: string): void {
    this.state = state;
    this.#told.phases.push(state);
  }
}

const isParent = (n: RefNode): boolean => n.child === null && n.node.for_each !== undefined;

const fresh = (): Told => ({
  starts: [],
  asks: [],
  stops: [],
  releases: [],
  over: [],
  phases: [],
  dropped: 0,
});

function blank(graphNode: GraphNode, child: RefNode["child"]): RefNode {
  const { id } = graphNode.definition;
  return {
    key: child === null ? id : `${id}[${child.index}]`,
    graphNode,
    node: graphNode.definition,
    final: graphNode.final,
    child,
    state: "Waiting",
    attempt: 0,
    readyAt: null,
    startedAt: null,
    finishedAt: null,
    retryAt: null,
    deadlineAt: null,
    onDeadline: null,
    stopping: null,
    failure: null,
    reason: null,
    outputs: null,
    taskId: null,
    asked: false,
    granted: false,
    cacheKnown: false,
  };
}

/** dag-semantics, section 4, row by row; undefined: open. */
function verdictOf(
  rule: WorkflowNode["trigger_rule"],
  ends: readonly ("S" | "F" | "K" | undefined)[],
): "run" | "K" | "F" | "wait" {
  const some = (word: "S" | "F" | "K") => ends.includes(word);
  const every = (word: "S" | "F" | "K") => ends.every((end) => end === word);
  const over = !ends.includes(undefined);
  if (ends.length === 0) return "run";
  switch (rule) {
    case "always":
      return "run";
    case "all_success":
      return some("F") ? "F" : !over ? "wait" : every("S") ? "run" : "K";
    case "all_done":
      return over ? "run" : "wait";
    case "one_success":
      return some("S") ? "run" : !over ? "wait" : some("F") ? "F" : "K";
    case "one_failed":
      return some("F") ? "run" : over ? "K" : "wait";
    case "all_failed":
      return every("F") ? "run" : some("S") || some("K") ? "K" : "wait";
    case "none_failed":
      return some("F") ? "F" : over ? "run" : "wait";
    case "none_failed_min_one_success":
      return some("F") ? "F" : !over ? "wait" : some("S") ? "run" : "K";
    default:
      return rule satisfies never;
  }
}
