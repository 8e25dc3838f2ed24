/** The parts of answers that we read. What is not named here may come and go; a mark of success that is missing is a failure. */
import * as z from "zod";

/** Ids and versions are numbers in some answers and texts in others. */
const number = z.union([z.string().min(1), z.number()]).transform(String);

export const done = z.object({ status: z.literal("success") });
export const loggedIn = done.extend({ "session.id": z.string().min(1) });
export const project = z.object({ projectId: number, projectActive: z.boolean() });
export const uploaded = z.object({ projectId: number, version: number });
export const flows = z.object({ flows: z.array(z.object({ flowId: z.string() })) });
export const flowGraph = z.object({
  nodes: z.array(z.object({ id: z.string(), type: z.string(), comment: z.string().nullish() })),
});
export const executed = z.object({ execid: z.number().int() });
export const scheduled = done.extend({ scheduleId: number });
const schedule = z.object({ scheduleId: number, cronExpression: z.string(), nextExecTime: z.string() });
/** Without a schedule nothing is in it. */
export const fetchedSchedule = z.union([
  z.object({ schedule }),
  z.strictObject({}).transform(() => ({ schedule: undefined })),
]);
const node = z.object({ id: z.string(), status: z.string(), attempt: z.number().int() });
export const execution = z.object({ execid: z.number().int(), status: z.string(), nodes: z.array(node) });
/** `nodes` that changed; absent when none did. */
export const executionUpdate = z.object({
  status: z.string(),
  updateTime: z.number(),
  nodes: z.array(node).default([]),
});
/** Without running ones it names at most what was asked for. */
export const running = z.union([
  z.object({ execIds: z.array(z.number().int()) }),
  z
    .strictObject({ project: z.unknown(), flow: z.unknown() })
    .partial()
    .transform(() => ({ execIds: [] })),
]);
export const jobLog = z.object({
  data: z.string(),
  offset: z.number().int(),
  length: z.number().int(),
  status: z.string(),
});
/** Of a cancel that was taken. */
export const empty = z.strictObject({});
