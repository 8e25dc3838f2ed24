/** An event as triggers see it: ours by context and name, an outside CloudEvent as `external.<type>`. */
import { SCHEDULE_EVENTS, TASK_EVENTS, WORKFLOW_EVENTS } from "@aiep/contracts";
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

/** Types of our own events, without the one in which outside events travel. */
export const KNOWN_TYPES: readonly string[] = [...TASK_EVENTS, ...WORKFLOW_EVENTS, ...SCHEDULE_EVENTS]
  .filter(({ name }) => name !== "external_event_received")
  .map(({ context, name }) => `${context}.${name}`);
