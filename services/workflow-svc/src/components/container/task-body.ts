/** From a node to the body that submits its container task; the last check is the contract's own. */
import { crossFieldProblems, type SubmitTaskBody, submitTaskBody, type TaskFileInput } from "@aiep/contracts";
import type * as z from "zod";
import type { ManifestProblem } from "../../domain/definition/index.ts";
import type { NodeContext, Prepared } from "../component.ts";
import { failed, ready } from "../define.ts";
import { issueProblems } from "../manifest-problems.ts";
import type { taskMetadata } from "./parts.ts";

/** Longest name of a task. */
const MAX_TASK_NAME = 253;

export function metadataOf(
  { run, node }: Pick<NodeContext, "run" | "node">,
  own: z.output<typeof taskMetadata> | undefined,
): TaskFileInput["metadata"] {
  const { proxy_user = own?.proxy_user_id === undefined ? run.proxyUser : undefined, ...rest } = own ?? {};
  return {
    ...rest,
    ...(proxy_user === undefined ? {} : { proxy_user }),
    name: taskName(node),
    group_id: run.groupId,
    ...(node.description === undefined ? {} : { description: node.description.slice(0, 4096) }),
    experiment_id: run.experimentId,
    experiment_run_id: run.id,
    experiment_version_name: run.versionName,
  };
}

/** The node's name; a child of a for_each says which it is. */
function taskName({ name, key }: NodeContext["node"]): string {
  const child = /\[\d+\]$/.exec(key)?.[0] ?? "";
  return `${name.slice(0, MAX_TASK_NAME - child.length)}${child}`;
}

export function toBody(body: z.input<typeof submitTaskBody>): Prepared<SubmitTaskBody> {
  const parsed = submitTaskBody.safeParse(body);
  if (parsed.success) return ready(parsed.data);
  const problems = issueProblems(parsed.error).map(({ path, detail }) => `${path.join(".")}: ${detail}`);
  return failed("validation", "TaskInvalid", `The node does not give a valid task: ${problems.join("; ")}.`);
}

type Sections = Parameters<typeof crossFieldProblems>[0];

/** The task file's rules between fields, with paths into the manifest: its first mounts are those of `directories`. */
export function taskProblems(sections: Sections, ownMounts: number): ManifestProblem[] {
  return crossFieldProblems(sections).map(({ pointer, detail }) => {
    const path = pointer
      .split("/")
      .slice(1)
      .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
    const [section, index, ...rest] = path;
    if (section !== "data_info" || typeof index !== "number") return { path, detail };
    return index < ownMounts
      ? { path: ["directories"], detail }
      : { path: ["data_info", index - ownMounts, ...rest], detail };
  });
}
