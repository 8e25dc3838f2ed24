/** Lists of tasks: filters as a MikroORM condition. */
import type { GroupId, ListTasksQuery } from "@aiep/contracts";
import { decodeCursor } from "@aiep/service-kit";
import { type FilterQuery, raw } from "@mikro-orm/core";
import type { TaskRow } from "./schema.ts";

const oneOf = (values: readonly string[] | undefined) =>
  values === undefined ? undefined : { $in: [...values] };

/** Undefined when no task can match: none of the groups asked for is visible. */
export function listFilter(
  query: ListTasksQuery,
  groups: readonly GroupId[] | "all",
): FilterQuery<TaskRow> | undefined {
  const visible = visibleGroups(query.group_id, groups);
  if (visible?.length === 0) return undefined;
  const before = decodeCursor(query);
  const conditions: Record<string, unknown> = {
    deleted_at: null,
    ...present("group_id", oneOf(visible)),
    ...present("state", oneOf(query.state)),
    ...present("mode", oneOf(query.mode)),
    ...present("namespace", query.namespace),
    ...present("created_by", query.created_by),
    ...present("name", query.name_prefix && { $like: `${likeText(query.name_prefix)}%` }),
    ...present("experiment_id", query.experiment_id),
    ...present("experiment_run_id", query.experiment_run_id),
    ...present("gen_ai_llm", query.gen_ai_llm),
    ...present("created_at", timeRange(query)),
    ...present("seq", before && { $lt: before }),
  };
  const labels = (query.label ?? []).map((label) => ({
    [raw("json_contains(labels, ?)", [labelJson(label)])]: 1,
  }));
  // Built by name above; MikroORM checks the names against the entity when it makes the statement.
  return { ...conditions, ...(labels.length === 0 ? {} : { $and: labels }) } as FilterQuery<TaskRow>;
}

const present = (name: string, condition: unknown): Record<string, unknown> =>
  condition === undefined || condition === "" ? {} : { [name]: condition };

function visibleGroups(
  asked: readonly GroupId[] | undefined,
  groups: readonly GroupId[] | "all",
): readonly GroupId[] | undefined {
  if (groups === "all") return asked;
  return asked === undefined ? groups : asked.filter((group) => groups.includes(group));
}

function timeRange({ created_after: after, created_before: before }: ListTasksQuery) {
  if (after === undefined && before === undefined) return undefined;
  return {
    ...(after === undefined ? {} : { $gt: new Date(after) }),
    ...(before === undefined ? {} : { $lt: new Date(before) }),
  };
}

const likeText = (text: string): string => text.replace(/[\\%_]/g, (character) => `\\${character}`);

function labelJson(label: string): string {
  const colon = label.indexOf(":");
  return JSON.stringify({ [label.slice(0, colon)]: label.slice(colon + 1) });
}
