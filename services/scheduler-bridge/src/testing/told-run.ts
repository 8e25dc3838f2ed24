/** A run as workflow-svc would tell of it, event by event, for tests. */
import {
  type ExperimentId,
  groupId,
  RUN_STATE_EVENTS,
  type RunId,
  type RunNodeState,
  type RunOrigin,
  type RunState,
  runCreated,
  runDeleted,
  runNode,
  runUpdated,
} from "@aiep/contracts";
import type { BridgeGround } from "./bridge.ts";

export interface ToldRun {
  readonly id: RunId;
  /** Of its last event. */
  readonly version: () => number;
  /** State by node; told with the event. */
  created(): Promise<void>;
  becomes(state: Exclude<RunState, "Created">, nodes?: Nodes, message?: string): Promise<void>;
  updated(nodes: Nodes): Promise<void>;
  deleted(by: string | null): Promise<void>;
}

type Nodes = Readonly<Record<string, RunNodeState>>;

export function toldRun(
  ground: BridgeGround,
  {
    id,
    experiment,
    origin = { kind: "manual" },
    group = "vision",
  }: {
    readonly id: RunId;
    readonly experiment: ExperimentId;
    readonly origin?: RunOrigin;
    readonly group?: string;
  },
): ToldRun {
  const at = { type: "run", id, group };
  let state: RunState = "Created";
  let version = 0;
  const tell: BridgeGround["tell"] = async (...told) => {
    version += 1;
    await ground.tell(...told);
  };
  const identity = {
    ...{ run_id: id, experiment_id: experiment, group_id: groupId.parse(group) },
    ...{ experiment_name: "每日训练", version_name: "v1" },
  };
  const status = (nodes: Nodes, message: string | null) => ({
    ...identity,
    ...{ state, reason: null, message },
    nodes: Object.entries(nodes).map(([key, each]) => nodeOf(key, each)),
    ...{ started_at: null, finished_at: null, deadline_at: null, paused_at: null },
  });
  return {
    id,
    version: () => version,
    created: async () =>
      await tell(runCreated, at, {
        ...status({}, null),
        ...{ mode: "all", selected: [], parameters: {}, run_date: "20260301", origin, node_count: 1 },
        created_by: "ada",
      }),
    becomes: async (next, nodes = {}, message) => {
      state = next;
      await tell(RUN_STATE_EVENTS[next], at, status(nodes, message ?? null));
    },
    updated: async (nodes) => await tell(runUpdated, at, status(nodes, null)),
    deleted: async (by) => await tell(runDeleted, at, { ...identity, deleted_by: by }),
  };
}

function nodeOf(key: string, state: RunNodeState) {
  return runNode.parse({
    ...{ key, node_id: key, index: null, item: null, name: key, kind: "noop", state, attempt: 1 },
    ...{ message: null, reason: null, failure: null, task_id: null, child_run_id: null, from_run_id: null },
    ...{ outputs: null, ready_at: null, started_at: null, finished_at: null, retry_at: null },
    ...{ stopping: null, deadline_at: null, on_deadline: null },
  });
}
