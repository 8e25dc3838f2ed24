import type { copyTaskBody, SubmitTaskBody } from "@aiep/contracts";
import type { Principal } from "@aiep/service-kit";
import type * as z from "zod";
import type { TaskRecord } from "../store/task-store.ts";
import { type FindDeps, findTask } from "./access.ts";
import { type SubmitDeps, type SubmitOptions, submitTask } from "./submit-task.ts";

export type CopyTaskBody = z.infer<typeof copyTaskBody>;

/** A new task like another one (D16), submitted by the caller: admission judges it again, as of now. */
export async function copyTask(
  deps: SubmitDeps & FindDeps,
  principal: Principal,
  prefix: string,
  overrides: CopyTaskBody,
  options: SubmitOptions = {},
): Promise<TaskRecord> {
  const original = await findTask(deps, principal, prefix);
  const copiedFrom = original.task.facts.id;
  return await submitTask(deps, principal, bodyOfCopy(original, overrides), { ...options, copiedFrom });
}

function bodyOfCopy({ task, taskConfig, setEnvs }: TaskRecord, overrides: CopyTaskBody): SubmitTaskBody {
  const config = overrides.task_config ?? taskConfig;
  // The experiment fields say which run a task belongs to; a copy belongs to none.
  const {
    experiment_id: _id,
    experiment_run_id: _run,
    experiment_version_name: _version,
    ...own
  } = config.metadata;
  const metadata = overrides.task_config === undefined ? own : config.metadata;
  return {
    task_config: { ...config, metadata: { ...metadata, name: overrides.name ?? metadata.name } },
    set_envs: overrides.set_envs ?? { ...setEnvs },
    ...(task.facts.codePackageId === null ? {} : { code_package_id: task.facts.codePackageId }),
  };
}
