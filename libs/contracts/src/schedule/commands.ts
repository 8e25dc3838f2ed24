/** Commands of scheduler-bridge (D8): durable, idempotent by their id, answered by events. HTTP runs the same code. */
import * as z from "zod";
import { type CommandDefinition, defineCommand } from "../events/define.ts";
import { publicationId } from "../ids.ts";
import { publishFields } from "./api.ts";

export const publishWorkflow = defineCommand({
  service: "scheduler-bridge",
  name: "publish",
  version: 1,
  summary:
    "Publish a frozen version to a scheduler, or update what is published. Answered by schedule.publication_publishing and what follows, or schedule.schedule_rejected.",
  schema: z.object({ ...publishFields, requested_by: z.string().min(1) }),
});

export const unpublishWorkflow = defineCommand({
  service: "scheduler-bridge",
  name: "unpublish",
  version: 1,
  summary:
    "Take a publication out of its scheduler. Idempotent; answered by schedule.publication_unpublishing and publication_unpublished, or schedule_rejected.",
  schema: z.object({ publication_id: publicationId, requested_by: z.string().min(1) }),
});

export const SCHEDULE_COMMANDS = [
  publishWorkflow,
  unpublishWorkflow,
] as const satisfies readonly CommandDefinition[];
