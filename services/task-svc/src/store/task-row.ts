/** A task from its row. The row is our own writing, so enums are taken at their word. */
import type { CodePackageId, GroupId, NodeName, TaskId, TaskNode, TaskReason } from "@aiep/contracts";
import type {
  EndedTask,
  InitializingTask,
  Launch,
  StopRequest,
  Task,
  TaskFacts,
  TaskNodeRecord,
} from "../domain/task.ts";
import type { TaskRow } from "./schema.ts";

/** Without what only `get` reads. */
type TaskStateEntity = Omit<TaskRow, "task_config" | "set_envs" | "warnings">;
/** MikroORM's nullable columns may be undefined before they are stored; a row that was read has null. */
type TaskStateRow = {
  readonly [Column in keyof TaskStateEntity]-?: Exclude<TaskStateEntity[Column], undefined>;
};

export function taskOf(entity: TaskStateEntity): Task {
  const row = entity as TaskStateRow;
  const common = {
    facts: factsOf(row),
    version: row.version,
    reason: row.reason as TaskReason,
    message: row.message,
    nodes: row.nodes.map(nodeOf),
    outputs: row.outputs,
    stop: stopOf(row),
  };
  const launch = launchOf(row);
  switch (row.state as Task["state"]) {
    case "Initializing":
      return { ...common, state: "Initializing", launch } satisfies InitializingTask;
    case "Running":
      if (row.started_at === null) throw new TypeError(`task ${row.id} is Running without started_at`);
      return { ...common, state: "Running", launch: runningLaunch(row), startedAt: row.started_at };
    case "Succeeded":
    case "Failed":
    case "Stopped":
      if (row.finished_at === null) throw new TypeError(`task ${row.id} has ended without finished_at`);
      return {
        ...common,
        state: row.state as EndedTask["state"],
        launch,
        startedAt: row.started_at,
        finishedAt: row.finished_at,
        removedAt: row.removed_at,
        deleted: row.deleted_at === null ? null : { at: row.deleted_at, by: row.deleted_by ?? "" },
      };
    default:
      throw new TypeError(`task ${row.id} has the unknown state ${row.state}`);
  }
}

function factsOf(row: TaskStateRow): TaskFacts {
  return {
    id: row.id as TaskId,
    groupId: row.group_id as GroupId,
    name: row.name,
    description: row.description,
    labels: row.labels,
    spec: row.spec,
    createdBy: row.created_by,
    proxyUser: row.proxy_user,
    genAiLlm: row.gen_ai_llm,
    experimentId: row.experiment_id,
    experimentRunId: row.experiment_run_id,
    experimentVersionName: row.experiment_version_name,
    copiedFrom: row.copied_from as TaskId | null,
    codePackageId: row.code_package_id as CodePackageId | null,
    traceparent: row.traceparent,
    createdAt: row.created_at,
  };
}

function launchOf(row: TaskStateRow): Launch {
  const { attempt, launching_at: at, launched_at: launchedAt } = row;
  if (attempt === 0 || at === null) return { kind: "none" };
  return launchedAt === null
    ? { kind: "intended", attempt, at }
    : { kind: "launched", attempt, at, launchedAt };
}

/** That a node runs proves the launch, also when we died before we could record it. */
function runningLaunch(row: TaskStateRow) {
  const at = row.launching_at ?? row.created_at;
  return { kind: "launched", attempt: row.attempt, at, launchedAt: row.launched_at ?? at } as const;
}

function stopOf(row: TaskStateRow): StopRequest | null {
  if (row.stop_requested_at === null) return null;
  return {
    at: row.stop_requested_at,
    by: row.stop_requested_by ?? "",
    graceSeconds: row.stop_grace_seconds ?? 0,
  };
}

const date = (text: string | null): Date | null => (text === null ? null : new Date(text));

function nodeOf(node: TaskNode): TaskNodeRecord {
  return {
    name: node.name as NodeName,
    role: node.role,
    index: node.index,
    state: node.state,
    exitCode: node.exit_code,
    reason: node.reason as TaskReason | null,
    message: node.message,
    startedAt: date(node.started_at),
    finishedAt: date(node.finished_at),
  };
}
