/** Events of all three contexts as triggers see them: what they are called, and to which fire they go back. */
import {
  externalEventReceived,
  type FireId,
  fireSkipped,
  fireView,
  groupId,
  type RunId,
  runDeleted,
  runId,
  type SCHEDULE_EVENTS,
  type TASK_EVENTS,
  type WORKFLOW_EVENTS,
} from "@aiep/contracts";
import type { EventMessage } from "@aiep/service-kit";
import type { JudgedEvent } from "../control/event-judge.ts";
import { EXTERNAL, type TriggerEvent } from "../domain/event-trigger/index.ts";
import type { LineageStore } from "../store/lineage.ts";

type Definitions = typeof TASK_EVENTS | typeof WORKFLOW_EVENTS | typeof SCHEDULE_EVENTS;
export type AnyEvent = EventMessage<Definitions[number]>;

/** Undefined: not for triggers (J3). */
export function judgedEvent(message: AnyEvent, lineage: LineageStore): JudgedEvent | undefined {
  const { definition, envelope } = message;
  if (definition === runDeleted) return undefined;
  if (definition === fireSkipped && fireView.safeParse(message.data).data?.kind === "event") return undefined;
  return {
    groupId: groupId.parse(envelope.group_id),
    writtenAt: new Date(envelope.time),
    receivedAt: message.receivedAt,
    event: () => eventOf(message),
    upstream: async () => {
      const { run, fire } = originOf(message);
      if (fire !== undefined) return await lineage.ofFire(fire);
      return run === undefined ? undefined : await lineage.ofRun(run);
    },
    context: {
      correlationId: envelope.correlation_id,
      causationId: envelope.id,
      traceparent: envelope.traceparent,
    },
  };
}

function eventOf({ definition, envelope, data }: AnyEvent): TriggerEvent {
  const { id, source, time, group_id: group, aggregate_id: subject } = envelope;
  if (definition === externalEventReceived && "event" in data && typeof data.event === "object") {
    const { event } = data;
    return {
      type: `${EXTERNAL}.${event.type}`,
      id: event.id,
      source: event.source,
      subject: event.subject ?? "",
      groupId: group,
      time: event.time ?? time,
      data: event.data ?? null,
    };
  }
  const type = `${definition.context}.${definition.name}`;
  // It came as JSON; what is absent from a schema's view of it is undefined, and no value of JSON.
  return { type, id, source, subject, groupId: group, time, data: JSON.parse(JSON.stringify(data)) };
}

/** The run that an event tells of, or the fire. */
function originOf({ definition, data }: AnyEvent): { readonly run?: RunId; readonly fire?: FireId } {
  if (definition.context === "schedule") {
    const fire = fireView.safeParse(data);
    return fire.success ? { fire: fire.data.id } : {};
  }
  const written =
    "run_id" in data ? data.run_id : "experiment_run_id" in data ? data.experiment_run_id : null;
  const run = runId.safeParse(written);
  return run.success ? { run: run.data } : {};
}
