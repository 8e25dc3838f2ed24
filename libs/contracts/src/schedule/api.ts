/** HTTP bodies of scheduler-bridge (D25–D27, D30, D33). Shapes only; routes are in `http/schedule-routes.ts`. */
import * as z from "zod";
import { oneOrMany } from "../http/query.ts";
import {
  backfillId,
  eventTriggerId,
  experimentId,
  fireId,
  groupId,
  publicationId,
  runId,
  scheduleId,
  timestamp,
} from "../ids.ts";
import { isTimeZone } from "../time/calendar.ts";
import { versionName } from "../workflow/api.ts";
import {
  backfillState,
  fireKind,
  fireState,
  misfirePolicy,
  overlapPolicy,
  publicationState,
  schedulerKind,
  stepPurpose,
  stepState,
} from "./states.ts";

const limit = z.coerce.number().int().min(1).max(500).default(50);
const cursor = z.string().max(1024).optional();
const name = z.string().trim().min(1).max(253);
/** Read by the service: its problems name field and position. */
const cron = z.string().trim().min(1).max(200);
const timeZone = z.string().max(64).refine(isTimeZone, "an IANA time zone such as Asia/Shanghai");
const day = z.string().regex(/^\d{8}$/, "a date as yyyyMMdd");
const parameterName = z.string().regex(/^[A-Za-z_]\w{0,63}$/, "a name such as learning_rate");
const parameters = z.record(parameterName, z.json());
const note = z.string().max(1024);

// Publications

/** What is published; over HTTP and as a command. */
export const publishFields = {
  experiment_id: experimentId,
  /** Default: the newest frozen version; never the draft. */
  version_name: versionName.optional(),
  scheduler: schedulerKind.default("wtss"),
  /** 5-field cron, or Quartz with 6 or 7 fields. null: no schedule there. Absent: as it was. */
  cron: cron.nullable().optional(),
  /** The zone the cron is meant in; default the service's. */
  time_zone: timeZone.optional(),
  /** Passed to every run; `${…}` is the scheduler's own and resolved by it. Absent: as they were. */
  parameters: z.record(parameterName, z.string().max(4096)).optional(),
};
export const publishBody = z.strictObject(publishFields);
export type PublishBody = z.infer<typeof publishBody>;

export const publicationStep = z.object({
  purpose: stepPurpose,
  name: z.string(),
  state: stepState,
  attempts: z.int(),
  message: z.string().nullable(),
  started_at: timestamp.nullable(),
  finished_at: timestamp.nullable(),
});
export type PublicationStepView = z.infer<typeof publicationStep>;

export const publicationView = z.object({
  id: publicationId,
  group_id: groupId,
  experiment_id: experimentId,
  experiment_name: z.string(),
  scheduler: schedulerKind,
  state: publicationState,
  reason: z.string().nullable(),
  /** A sentence that says what to do, when there is something to do. */
  message: z.string().nullable(),
  /** What is wanted there. */
  version_name: versionName,
  /** What stands there, as it was read back. */
  live_version_name: versionName.nullable(),
  cron: z.string().nullable(),
  time_zone: z.string(),
  parameters: z.record(z.string(), z.string()),
  /** Who published it last; its runs are theirs. */
  owner: z.string(),
  project: z.string().nullable(),
  flow: z.string().nullable(),
  /** Where a person looks at it (前往WTSS). */
  url: z.string().nullable(),
  /** As the scheduler says it. */
  next_fire_at: z.string().nullable(),
  /** Strong ETag. */
  version: z.int(),
  /** Counts publishes; a newer one takes over an older one under way. */
  generation: z.int(),
  created_at: timestamp,
  updated_at: timestamp,
  published_at: timestamp.nullable(),
});
export type PublicationView = z.infer<typeof publicationView>;

/** Steps of the newest generation, in order. */
export const publicationDetail = z.object({ ...publicationView.shape, steps: z.array(publicationStep) });
export type PublicationDetail = z.infer<typeof publicationDetail>;

