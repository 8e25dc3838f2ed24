/**
 * A runtime whose workloads live in memory, for tests of what stands above a runtime. It keeps R1–R4: the `World` is what
 * outlives a process, each `MemoryRuntime` is one process's view of it. Tests say what nodes do.
 */
import { AiepError, type NodeState, type TaskId, type TaskReason } from "@aiep/contracts";
import type {
  NodeObservation,
  Observation,
  ObservationSink,
  Runtime,
  RuntimeCheck,
  Workload,
  WorkloadRef,
} from "../domain/runtime.ts";
import { initialNodes } from "../domain/verdict.ts";

interface MemoryWorkload {
  readonly workload: Workload;
  nodes: NodeObservation[];
}

const keyOf = (ref: WorkloadRef) => `${ref.taskId}/${ref.attempt}`;
const ENDED: readonly NodeState[] = ["Succeeded", "Failed", "Stopped"];

export class World {
  readonly workloads = new Map<string, MemoryWorkload>();
  /** R3: never started again. */
  readonly stopped = new Set<string>();
  readonly sinks = new Set<ObservationSink>();
  /** Ids in the order in which workloads were really created. */
  readonly created: TaskId[] = [];
  readonly removed: TaskId[] = [];
  /** Nodes run as soon as they are launched. */
  autoRun = true;
  /** When set, a stop does not end nodes; the test does. */
  stubborn = false;

  has(taskId: TaskId): boolean {
    return this.workloads.has(keyOf({ taskId, attempt: 1 }));
  }

  create(workload: Workload): void {
    const key = keyOf(workload);
    if (this.workloads.has(key) || this.stopped.has(key)) return;
    const state = this.autoRun ? ("Running" as const) : ("Pending" as const);
    const startedAt = this.autoRun ? new Date() : null;
    const nodes = initialNodes(workload.spec).map((node) => ({ ...node, state, startedAt }));
    this.workloads.set(key, { workload, nodes });
    this.created.push(workload.taskId);
    this.tell(workload);
  }

  set(
    taskId: TaskId,
    name: string,
    state: NodeState,
    exitCode: number | null = null,
    reason: TaskReason | null = null,
  ) {
    const found = this.workloads.get(keyOf({ taskId, attempt: 1 }));
    if (found === undefined) throw new Error(`no workload of ${taskId}`);
    found.nodes = found.nodes.map((node) =>
      node.name === name && !ENDED.includes(node.state)
        ? { ...node, state, exitCode, reason, finishedAt: ENDED.includes(state) ? new Date() : null }
        : node,
    );
    this.tell(found.workload);
  }

  /** All nodes end with this code. */
  end(taskId: TaskId, exitCode = 0): void {
    const found = this.workloads.get(keyOf({ taskId, attempt: 1 }));
    for (const node of found?.nodes ?? [])
      this.set(taskId, node.name, exitCode === 0 ? "Succeeded" : "Failed", exitCode);
  }

  observe(ref: WorkloadRef): Observation {
    const found = this.workloads.get(keyOf(ref));
    if (found === undefined) return { kind: "absent", ref };
    return { kind: "present", ref, nodes: found.nodes, waiting: null };
  }

  tell(ref: WorkloadRef): void {
    const { taskId, attempt } = ref;
    for (const sink of this.sinks) sink(this.observe({ taskId, attempt }));
  }
}

export class MemoryRuntime implements Runtime {
  readonly kind = "local";
  readonly world: World;
  /** Thrown by the next launches, one each. */
  readonly launchErrors: Error[] = [];
  /** Awaited inside every launch, before anything is created. */
  beforeLaunch: (workload: Workload) => Promise<void> | void = () => undefined;
  #sink: ObservationSink | undefined;

  constructor(world: World) {
    this.world = world;
  }

  async start(sink: ObservationSink): Promise<void> {
    this.#sink = sink;
    this.world.sinks.add(sink);
    for (const { workload } of this.world.workloads.values()) this.world.tell(workload);
  }

  async launch(workload: Workload): Promise<void> {
    await this.beforeLaunch(workload);
    const error = this.launchErrors.shift();
    if (error !== undefined) throw error;
    this.world.create(workload);
  }

  async observe(ref: WorkloadRef): Promise<Observation> {
    return this.world.observe(ref);
  }

  async stop(ref: WorkloadRef): Promise<void> {
    this.world.stopped.add(keyOf(ref));
    const found = this.world.workloads.get(keyOf(ref));
    if (found === undefined || this.world.stubborn) return;
    for (const node of found.nodes) this.world.set(ref.taskId, node.name, "Stopped", 143);
  }

  async remove(ref: WorkloadRef): Promise<void> {
    if (this.world.workloads.delete(keyOf(ref))) this.world.removed.push(ref.taskId);
    this.world.stopped.add(keyOf(ref));
  }

  async list(): Promise<readonly WorkloadRef[]> {
    return [...this.world.workloads.values()].map(({ workload: { taskId, attempt } }) => ({
      taskId,
      attempt,
    }));
  }

  async checks(): Promise<readonly RuntimeCheck[]> {
    return [];
  }

  async close(): Promise<void> {
    if (this.#sink !== undefined) this.world.sinks.delete(this.#sink);
  }
}

export const unavailable = () => new AiepError("RUNTIME_UNAVAILABLE", "The cluster does not answer.");
