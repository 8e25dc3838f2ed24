/**
 * Submitting a task, for HTTP and for commands alike (D8).
 *
 * O1 one submit, one task (I2): over HTTP the Idempotency-Key's row is committed with the task (`also`); a command's task
 *    has an id made from the command's, so that a second delivery finds the first one's task.
 * O2 a refusal writes nothing (D15); neither does a preview.
 * O3 text files that come with the submit are kept as a package once everything else is admitted; one whose task is not
 *    written then is like any package that no task uses.
 */
import {
  type CodePackageId,
  type SubmitTaskBody,
  type TaskId,
  taskId,
  taskIdOfCommand,
} from "@aiep/contracts";
import { type DirectoryIndex, type Principal, randomHex, type Sql } from "@aiep/service-kit";
import type { CodePackageFacts } from "../domain/admission/facts.ts";
import { refusalError } from "../domain/admission/refusal.ts";
import { type Admitted, admit } from "../domain/admission.ts";
import { type Change, createTask } from "../domain/life-cycle.ts";
import { type Resources, taskResources } from "../domain/quota.ts";
import type { TaskFacts } from "../domain/task.ts";
import type { ChangeContext, TaskRecord, TaskStore } from "../store/task-store.ts";
import { type KeepFilesDeps, keepCodeFiles } from "./code-packages.ts";

type Foresee = (wish: { readonly namespace: string; readonly asked: Resources }) => string | undefined;

export interface SubmitDeps {
  readonly store: Pick<TaskStore, "insert" | "get" | "useCodePackage" | "insertCodePackage">;
  readonly packages: KeepFilesDeps["packages"];
  readonly directory: { current(): DirectoryIndex };
  readonly clock: () => Date;
  /** What the task would wait for, when that is known here. */
  readonly foreseeWait?: Foresee | undefined;
}

export interface SubmitOptions extends ChangeContext {
  /** Id of the command that asks for it (O1). */
  readonly commandId?: string | undefined;
  readonly copiedFrom?: TaskId | undefined;
  /** Statements of the same transaction, made from the task about to be written (O1). */
  readonly also?: (record: TaskRecord) => readonly Sql[];
}

export async function submitTask(
  deps: SubmitDeps,
  principal: Principal,
  body: SubmitTaskBody,
  options: SubmitOptions = {},
): Promise<TaskRecord> {
  const { commandId } = options;
  if (commandId === undefined) return await create(deps, principal, body, newTaskId(), options);
  const id = taskIdOfCommand(commandId);
  try {
    return await create(deps, principal, body, id, options);
  } catch (error) {
    // The same command handled before, or elsewhere at this moment.
    const earlier = await deps.store.get(id);
    if (earlier !== undefined) return earlier;
    throw error;
  }
}

/** Everything is checked, nothing written: the task as it would be. */
export async function previewTask(
  deps: SubmitDeps,
  principal: Principal,
  body: SubmitTaskBody,
): Promise<TaskRecord> {
  return (await prepare(deps, principal, body, newTaskId(), {}, "preview")).record;
}

async function create(
  deps: SubmitDeps,
  principal: Principal,
  body: SubmitTaskBody,
  id: TaskId,
  options: SubmitOptions,
): Promise<TaskRecord> {
  const { change, record } = await prepare(deps, principal, body, id, options);
  const { correlationId, causationId, traceparent, also } = options;
  await deps.store.insert(change, record, {
    correlationId,
    causationId,
    traceparent,
    ...(also === undefined ? {} : { also: also(record) }),
  });
  return record;
}

async function prepare(
  deps: SubmitDeps,
  principal: Principal,
  body: SubmitTaskBody,
  id: TaskId,
  options: SubmitOptions,
  purpose: "create" | "preview" = "create",
): Promise<{ readonly change: Change; readonly record: TaskRecord }> {
  const admission = admit({
    body,
    user: principal.user,
    // The bus takes commands from services alone, also where they ask for somebody else.
    platformService: principal.isService || options.commandId !== undefined,
    directory: deps.directory.current(),
    codePackage: await codePackageFacts(deps, body.code_package_id),
  });
  if (admission.kind === "refused") throw refusalError(admission.refusals);
  const admitted =
    body.code_files === undefined || purpose === "preview"
      ? admission.admitted
      : await withCodeFiles(deps, principal, admission.admitted, body.code_files);
  const setEnvs = body.set_envs ?? {};
  const facts = factsOf(admitted, { id, createdBy: principal.user, createdAt: deps.clock(), options });
  const { spec } = facts;
  const change = createTask(facts, {
    envNames: Object.keys(setEnvs),
    commandId: options.commandId,
    waiting: deps.foreseeWait?.({ namespace: spec.namespace, asked: taskResources(spec) }),
  });
  const { taskConfig, warnings } = admitted;
  return { change, record: { task: change.task, taskConfig, setEnvs, warnings } };
}

function factsOf(
  { groupId, spec, taskConfig: { metadata }, proxyUser, labels }: Admitted,
  given: { id: TaskId; createdBy: string; createdAt: Date; options: SubmitOptions },
): TaskFacts {
  return {
    id: given.id,
    groupId,
    name: metadata.name,
    description: metadata.description ?? null,
    labels,
    spec,
    createdBy: given.createdBy,
    proxyUser,
    genAiLlm: metadata.gen_ai_llm ?? false,
    experimentId: metadata.experiment_id ?? null,
    experimentRunId: metadata.experiment_run_id ?? null,
    experimentVersionName: metadata.experiment_version_name ?? null,
    copiedFrom: given.options.copiedFrom ?? null,
    codePackageId: spec.code_package?.id ?? null,
    traceparent: given.options.traceparent ?? null,
    createdAt: given.createdAt,
  };
}

/** O3 */
async function withCodeFiles(
  deps: SubmitDeps,
  { user }: Principal,
  admitted: Admitted,
  files: Readonly<Record<string, string>>,
): Promise<Admitted> {
  const { groupId, spec } = admitted;
  const { id, sha256, sizeBytes } = await keepCodeFiles(deps, files, { groupId, user });
  return { ...admitted, spec: { ...spec, code_package: { id, sha256, size_bytes: sizeBytes } } };
}

async function codePackageFacts(
  { store, clock }: SubmitDeps,
  id: CodePackageId | undefined,
): Promise<CodePackageFacts | undefined> {
  return id === undefined ? undefined : await store.useCodePackage(id, clock());
}

function newTaskId(): TaskId {
  return taskId.parse(randomHex(16));
}
