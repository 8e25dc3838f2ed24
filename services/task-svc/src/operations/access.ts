/**
 * Who may see and who may change which task (D15, D16): members everything, viewers and administrators reading only.
 * A task of a group the caller does not see does not exist for them: TASK_NOT_FOUND, never FORBIDDEN.
 */
import { AiepError, type GroupId, taskId } from "@aiep/contracts";
import type { Principal } from "@aiep/service-kit";
import type { Task } from "../domain/task.ts";
import type { TaskRecord, TaskStore } from "../store/task-store.ts";

export type VisibleGroups = readonly GroupId[] | "all";

export function visibleGroups(principal: Principal): VisibleGroups {
  return principal.isAdmin ? "all" : principal.memberships.map(({ group }) => group.id);
}

function sees(principal: Principal, groupId: GroupId): boolean {
  const groups = visibleGroups(principal);
  return groups === "all" || groups.includes(groupId);
}

/** VIEWER_ONLY to whoever may only read in the group. */
export function requireMember(principal: Principal, groupId: GroupId): void {
  const membership = principal.memberships.find(({ group }) => group.id === groupId);
  if (membership?.role === "member") return;
  if (membership === undefined)
    throw new AiepError("NOT_A_MEMBER", `${principal.user} is not a member of the group ${groupId}.`);
  throw new AiepError(
    "VIEWER_ONLY",
    `${principal.user} may only read in the group ${membership.group.name}.`,
    {
      hint: `Ask ${membership.group.admin}, who administers the group, for the member role.`,
    },
  );
}

export interface FindDeps {
  readonly store: Pick<TaskStore, "get" | "task" | "findByPrefix">;
}

const MAX_CANDIDATES = 5;

/** By whole id or unique prefix, whole with what was asked for. */
export async function findTask(deps: FindDeps, principal: Principal, prefix: string): Promise<TaskRecord> {
  const id = await resolveId(deps, principal, prefix);
  const record = await deps.store.get(id);
  if (record === undefined || !sees(principal, record.task.facts.groupId)) throw notFound(prefix);
  return record;
}

/** The task alone, to be changed: the caller must be a member of its group. */
export async function findTaskToChange(deps: FindDeps, principal: Principal, prefix: string): Promise<Task> {
  const { task } = await findTask(deps, principal, prefix);
  requireMember(principal, task.facts.groupId);
  return task;
}

async function resolveId({ store }: FindDeps, principal: Principal, prefix: string) {
  const whole = taskId.safeParse(prefix);
  if (whole.success) return whole.data;
  const candidates = await store.findByPrefix(prefix, visibleGroups(principal), MAX_CANDIDATES + 1);
  const [first, second] = candidates;
  if (first === undefined) throw notFound(prefix);
  if (second === undefined) return first.id;
  const shown = candidates.slice(0, MAX_CANDIDATES);
  const more = candidates.length > MAX_CANDIDATES ? ", and more" : "";
  throw new AiepError(
    "AMBIGUOUS_ID",
    `Several tasks begin with ${prefix}: ${shown.map(({ id, name }) => `${id} (${name})`).join(", ")}${more}.`,
    { extensions: { candidates: shown.map(({ id, name, state }) => ({ id, name, state })) } },
  );
}

function notFound(prefix: string): AiepError {
  return new AiepError("TASK_NOT_FOUND", `There is no task ${prefix} in your groups.`);
}
