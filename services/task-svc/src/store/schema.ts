/**
 * Entities of task-svc for reads (D2). Hot writes are statements in `task-statements.ts` (D5). JSON columns are text, so
 * that MariaDB and MySQL give the same back; a test compares the columns here with the migrated database.
 */
import type { TaskFile, TaskNode, TaskOutputs, TaskSpec } from "@aiep/contracts";
import { defineEntity, type InferEntity, p, Type } from "@mikro-orm/core";

class JsonText extends Type<unknown, string> {
  override convertToJSValue(value: unknown): unknown {
    return typeof value === "string" ? JSON.parse(value) : value;
  }

  override getColumnType(): string {
    return "mediumtext";
  }
}

const json = <T>() => p.type(JsonText).$type<T>();

export const TaskRowSchema = defineEntity({
  name: "TaskRow",
  tableName: "tasks",
  properties: {
    /** Order of acceptance; pages are cut by it. */
    seq: p.bigint("number").primary().autoincrement(),
    id: p.string().length(32).unique(),
    version: p.integer(),
    group_id: p.string(),
    name: p.string(),
    description: p.text().nullable(),
    mode: p.string(),
    namespace: p.string(),
    image: p.string(),
    state: p.string(),
    reason: p.string(),
    message: p.text(),
    nodes: json<TaskNode[]>(),
    outputs: json<TaskOutputs>().nullable(),
    spec: json<TaskSpec>(),
    task_config: json<TaskFile>().lazy(),
    set_envs: json<Record<string, string>>().lazy(),
    warnings: json<string[]>().lazy(),
    labels: json<Record<string, string>>(),
    created_by: p.string(),
    proxy_user: p.string().nullable(),
    gen_ai_llm: p.boolean(),
    experiment_id: p.string().nullable(),
    experiment_run_id: p.string().nullable(),
    experiment_version_name: p.string().nullable(),
    copied_from: p.string().nullable(),
    code_package_id: p.string().nullable(),
    traceparent: p.string().nullable(),
    cpu: p.double(),
    memory_gb: p.double(),
    gpu: p.integer(),
    attempt: p.integer(),
    launching_at: p.datetime(3).nullable(),
    launched_at: p.datetime(3).nullable(),
    started_at: p.datetime(3).nullable(),
    finished_at: p.datetime(3).nullable(),
    removed_at: p.datetime(3).nullable(),
    stop_requested_at: p.datetime(3).nullable(),
    stop_requested_by: p.string().nullable(),
    stop_grace_seconds: p.integer().nullable(),
    deleted_at: p.datetime(3).nullable(),
    deleted_by: p.string().nullable(),
    created_at: p.datetime(3),
    /** The controller still has something to do: not ended, or its workload not removed. */
    unsettled: p.boolean(),
  },
});
export type TaskRow = InferEntity<typeof TaskRowSchema>;

export const CodePackageRowSchema = defineEntity({
  name: "CodePackageRow",
  tableName: "code_packages",
  properties: {
    id: p.string().length(32).primary(),
    group_id: p.string(),
    sha256: p.string().length(64),
    size_bytes: p.bigint("number"),
    file_count: p.integer(),
    created_by: p.string(),
    created_at: p.datetime(3),
    last_used_at: p.datetime(3),
  },
});
export type CodePackageRow = InferEntity<typeof CodePackageRowSchema>;

export const ENTITIES = [TaskRowSchema, CodePackageRowSchema] as const;
