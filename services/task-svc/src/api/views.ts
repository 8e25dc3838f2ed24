/** Domain values as the wire shows them (D33). */
import type { CodePackageView, TaskDetail, TaskView } from "@aiep/contracts";
import { attemptOf, finishedAtOf, nodeView, startedAtOf, type Task } from "../domain/task.ts";
import type { CodePackage, TaskRecord } from "../store/task-store.ts";

export function taskView(task: Task): TaskView {
  const { facts, stop } = task;
  return {
    id: facts.id,
    name: facts.name,
    group_id: facts.groupId,
    description: facts.description,
    mode: facts.spec.mode,
    namespace: facts.spec.namespace,
    image: facts.spec.image.url,
    state: task.state,
    reason: task.reason,
    message: task.message,
    version: task.version,
    attempt: attemptOf(task),
    nodes: task.nodes.map(nodeView),
    labels: { ...facts.labels },
    gen_ai_llm: facts.genAiLlm,
    created_by: facts.createdBy,
    proxy_user: facts.proxyUser,
    experiment_id: facts.experimentId,
    experiment_run_id: facts.experimentRunId,
    experiment_version_name: facts.experimentVersionName,
    copied_from: facts.copiedFrom,
    code_package_id: facts.codePackageId,
    outputs: task.state === "Succeeded" ? task.outputs : null,
    run_limit_seconds: facts.spec.run_limit_seconds,
    stop_requested_at: stop?.at.toISOString() ?? null,
    stop_requested_by: stop?.by ?? null,
    created_at: facts.createdAt.toISOString(),
    started_at: startedAtOf(task)?.toISOString() ?? null,
    finished_at: finishedAtOf(task)?.toISOString() ?? null,
  };
}

export function taskDetail({ task, taskConfig, setEnvs, warnings }: TaskRecord): TaskDetail {
  return { ...taskView(task), task_config: taskConfig, set_envs: { ...setEnvs }, warnings: [...warnings] };
}

export function codePackageView(codePackage: CodePackage): CodePackageView {
  return {
    id: codePackage.id,
    sha256: codePackage.sha256,
    size_bytes: codePackage.sizeBytes,
    file_count: codePackage.fileCount,
    group_id: codePackage.groupId,
    created_by: codePackage.createdBy,
    created_at: codePackage.createdAt.toISOString(),
  };
}
