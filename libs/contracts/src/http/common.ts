/** Shapes every endpoint shares: problem details (RFC 9457), page envelope, dead letters. */
import * as z from "zod";
import { timestamp } from "../ids.ts";

export const problem = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  instance: z.string().optional(),
  /** A key of ERRORS; readers accept codes they do not know. */
  code: z.string(),
  hint: z.string(),
  retryable: z.boolean(),
  request_id: z.string(),
  trace_id: z.string().optional(),
  errors: z.array(z.object({ pointer: z.string(), code: z.string(), detail: z.string() })).optional(),
});
export type Problem = z.infer<typeof problem>;

export const page = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item), next_cursor: z.string().nullable() });

export const versionView = z.object({
  service: z.string(),
  version: z.string(),
  git_commit: z.string(),
  node: z.string(),
  api: z.string(),
});

export const deadLetterView = z.object({
  /** Sequence in the DLQ stream. */
  id: z.string(),
  service: z.string(),
  consumer: z.string(),
  subject: z.string(),
  stream: z.string(),
  stream_sequence: z.int(),
  deliveries: z.int(),
  reason: z.string(),
  type: z.string().nullable(),
  at: timestamp,
  payload_base64: z.string(),
});
export type DeadLetterView = z.infer<typeof deadLetterView>;

export { API_VERSION } from "./api-version.ts";
