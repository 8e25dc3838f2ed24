/** An event as triggers see it: ours by context and name, an outside CloudEvent as `external.<type>`. */
import {
  type EventDefinition,
  externalEventReceived,
  runDeleted,
  SCHEDULE_EVENTS,
  TASK_EVENTS,
  WORKFLOW_EVENTS,
} from "@aiep/contracts";
import type { Json } from "@aiep/expressions";

export interface TriggerEvent {
  /** `task.succeeded`, `workflow.run_failed`, `external.com.example.ready`. */
  readonly type: string;
  /** With `source` what makes it the same event again. */
  readonly id: string;
  readonly source: string;
  /** The aggregate's id, or what the outside event says; "" when it says nothing. */
  readonly subject: string;
  readonly groupId: string;
  /** RFC 3339. */
  readonly time: string;
  readonly data: Json;
}

export const EVENT_PROPERTIES = ["type", "id", "source", "subject", "group_id", "time", "data"] as const;

export const EXTERNAL = "external";

/** The one in which outside events travel, and the tidying up of old runs, a thousand at a time, which is no news of work. */
const NOT_FOR_TRIGGERS: readonly EventDefinition[] = [externalEventReceived, runDeleted];

/** Types of our own events. */
export const KNOWN_TYPES: readonly string[] = [...TASK_EVENTS, ...WORKFLOW_EVENTS, ...SCHEDULE_EVENTS]
  .filter((definition) => !NOT_FOR_TRIGGERS.includes(definition))
  .map(({ context, name }) => `${context}.${name}`);