export const listPublicationsQuery = z.strictObject({
  limit,
  cursor,
  group_id: oneOrMany(groupId).optional(),
  experiment_id: experimentId.optional(),
  scheduler: oneOrMany(schedulerKind).optional(),
  state: oneOrMany(publicationState).optional(),
});

/** A sample of what the published flow would say. */
export const testPublicationBody = z.strictObject({
  run_date: z.string().max(64).optional(),
  parameters: z.record(parameterName, z.string().max(4096)).default({}),
});
/** Nothing is started. */
export const publicationTest = z.object({
  ok: z.boolean(),
  checks: z.array(z.object({ name: z.string(), ok: z.boolean(), message: z.string() })),
});
export type PublicationTest = z.infer<typeof publicationTest>;

// Schedules

export const createScheduleBody = z.strictObject({
  experiment_id: experimentId,
  /** Default: the name of the experiment. */
  name: name.optional(),
  /** Default: the newest frozen version at each fire. */
  version_name: versionName.optional(),
  cron,
  time_zone: timeZone.optional(),
  parameters: parameters.default({}),
  misfire: misfirePolicy.default("run_once"),
  max_catch_up: z.int().min(1).max(1000).default(10),
  overlap: overlapPolicy.default("skip"),
  /** Of `queue`: more are skipped. */
  max_queued: z.int().min(1).max(1000).default(100),
  starts_at: timestamp.optional(),
  ends_at: timestamp.optional(),
  paused: z.boolean().default(false),
});
export type CreateScheduleBody = z.infer<typeof createScheduleBody>;

/** What is absent stays; null takes away. Honours If-Match. */
export const updateScheduleBody = z.strictObject({
  name: name.optional(),
  version_name: versionName.nullable().optional(),
  cron: cron.optional(),
  time_zone: timeZone.optional(),
  parameters: parameters.optional(),
  misfire: misfirePolicy.optional(),
  max_catch_up: z.int().min(1).max(1000).optional(),
  overlap: overlapPolicy.optional(),
  max_queued: z.int().min(1).max(1000).optional(),
  starts_at: timestamp.nullable().optional(),
  ends_at: timestamp.nullable().optional(),
});
export type UpdateScheduleBody = z.infer<typeof updateScheduleBody>;

export const scheduleView = z.object({
  id: scheduleId,
  group_id: groupId,
  name: z.string(),
  experiment_id: experimentId,
  experiment_name: z.string(),
  version_name: versionName.nullable(),
  cron: z.string(),
  time_zone: z.string(),
  parameters,
  misfire: misfirePolicy,
  max_catch_up: z.int(),
  overlap: overlapPolicy,
  max_queued: z.int(),
  starts_at: timestamp.nullable(),
  ends_at: timestamp.nullable(),
  paused: z.boolean(),
  /** null: paused, or over. */
  next_fire_at: timestamp.nullable(),
  /** The publication that made it, of scheduler `local`. */
  publication_id: publicationId.nullable(),
  version: z.int(),
  /** Who made or changed it last; its runs are theirs. */
  owner: z.string(),
  created_at: timestamp,
  updated_at: timestamp,
});
export type ScheduleView = z.infer<typeof scheduleView>;

export const scheduleDetail = z.object({ ...scheduleView.shape, next_fires: z.array(timestamp) });
export type ScheduleDetail = z.infer<typeof scheduleDetail>;

export const listSchedulesQuery = z.strictObject({
  limit,
  cursor,
  group_id: oneOrMany(groupId).optional(),
  experiment_id: experimentId.optional(),
  paused: z.stringbool().optional(),
});

/** Fires now, whatever the cron says. */
export const triggerScheduleBody = z.strictObject({
  parameters: parameters.optional(),
  run_date: day.optional(),
});

export const previewCronBody = z.strictObject({
  cron,
  time_zone: timeZone.optional(),
  after: timestamp.optional(),
  count: z.int().min(1).max(100).default(10),
});
export const cronPreview = z.object({
  cron: z.string(),
  time_zone: z.string(),
  /** The same in Quartz form, as WTSS takes it; null when it cannot be said there. */
  quartz: z.string().nullable(),
  next_fires: z.array(timestamp),
});

