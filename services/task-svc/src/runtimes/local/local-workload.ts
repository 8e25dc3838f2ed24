/** All nodes of one (task, attempt) of the local runtime, and what their folder remembers of it. */
import { randomBytes, randomInt } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { groupId, taskId, taskSpec } from "@aiep/contracts";
import { hasCode } from "@aiep/service-kit";
import * as z from "zod";
import type { Observation, ObservationSink, Workload, WorkloadRef } from "../../domain/runtime.ts";
import { type Layout, nodesOf, STOP_FILE, WORKLOAD_FILE } from "./layout.ts";
import { LocalNode, type LocalNodeDeps, type StopOrder } from "./local-node.ts";

const storedWorkload = z.object({
  task_id: taskId,
  attempt: z.int().min(1),
  group_id: groupId,
  task_name: z.string(),
  created_by: z.string(),
  spec: taskSpec,
  labels: z.record(z.string(), z.string()).default({}),
  traceparent: z.string().nullable(),
  /** On 127.0.0.1, one per node: MASTER_PORT is the first. */
  ports: z.array(z.int()),
});
const storedStop = z.object({ deadline: z.iso.datetime() });

export interface StoredWorkload {
  readonly workload: Workload;
  readonly ports: readonly number[];
}

/** R1: exists ⇔ taken on. One rename decides between several that launch at once; false: it was there. */
export async function storeWorkload(
  layout: Layout,
  folder: string,
  stored: StoredWorkload,
): Promise<boolean> {
  const staging = layout.taskDir(`.new-${folder}-${randomBytes(6).toString("hex")}`);
  const { workload, ports } = stored;
  const record: z.input<typeof storedWorkload> = {
    task_id: workload.taskId,
    attempt: workload.attempt,
    group_id: workload.groupId,
    task_name: workload.taskName,
    created_by: workload.createdBy,
    spec: workload.spec,
    labels: { ...workload.labels },
    traceparent: workload.traceparent ?? null,
    ports: [...ports],
  };
  await mkdir(staging, { mode: 0o711 });
  try {
    await writeFile(join(staging, WORKLOAD_FILE), JSON.stringify(record), { mode: 0o600 });
    await rename(staging, layout.taskDir(folder));
    return true;
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    if (hasCode(error, "ENOTEMPTY", "EEXIST")) return false;
    throw error;
  }
}

export async function loadWorkload(layout: Layout, folder: string): Promise<StoredWorkload> {
  const text = await readFile(join(layout.taskDir(folder), WORKLOAD_FILE), "utf8");
  const stored = storedWorkload.parse(JSON.parse(text));
  return {
    ports: stored.ports,
    workload: {
      taskId: stored.task_id,
      attempt: stored.attempt,
      groupId: stored.group_id,
      taskName: stored.task_name,
      createdBy: stored.created_by,
      spec: stored.spec,
      labels: stored.labels,
      traceparent: stored.traceparent ?? undefined,
    },
  };
}

const lowestPort = 15_000;
const highestPort = 32_000; // below the kernel's ephemeral range, so that no outgoing connection takes one

/** Ports that nobody listens on now and no workload here was given. */
export async function choosePorts(count: number, taken: ReadonlySet<number>): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = randomInt(lowestPort, highestPort);
    if (!taken.has(port) && (await portIsFree(port))) ports.add(port);
  }
  return [...ports];
}

