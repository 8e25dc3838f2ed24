/**
 * Events of the schedule context, stream SCHEDULE. Aggregates: a publication, a schedule, a fire, a back-fill, an event trigger,
 * an outside event; versions are gap-free from 1 (D6). Each carries the whole view after the change.
 */
import * as z from "zod";
import { defineEvent, type EventDefinition } from "../events/define.ts";
import { groupId } from "../ids.ts";
import {
  backfillView,
  cloudEvent,
  eventTriggerView,
  fireView,
  publicationDetail,
  scheduleView,
} from "./api.ts";

const event = <Name extends string, Schema extends z.ZodType>(name: Name, summary: string, schema: Schema) =>
  defineEvent({ context: "schedule", name, version: 1, summary, schema });

const publicationEvent = <Name extends string>(name: Name, summary: string) =>
  event(name, summary, publicationDetail);
export const publicationPublishing = publicationEvent(
  "publication_publishing",
  "A version was asked to be published. It is kept whatever happens next (I1).",
);
export const publicationStepped = publicationEvent(
  "publication_stepped",
  "A step was begun, done or failed.",
);
export const publicationPublished = publicationEvent(
  "publication_published",
  "It stands in the scheduler, as read back.",
);
export const publicationFailed = publicationEvent(
  "publication_failed",
  "It did not come through; what had begun was rolled back.",
);
export const publicationUnpublishing = publicationEvent(
  "publication_unpublishing",
  "It is being taken out of the scheduler.",
);
export const publicationUnpublished = publicationEvent(
  "publication_unpublished",
  "It is gone from the scheduler.",
);
/** The event of each state. */
export const PUBLICATION_STATE_EVENTS = {
  Publishing: publicationPublishing,
  Published: publicationPublished,
  Failed: publicationFailed,
  Unpublishing: publicationUnpublishing,
  Unpublished: publicationUnpublished,
} as const;

const scheduleEvent = <Name extends string>(name: Name, summary: string) =>
  event(name, summary, scheduleView);
export const scheduleCreated = scheduleEvent("schedule_created", "A schedule was created.");
export const scheduleUpdated = scheduleEvent("schedule_updated", "A schedule was changed.");
export const schedulePaused = scheduleEvent("schedule_paused", "It fires no more until it is resumed.");
export const scheduleResumed = scheduleEvent("schedule_resumed", "It fires again, from now on.");
export const scheduleDeleted = scheduleEvent("schedule_deleted", "It was deleted; its fires are kept.");

const fireEvent = <Name extends string>(name: Name, summary: string) => event(name, summary, fireView);
export const fireQueued = fireEvent("fire_queued", "A run is due and waits behind others.");
export const fireOrdered = fireEvent("fire_ordered", "A run was ordered; its id is known.");
export const fireRunning = fireEvent("fire_running", "Its run goes on.");
export const fireEnded = fireEvent("fire_ended", "Its run ended, or was refused. Terminal.");
export const fireSkipped = fireEvent("fire_skipped", "No run: see the reason. Terminal.");

const backfillEvent = <Name extends string>(name: Name, summary: string) =>
  event(name, summary, backfillView);
export const backfillStarted = backfillEvent("backfill_started", "A range of dates is being filled.");
export const backfillUpdated = backfillEvent("backfill_updated", "It was paused or resumed.");
export const backfillEnded = backfillEvent(
  "backfill_ended",
  "All of it ended, or it was cancelled. Terminal.",
);

const triggerEvent = <Name extends string>(name: Name, summary: string) =>
  event(name, summary, eventTriggerView);
export const eventTriggerCreated = triggerEvent("event_trigger_created", "An event trigger was created.");
export const eventTriggerUpdated = triggerEvent("event_trigger_updated", "It was changed, or found failing.");
export const eventTriggerDeleted = triggerEvent(
  "event_trigger_deleted",
  "It was deleted; its fires are kept.",
);

export const externalEventReceived = event(
  "external_event_received",
  "An outside CloudEvent was taken in, once per source and id.",
  z.object({ group_id: groupId, event: z.object(cloudEvent.shape), received_by: z.string() }),
);

export const scheduleRejected = event(
  "schedule_rejected",
  "A command was refused; nothing was changed. The aggregate is the command.",
  z.object({
    command_id: z.string(),
    group_id: groupId,
    command: z.string(),
    code: z.string(),
    detail: z.string(),
    errors: z.array(z.object({ pointer: z.string(), code: z.string(), detail: z.string() })),
  }),
);

export const SCHEDULE_EVENTS = [
  publicationPublishing,
  publicationStepped,
  publicationPublished,
  publicationFailed,
  publicationUnpublishing,
  publicationUnpublished,
  scheduleCreated,
  scheduleUpdated,
  schedulePaused,
  scheduleResumed,
  scheduleDeleted,
  fireQueued,
  fireOrdered,
  fireRunning,
  fireEnded,
  fireSkipped,
  backfillStarted,
  backfillUpdated,
  backfillEnded,
  eventTriggerCreated,
  eventTriggerUpdated,
  eventTriggerDeleted,
  externalEventReceived,
  scheduleRejected,
] as const satisfies readonly EventDefinition[];