export const createBackfillBody = z.strictObject({
  /** First and last business date, both included. */
  from: day,
  to: day,
  parallelism: z.int().min(1).max(32).default(1),
  /** Newest date first. */
  reverse: z.boolean().default(false),
  stop_on_failure: z.boolean().default(false),
  parameters: parameters.optional(),
});
export type CreateBackfillBody = z.infer<typeof createBackfillBody>;

export const backfillView = z.object({
  id: backfillId,
  schedule_id: scheduleId,
  group_id: groupId,
  from: day,
  to: day,
  parallelism: z.int(),
  reverse: z.boolean(),
  stop_on_failure: z.boolean(),
  state: backfillState,
  message: z.string().nullable(),
  total: z.int(),
  started: z.int(),
  succeeded: z.int(),
  failed: z.int(),
  version: z.int(),
  created_by: z.string(),
  created_at: timestamp,
  finished_at: timestamp.nullable(),
});
export type BackfillView = z.infer<typeof backfillView>;

// Fires

export const fireView = z.object({
  id: fireId,
  kind: fireKind,
  /** The schedule, publication or event trigger. */
  source_id: z.string(),
  /** The scheduler's execution and attempt, the event's id, or the scheduled time. */
  external_id: z.string(),
  group_id: groupId,
  experiment_id: experimentId,
  version_name: versionName.nullable(),
  state: fireState,
  reason: z.string().nullable(),
  message: z.string().nullable(),
  scheduled_at: timestamp.nullable(),
  run_date: day.nullable(),
  parameters,
  /** Known as soon as it is ordered. */
  run_id: runId.nullable(),
  requested_by: z.string(),
  version: z.int(),
  created_at: timestamp,
  finished_at: timestamp.nullable(),
});
export type FireView = z.infer<typeof fireView>;

export const listFiresQuery = z.strictObject({
  limit,
  cursor,
  group_id: oneOrMany(groupId).optional(),
  source_id: z.string().max(64).optional(),
  experiment_id: experimentId.optional(),
  kind: oneOrMany(fireKind).optional(),
  state: oneOrMany(fireState).optional(),
});

// Webhook of a published flow

/** What the published flow says; any value may be the scheduler's text. */
export const triggerOrder = z.strictObject({
  /** The scheduler's number of the execution. */
  execution: z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/),
  attempt: z.coerce.number().int().min(0).max(10_000).default(0),
  version_name: versionName,
  run_date: z.string().max(64).optional(),
  parameters: z.record(parameterName, z.string().max(4096)).default({}),
});
export type TriggerOrder = z.infer<typeof triggerOrder>;

export const triggerAnswer = z.object({
  fire_id: fireId,
  run_id: runId,
  state: fireState,
  wait_url: z.string(),
  /** Header `aiep-wait-token` of wait and cancel. Shown in this answer alone. */
  wait_token: z.string(),
  /** Where a person sees the run. */
  link: z.string(),
  /** The documents' success line. */
  message: z.string(),
});
export type TriggerAnswer = z.infer<typeof triggerAnswer>;

export const waitQuery = z.strictObject({
  /** Number of the last line that was read. */
  after: z.coerce.number().int().min(0).default(0),
  wait_seconds: z.coerce.number().int().min(0).max(25).default(25),
});
export const waitAnswer = z.object({
  fire_id: fireId,
  run_id: runId.nullable(),
  state: fireState,
  lines: z.array(z.string()),
  after: z.int(),
  /** null while it goes on. */
  end: z.object({ succeeded: z.boolean(), message: z.string() }).nullable(),
});
export type WaitAnswer = z.infer<typeof waitAnswer>;
export const cancelFireBody = z.strictObject({ reason: note.optional() });

export const deliveryView = z.object({
  id: z.string(),
  publication_id: publicationId,
  webhook_id: z.string(),
  received_at: timestamp,
  /** `accepted`, or the code of the refusal. */
  outcome: z.string(),
  fire_id: fireId.nullable(),
});
export type DeliveryView = z.infer<typeof deliveryView>;
export const listDeliveriesQuery = z.strictObject({
  limit,
  cursor,
  publication_id: publicationId.optional(),
});

