/** Keeps the projection of tasks from their events (D6), and tells open streams of a task's log when it changed. */
import { CONSUMERS, type ConsumerDefinition, TASK_EVENTS } from "@aiep/contracts";
import { type Consumer, createEventConsumer, type EventConsumerDeps } from "@aiep/service-kit";
import type { LiveTail } from "../ingest/live-tail.ts";
import { recordDeletion, recordStatus } from "../store/task-facts.ts";

export type ProjectionDeps = Omit<
  EventConsumerDeps<typeof TASK_EVENTS>,
  "consumer" | "definitions" | "handler" | "committed"
> & {
  readonly tail: LiveTail;
  readonly consumer?: ConsumerDefinition;
};

/** A log is asked for by people: what they wait for is its lines, which come another way. */
const PACE_MS = 50;

export function createTaskProjection({ tail, consumer, ...deps }: ProjectionDeps): Consumer {
  return createEventConsumer({
    ...deps,
    consumer: consumer ?? CONSUMERS.logTasks,
    paceMs: PACE_MS,
    definitions: TASK_EVENTS,
    handler: (message) => {
      switch (message.name) {
        case "rejected":
          return []; // no task came of it
        case "deleted":
          return [recordDeletion(message.data.task_id)];
        default:
          return [recordStatus(message.data)];
      }
    },
    committed: (messages) => {
      for (const message of messages)
        if (message.name !== "rejected") tail.changed(message.data.task_id, "sources");
    },
  });
}
