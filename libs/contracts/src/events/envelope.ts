/**
 * The CloudEvents 1.0 binary-mode envelope of every event and command (D6): attributes travel as `ce-*` headers,
 * the payload is the data alone. This module owns header names, their encoding and their validation; it knows no NATS.
 *
 * Header values are printable ASCII: space, `"`, `%` and everything outside ASCII is percent-encoded once
 * (CloudEvents NATS binding); readers match names without regard to case.
 */
import * as z from "zod";

export const CE_HEADERS = {
  specversion: "ce-specversion",
  id: "ce-id",
  source: "ce-source",
  type: "ce-type",
  time: "ce-time",
  subject: "ce-subject",
  datacontenttype: "ce-datacontenttype",
  /** Gap-free per aggregate, from 1 (D6). Absent on commands. */
  aggregateversion: "ce-aggregateversion",
  aggregatetype: "ce-aggregatetype",
  aggregateid: "ce-aggregateid",
  groupid: "ce-groupid",
  correlationid: "ce-correlationid",
  causationid: "ce-causationid",
  /** Who did it: the verified subject of the token. */
  authid: "ce-authid",
} as const;

export const TRACE_HEADERS = { traceparent: "traceparent", tracestate: "tracestate" } as const;

/** `Nats-Msg-Id` equals `ce-id` (D6). */
export const MESSAGE_ID_HEADER = "Nats-Msg-Id";

const common = {
  id: z.string().min(1).max(128),
  source: z.string().min(1),
  type: z.string().min(1),
  time: z.iso.datetime({ offset: true }),
  correlation_id: z.string().optional(),
  causation_id: z.string().optional(),
  auth_id: z.string().optional(),
  traceparent: z.string().optional(),
};

export const eventEnvelope = z.object({
  ...common,
  aggregate_type: z.string().min(1),
  aggregate_id: z.string().min(1),
  aggregate_version: z.int().min(1),
  group_id: z.string().min(1),
});
export type EventEnvelope = z.infer<typeof eventEnvelope>;

export const commandEnvelope = z.object({ ...common, group_id: z.string().optional() });
export type CommandEnvelope = z.infer<typeof commandEnvelope>;

/** Percent-encodes what the binding forbids in a header value. */
export function encodeHeaderValue(value: string): string {
  return value.replace(/[^\x21\x23\x24\x26-\x7e]/gu, (character) => encodeURIComponent(character));
}

/** One round of percent-decoding; throws `URIError` on invalid UTF-8. */
export function decodeHeaderValue(value: string): string {
  return decodeURIComponent(value);
}