// Event triggers

const expression = z.string().trim().min(1).max(4096);
export const createEventTriggerBody = z.strictObject({
  name,
  experiment_id: experimentId,
  version_name: versionName.optional(),
  /** `task.succeeded`, `workflow.run_*`, `external.<type>`; `*` stands for any characters of one name. */
  event: z
    .string()
    .regex(/^(task|workflow|schedule|external)\.[A-Za-z0-9_.*/-]{1,200}$/, "such as task.succeeded"),
  /** CEL over `event`; absent: every such event of the group. */
  condition: expression.optional(),
  /** Parameter → CEL over `event`. */
  parameters: z.record(parameterName, expression).default({}),
  /** CEL that gives yyyyMMdd; default: yesterday. */
  run_date: expression.optional(),
  max_per_hour: z.int().min(1).max(10_000).default(120),
  paused: z.boolean().default(false),
});
export type CreateEventTriggerBody = z.infer<typeof createEventTriggerBody>;

export const updateEventTriggerBody = createEventTriggerBody
  .omit({ experiment_id: true })
  .extend({
    version_name: versionName.nullable(),
    condition: expression.nullable(),
    run_date: expression.nullable(),
    parameters: z.record(parameterName, expression),
    max_per_hour: z.int().min(1).max(10_000),
    paused: z.boolean(),
  })
  .partial();
export type UpdateEventTriggerBody = z.infer<typeof updateEventTriggerBody>;

export const eventTriggerView = z.object({
  id: eventTriggerId,
  group_id: groupId,
  name: z.string(),
  experiment_id: experimentId,
  experiment_name: z.string(),
  version_name: versionName.nullable(),
  event: z.string(),
  condition: z.string().nullable(),
  parameters: z.record(z.string(), z.string()),
  run_date: z.string().nullable(),
  max_per_hour: z.int(),
  paused: z.boolean(),
  /** Why it last failed to judge an event; null: it did not. */
  problem: z.string().nullable(),
  version: z.int(),
  owner: z.string(),
  created_at: timestamp,
  updated_at: timestamp,
});
export type EventTriggerView = z.infer<typeof eventTriggerView>;

export const listEventTriggersQuery = z.strictObject({
  limit,
  cursor,
  group_id: oneOrMany(groupId).optional(),
  experiment_id: experimentId.optional(),
});

/** An event as triggers see it. */
export const sampleEvent = z.strictObject({
  type: z.string().max(256),
  id: z.string().max(256).default("sample"),
  source: z.string().max(1024).default("/sample"),
  subject: z.string().max(1024).optional(),
  time: timestamp.optional(),
  data: z.json().default({}),
});
export const testEventTriggerBody = z.strictObject({ event: sampleEvent });
/** Nothing is started. */
export const eventTriggerTest = z.object({
  fires: z.boolean(),
  /** Why not, or what would be ordered. */
  message: z.string(),
  parameters,
  run_date: z.string().nullable(),
});

/** CloudEvents 1.0, structured JSON. */
export const cloudEvent = z.strictObject({
  specversion: z.literal("1.0"),
  id: z.string().min(1).max(256),
  source: z.string().min(1).max(1024),
  type: z.string().regex(/^[A-Za-z0-9_.-]{1,200}$/),
  subject: z.string().max(1024).optional(),
  time: timestamp.optional(),
  datacontenttype: z.string().max(128).optional(),
  data: z.json().optional(),
});
export type CloudEventBody = z.infer<typeof cloudEvent>;
export const eventAccepted = z.object({ event_id: z.string(), duplicate: z.boolean() });

// Schedulers

export const schedulerView = z.object({
  kind: schedulerKind,
  configured: z.boolean(),
  checks: z.array(z.object({ name: z.string(), ok: z.boolean(), message: z.string() })),
});
export type SchedulerView = z.infer<typeof schedulerView>;