async function portIsFree(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen({ port, host: "127.0.0.1", exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

export class LocalWorkload {
  readonly ref: WorkloadRef;
  readonly folder: string;
  readonly ports: readonly number[];
  private readonly layout: Layout;
  private readonly nodes: readonly LocalNode[];
  private readonly sink: ObservationSink;
  private readonly mode: Workload["spec"]["mode"];
  private whole = false;
  private lastSent = "";
  private stopOrder: StopOrder | undefined;

  constructor(
    deps: LocalNodeDeps,
    layout: Layout,
    folder: string,
    { workload, ports }: StoredWorkload,
    sink: ObservationSink,
  ) {
    this.ref = { taskId: workload.taskId, attempt: workload.attempt };
    this.folder = folder;
    this.ports = ports;
    this.layout = layout;
    this.sink = sink;
    this.mode = workload.spec.mode;
    this.stopOrder = this.readStop();
    const nodes: LocalNode[] = [];
    this.nodes = nodes;
    for (const slot of nodesOf(workload.spec)) {
      const master = this.mode === "DDP" ? nodes[0] : undefined;
      const place = layout.node(folder, workload.spec.namespace, slot.name);
      const input = { workload, slot, place, ports, master, onChange: () => this.report() };
      nodes.push(new LocalNode(deps, input, this.stopOrder));
    }
    this.whole = true;
    this.report();
  }

  observe(): Extract<Observation, { kind: "present" }> {
    const nodes = this.nodes.map((node) => node.observe());
    const outputs = this.nodes.find((node) => node.outputs !== undefined)?.outputs ?? null;
    return { kind: "present", ref: this.ref, nodes, waiting: this.waiting(nodes), outputs };
  }

  /** Reads again before it answers. */
  observeNow(): Observation {
    for (const node of this.nodes) node.refresh();
    return this.observe();
  }

  async stop(graceSeconds: number): Promise<void> {
    const deadline = new Date(Date.now() + graceSeconds * 1000);
    const earlier = this.stopOrder;
    if (earlier === undefined || deadline < earlier.deadline) await this.writeStop(deadline, earlier);
    const order = this.readStop();
    if (order === undefined) return; // removed meanwhile
    this.stopOrder = order;
    for (const node of this.nodes) node.stop(order);
  }

  /** Every node has ended and its log is complete. */
  async finished(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.done));
  }

  get ended(): boolean {
    return this.nodes.every((node) => node.ended);
  }

  tick(): void {
    for (const node of this.nodes) node.tick();
  }

  close(): void {
    for (const node of this.nodes) node.close();
  }

  release(): void {
    for (const node of this.nodes) node.release();
  }

  private get stopPath(): string {
    return join(this.layout.taskDir(this.folder), STOP_FILE);
  }

  private async writeStop(deadline: Date, earlier: StopOrder | undefined): Promise<void> {
    const temporary = `${this.stopPath}.${randomBytes(6).toString("hex")}`;
    const record: z.input<typeof storedStop> = { deadline: deadline.toISOString() };
    await writeFile(temporary, JSON.stringify(record));
    // The first request counts, when it is compared with a node's end.
    if (earlier !== undefined) await utimes(temporary, earlier.requestedAt, earlier.requestedAt);
    await rename(temporary, this.stopPath);
  }

  /** The time of the request is the file's own: by the same clock as that of a node's `exit`. */
  private readStop(): StopOrder | undefined {
    try {
      const stored = storedStop.parse(JSON.parse(readFileSync(this.stopPath, "utf8")));
      return { requestedAt: statSync(this.stopPath).mtime, deadline: new Date(stored.deadline) };
    } catch (error) {
      if (hasCode(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  private report(): void {
    if (!this.whole) return;
    const observation = this.observe();
    const text = JSON.stringify(observation);
    if (text === this.lastSent) return;
    this.lastSent = text;
    this.sink(observation);
  }

  private waiting(nodes: Extract<Observation, { kind: "present" }>["nodes"]) {
    const pending = nodes.filter(({ state }) => state === "Pending");
    if (pending.length === 0) return null;
    if (this.nodes.some((node) => node.waitsForMaster)) {
      const message = "Workers wait until worker-0, the master, runs.";
      return { reason: "WaitingForMaster", message } as const;
    }
    return {
      reason: "PreparingNodes",
      message: "The platform checks mounts and rights and places code and material.",
    } as const;
  }
}

/** What a process that died left half made. */
export async function sweepStaging(layout: Layout, folder: string): Promise<void> {
  for (const name of await readdir(layout.taskDir(folder))) {
    if (name.includes(".new-"))
      await rm(join(layout.taskDir(folder), name), { recursive: true, force: true });
  }
}
