/** A task of the fake platform, moved by the test: states and log lines are appended, readers are woken. */
import { EventEmitter } from "node:events";
import {
  type HistoryEntry,
  historyEntry,
  type LogItem,
  logItem,
  type TaskDetail,
  type TaskState,
  taskDetail,
} from "@aiep/contracts";

export interface StatusChange {
  readonly state: TaskState;
  readonly reason: string;
  readonly message?: string;
  /** Exit code by node name; a node named here has ended, in this order. */
  readonly exits?: Readonly<Record<string, number>>;
}

const EVENT_OF: Readonly<Record<TaskState, string>> = {
  Initializing: "updated",
  Running: "running",
  Succeeded: "succeeded",
  Failed: "failed",
  Stopped: "stopped",
};

export class FakeTask {
  readonly changed = new EventEmitter().setMaxListeners(100);
  readonly history: HistoryEntry[] = [];
  readonly log: LogItem[] = [];
  logComplete = false;
  detail: TaskDetail;
  #clock = Date.parse("2026-01-31T08:00:00Z");

  constructor(id: string, config: TaskDetail["task_config"], envs: Record<string, string>) {
    const { metadata, compute_resource_info: compute } = config;
    const nodes = Array.from({ length: compute.node_info.worker.nums }, (_, index) => ({
      name: `worker-${index}`,
      role: "worker",
      index,
      state: "Pending",
      exit_code: null,
      reason: null,
      message: null,
      started_at: null,
      finished_at: null,
    }));
    this.detail = taskDetail.parse({
      id,
      name: metadata.name,
      group_id: metadata.group_id ?? "g1",
      description: null,
      mode: compute.model,
      namespace: compute.namespace,
      image: config.image_info.name ?? config.image_info.url,
      state: "Initializing",
      reason: "Submitting",
      message: "Accepted.",
      version: 0,
      attempt: 1,
      nodes,
      labels: {},
      gen_ai_llm: false,
      created_by: "alice",
      proxy_user: null,
      experiment_id: null,
      experiment_run_id: null,
      experiment_version_name: null,
      copied_from: null,
      code_package_id: null,
      run_limit_seconds: 604_800,
      stop_requested_at: null,
      stop_requested_by: null,
      created_at: this.#tick(),
      started_at: null,
      finished_at: null,
      task_config: config,
      set_envs: envs,
      warnings: [],
    });
    this.#append("created");
  }

  status({ state, reason, message = "", exits = {} }: StatusChange): void {
    const now = this.#tick();
    const finished = new Map(Object.keys(exits).map((node) => [node, this.#tick()]));
    const ended = state === "Succeeded" || state === "Failed" || state === "Stopped";
    const nodes = this.detail.nodes.map((node) => {
      const code = exits[node.name];
      if (code !== undefined) {
        const failed = code !== 0;
        return {
          ...node,
          state: failed ? ("Failed" as const) : ("Succeeded" as const),
          exit_code: code,
          reason: failed ? "NonZeroExit" : "Completed",
          finished_at: finished.get(node.name) ?? null,
        };
      }
      return state === "Running" ? { ...node, state: "Running" as const, started_at: now } : node;
    });
    this.detail = {
      ...this.detail,
      state,
      reason,
      message,
      nodes,
      started_at: state === "Running" ? now : this.detail.started_at,
      finished_at: ended ? this.#tick() : null,
    };
    this.#append(EVENT_OF[state]);
  }

  line(
    text: string,
    {
      node = "worker-0",
      source = "user",
      partial = false,
    }: { node?: string; source?: string; partial?: boolean } = {},
  ): void {
    this.log.push(
      logItem.parse({
        kind: "line",
        node,
        time: "2026-01-31T08:00:01.5Z",
        stream: "stdout",
        source,
        text,
        partial,
      }),
    );
    this.changed.emit("log");
  }

  endLog(): void {
    this.logComplete = true;
    this.changed.emit("log");
  }

  #append(event: string): void {
    this.detail = { ...this.detail, version: this.detail.version + 1 };
    const { id, group_id, name, state, reason, message, attempt, nodes, started_at, finished_at, version } =
      this.detail;
    this.history.push(
      historyEntry.parse({
        version,
        type: `aiep.task.${event}.v1`,
        time: this.#tick(),
        by: "alice",
        data: {
          task_id: id,
          group_id,
          name,
          state,
          reason,
          message,
          attempt,
          nodes,
          started_at,
          finished_at,
        },
      }),
    );
    this.changed.emit("status");
  }

  #tick(): string {
    this.#clock += 1_000;
    return new Date(this.#clock).toISOString();
  }
}
