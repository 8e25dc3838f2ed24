/**
 * HTTP shapes of log-svc (D17–D19). A cursor is opaque to callers; inside it holds one byte position per node, so that
 * reading resumes exactly: each line of each node once, in order (I8).
 */
import * as z from "zod";
import { oneOrMany } from "../http/query.ts";
import { nodeName, timestamp } from "../ids.ts";

/** RFC 3339 with up to nine fractional digits, as CRI writes it. */
export const logTime = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/);

/** Lines longer than this are delivered in pieces, each but the last with `partial: true`. */
export const MAX_LINE_BYTES = 16 * 1024;

export const logLine = z.object({
  kind: z.literal("line"),
  node: nodeName,
  time: logTime,
  stream: z.enum(["stdout", "stderr"]),
  /** `platform` for the lines the platform writes before the user's command. */
  source: z.enum(["platform", "user"]),
  text: z.string(),
  /** The line goes on with the next item of this node and stream. */
  partial: z.boolean(),
});

export const logGap = z.object({
  kind: z.literal("gap"),
  node: nodeName,
  /** Bytes that were never received or are past retention. */
  missing_bytes: z.int().min(1),
  reason: z.enum(["lost", "expired"]),
});

export const logItem = z.discriminatedUnion("kind", [logLine, logGap]);
export type LogItem = z.infer<typeof logItem>;
export type LogLine = z.infer<typeof logLine>;

const manyNodes = oneOrMany(nodeName);

const filters = {
  /** Repeat for several; default all. */
  node: manyNodes.optional(),
  since: timestamp.optional(),
  until: timestamp.optional(),
  /** Only lines that contain this text. */
  text: z.string().min(1).max(512).optional(),
  /** The last N lines (over the nodes asked for) and, on a stream, what follows. */
  tail: z.coerce.number().int().min(0).max(100_000).optional(),
};

/** `GET /v1/tasks/{task_id}/logs` */
export const readLogsQuery = z.strictObject({
  ...filters,
  limit: z.coerce.number().int().min(1).max(10_000).default(1_000),
  cursor: z.string().max(16_384).optional(),
});

/** `GET /v1/tasks/{task_id}/logs/stream`: SSE events `line`, `gap`, `end`, `overflow`; resume by `Last-Event-ID` or `last_event_id`. */
export const streamLogsQuery = z.strictObject({
  ...filters,
  last_event_id: z.string().max(16_384).optional(),
});

/** `GET /v1/tasks/{task_id}/logs/download`: text/plain, a line per log line; with several nodes merged by time with `[node] ` before each line. */
export const downloadLogsQuery = z.strictObject({
  node: manyNodes.optional(),
  since: timestamp.optional(),
  until: timestamp.optional(),
  timestamps: z.stringbool().default(false),
});

export const logNodeView = z.object({
  node: nodeName,
  lines: z.int(),
  bytes: z.int(),
  first_time: logTime.nullable(),
  last_time: logTime.nullable(),
  /** No more lines will come. */
  complete: z.boolean(),
});

/** Last SSE event of a log stream: the task ended and every line was sent. */
export const logEnd = z.object({ state: z.string(), complete: z.boolean() });
