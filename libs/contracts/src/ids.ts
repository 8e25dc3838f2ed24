/**
 * Identifiers on the wire (D33): ids that people see are 32 random lower-case hex digits, accepted by unique prefix;
 * event ids are UUIDv7, so that they sort by time. Branded, so that a task id never lands where a group id belongs.
 */
import * as z from "zod";

export const taskId = z
  .string()
  .regex(/^[0-9a-f]{32}$/, "a task id is 32 lower-case hex digits")
  .brand<"TaskId">();
export type TaskId = z.infer<typeof taskId>;

/** What a caller may write instead of a whole task id: its first digits, at least four. */
export const taskIdPrefix = z.string().regex(/^[0-9a-f]{4,32}$/, "4 to 32 lower-case hex digits");

export const codePackageId = z
  .string()
  .regex(/^[0-9a-f]{32}$/, "a code package id is 32 lower-case hex digits")
  .brand<"CodePackageId">();
export type CodePackageId = z.infer<typeof codePackageId>;

export const experimentId = z
  .string()
  .regex(/^[0-9a-f]{32}$/, "an experiment id is 32 lower-case hex digits")
  .brand<"ExperimentId">();
export type ExperimentId = z.infer<typeof experimentId>;

export const runId = z
  .string()
  .regex(/^[0-9a-f]{32}$/, "a run id is 32 lower-case hex digits")
  .brand<"RunId">();
export type RunId = z.infer<typeof runId>;

export const publicationId = z
  .string()
  .regex(/^[0-9a-f]{32}$/, "a publication id is 32 lower-case hex digits")
  .brand<"PublicationId">();
export type PublicationId = z.infer<typeof publicationId>;

export const scheduleId = z
  .string()
  .regex(/^[0-9a-f]{32}$/, "a schedule id is 32 lower-case hex digits")
  .brand<"ScheduleId">();
export type ScheduleId = z.infer<typeof scheduleId>;

export const eventTriggerId = z
  .string()
  .regex(/^[0-9a-f]{32}$/, "a trigger id is 32 lower-case hex digits")
  .brand<"EventTriggerId">();
export type EventTriggerId = z.infer<typeof eventTriggerId>;

export const fireId = z
  .string()
  .regex(/^[0-9a-f]{32}$/, "a fire id is 32 lower-case hex digits")
  .brand<"FireId">();
export type FireId = z.infer<typeof fireId>;

export const backfillId = z
  .string()
  .regex(/^[0-9a-f]{32}$/, "a back-fill id is 32 lower-case hex digits")
  .brand<"BackfillId">();
export type BackfillId = z.infer<typeof backfillId>;

/** One subject token (D7): groups are named by the directory; the documents use 32 hex digits, other names are allowed. */
export const groupId = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, "1 to 64 letters, digits, '-' or '_'")
  .brand<"GroupId">();
export type GroupId = z.infer<typeof groupId>;

export const eventId = z.uuidv7().brand<"EventId">();
export type EventId = z.infer<typeof eventId>;

/** Name of a node inside a task, the same with every runtime: `worker-0` (rank 0 is the master of a DDP task), `ps-1`. */
export const nodeName = z
  .string()
  .regex(/^(worker|ps)-(0|[1-9][0-9]{0,3})$/, "worker-N or ps-N")
  .brand<"NodeName">();
export type NodeName = z.infer<typeof nodeName>;

/** RFC 3339 in UTC with `Z`. */
export const timestamp = z.iso.datetime({ offset: false });

const HEX = "0123456789abcdef";

/** 32 random hex digits from `randomBytes(16)`-like input; the caller owns the randomness (D2). */
export function hexId(bytes: Uint8Array): string {
  let out = "";
  for (const byte of bytes.subarray(0, 16)) out += HEX.charAt(byte >> 4) + HEX.charAt(byte & 15);
  return out;
}
