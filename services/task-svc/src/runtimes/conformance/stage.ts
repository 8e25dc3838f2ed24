/**
 * What a runtime brings to be tested by the conformance suite, and how the suite talks to it. The suite knows `Runtime`
 * alone; whatever is special to one runtime (where logs lie, how a code package gets there) is in its stage.
 */
import { randomBytes } from "node:crypto";
import {
  groupId,
  hexId,
  type NodeName,
  nodeName,
  type TaskMode,
  type TaskSpec,
  taskId,
  taskSpec,
} from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import type {
  NodeObservation,
  Observation,
  ObservationSink,
  Runtime,
  Workload,
  WorkloadRef,
} from "../../domain/runtime.ts";

export interface NodeLog {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

export interface Stage extends AsyncDisposable {
  /** The started one; another one after `restart`. */
  readonly runtime: Runtime;
  /** The end of the runtime's process, and its successor over the same workloads. */
  restart(): Promise<void>;
  /** Everything the runtime's sink was told about a workload, over restarts. */
  seen(ref: WorkloadRef): readonly Observation[];
  /** One more who is told what the sink is told, over restarts. */
  listen(sink: ObservationSink): void;
  /** Whole log of a node; undefined as long as it is not complete. */
  logOf(workload: Workload, node: NodeName): NodeLog | undefined;
  readonly identity: TaskSpec["identity"];
  /** A folder that the identity may write: a source and a target for mounts, and its files. */
  readonly storage: {
    readonly source: string;
    readonly target: string;
    read(file: string): string;
    write(file: string, content: string): void;
  };
  /** Whether any process of this machine has the word among its arguments. */
  processExists(word: string): boolean;
  registerCode(zip: Buffer): NonNullable<TaskSpec["code_package"]>;
  registerMaterial(content: Buffer): NonNullable<TaskSpec["material"]>;
  /** What tasks are given here, unless a test says otherwise: namespace, image. */
  readonly spec?: Partial<Pick<TaskSpec, "namespace" | "image">>;
  /** Cores of a node; 1 unless a machine has too few for several of them. */
  readonly cpu?: number;
  readonly can: {
    readonly readOnlyMounts: boolean;
    readonly switchUser: boolean;
    readonly limitMemory: boolean;
  };
}

export type StageFactory = () => Promise<Stage>;

export const worker0 = nodeName.parse("worker-0");
export const worker1 = nodeName.parse("worker-1");
export const ps0 = nodeName.parse("ps-0");

export interface Wanted {
  readonly mode?: TaskMode;
  readonly workers?: number;
  readonly ps?: number;
  readonly memoryGb?: number;
  readonly env?: Record<string, string>;
  readonly spec?: Partial<TaskSpec>;
}

export function workload(stage: Stage, command: string, wanted: Wanted = {}): Workload {
  const { mode = "Standalone", workers = 1, ps = 0, memoryGb = 1, env = {} } = wanted;
  const role = (name: "worker" | "ps", count: number) => ({
    role: name,
    count,
    cpu: stage.cpu ?? 1,
    memory_gb: memoryGb,
    gpu: 0,
    gpu_type: null,
  });
  return {
    taskId: taskId.parse(hexId(randomBytes(16))),
    attempt: 1,
    groupId: groupId.parse("conformance"),
    taskName: "conformance",
    createdBy: stage.identity.user,
    labels: {},
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    spec: taskSpec.parse({
      mode,
      namespace: "ns-test",
      image: { url: "local", name: null },
      command,
      env,
      identity: stage.identity,
      roles: [role("worker", workers), ...(ps > 0 ? [role("ps", ps)] : [])],
      mounts: [],
      code_package: null,
      material: null,
      run_limit_seconds: 3600,
      ...stage.spec,
      ...wanted.spec,
    }),
  };
}

/** A mount of the stage's storage; its variable is DATA. */
export function dataMount(stage: Stage, readOnly = false): TaskSpec["mounts"][number] {
  const { source, target } = stage.storage;
  return { source, target, read_only: readOnly, env_name: "DATA" };
}

/**
 * The end of a DDP script whose nodes all end by themselves: a cluster ends whoever still works when the master has
 * ended, so the master ends last. Needs the stage's storage, and a run has the marks to itself.
 */
export const MASTER_LAST = `echo > "$DATA/ended-$RANK"
if [ "$RANK" = 0 ]; then
  rank=1
  while [ $rank -lt $WORLD_SIZE ]; do [ -e "$DATA/ended-$rank" ] && rank=$((rank + 1)) || sleep 0.02; done
fi`;

export async function nodesNow(stage: Stage, ref: WorkloadRef): Promise<readonly NodeObservation[]> {
  const observation = await stage.runtime.observe(ref);
  return observation.kind === "present" ? observation.nodes : [];
}

/** Machines that are busy with much else are slow, and not wrong. */
const PATIENCE = { timeoutMs: 60_000 };

export async function untilNodes(
  stage: Stage,
  ref: WorkloadRef,
  claim: string,
  holds: (nodes: readonly NodeObservation[]) => boolean,
): Promise<readonly NodeObservation[]> {
  return await waitFor(
    claim,
    async () => {
      const nodes = await nodesNow(stage, ref);
      if (nodes.length > 0 && holds(nodes)) return nodes;
      throw new Error(JSON.stringify(nodes.map(({ name, state, message }) => [name, state, message])));
    },
    PATIENCE,
  );
}

const over: readonly NodeObservation["state"][] = ["Succeeded", "Failed", "Stopped"];

export async function untilEnded(stage: Stage, ref: WorkloadRef): Promise<readonly NodeObservation[]> {
  return await untilNodes(stage, ref, "every node has ended", (nodes) =>
    nodes.every(({ state }) => over.includes(state)),
  );
}

export async function untilRunning(stage: Stage, ref: WorkloadRef): Promise<readonly NodeObservation[]> {
  return await untilNodes(stage, ref, "every node runs", (nodes) =>
    nodes.every(({ state }) => state === "Running"),
  );
}

export async function untilLog(stage: Stage, of: Workload, node = worker0): Promise<NodeLog> {
  return await waitFor(`the log of ${node} is complete`, () => stage.logOf(of, node), PATIENCE);
}

/** The user's own lines: what comes after the platform's. */
export function userText(log: NodeLog): string {
  return log.stdout.toString("utf8").replace(/^(\[aiep\] .*\n)*/, "");
}

export async function run(stage: Stage, of: Workload): Promise<readonly NodeObservation[]> {
  await stage.runtime.launch(of);
  return await untilEnded(stage, of);
}
