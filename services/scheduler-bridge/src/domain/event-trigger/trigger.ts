/** An event trigger and what becomes of it; every change is one version and one event. */
import type { ErrorField, EventTriggerId, ExperimentId, GroupId } from "@aiep/contracts";
import { compileTrigger, type EventTriggerDefinition } from "./compile.ts";

export interface EventTrigger extends EventTriggerDefinition {
  readonly id: EventTriggerId;
  readonly version: number;
  readonly groupId: GroupId;
  readonly name: string;
  readonly experimentId: ExperimentId;
  /** null: the newest frozen one at each fire. */
  readonly versionName: string | null;
  readonly maxPerHour: number;
  readonly paused: boolean;
  readonly deleted: boolean;
  /** Why it last could not judge an event. */
  readonly problem: string | null;
  /** Who made or changed it last; its runs are theirs. */
  readonly owner: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface EventTriggerChange {
  readonly trigger: EventTrigger;
  readonly event: "created" | "updated" | "deleted";
}

type Editable = Pick<
  EventTrigger,
  "name" | "versionName" | "event" | "condition" | "parameters" | "runDate" | "maxPerHour" | "paused"
>;

export function createTrigger(
  made: Editable & Pick<EventTrigger, "id" | "groupId" | "experimentId">,
  by: { readonly owner: string; readonly at: Date },
): EventTriggerChange {
  const { owner, at } = by;
  const times = { createdAt: at, updatedAt: at };
  return {
    trigger: { ...made, version: 1, deleted: false, problem: null, owner, ...times },
    event: "created",
  };
}

/** A change is a new start: an earlier problem is forgotten. */
export function updateTrigger(
  trigger: EventTrigger,
  changes: Partial<Editable>,
  by: { readonly owner: string; readonly at: Date },
): EventTriggerChange {
  const next = { ...trigger, ...changes, problem: null, owner: by.owner, updatedAt: by.at };
  return { trigger: { ...next, version: trigger.version + 1 }, event: "updated" };
}

/** Found while an event was judged; who owns it stays. */
export function foundFailing(trigger: EventTrigger, problem: string): EventTriggerChange {
  return { trigger: { ...trigger, problem, version: trigger.version + 1 }, event: "updated" };
}

export function deleteTrigger(trigger: EventTrigger, at: Date): EventTriggerChange {
  return {
    trigger: { ...trigger, deleted: true, updatedAt: at, version: trigger.version + 1 },
    event: "deleted",
  };
}

export function problemsOf(definition: EventTriggerDefinition): readonly ErrorField[] {
  const compiled = compileTrigger(definition);
  return compiled.ok ? [] : compiled.problems;
}
