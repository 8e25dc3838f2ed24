/**
 * CloudEvents 1.0 in binary mode on NATS (D6): attributes as `ce-*` headers, data as payload. Pure: maps of header names
 * to values in, envelopes out. A reader matches names without regard to case.
 */
import {
  AiepError,
  CE_HEADERS,
  type CommandEnvelope,
  commandEnvelope,
  decodeHeaderValue,
  type EventEnvelope,
  encodeHeaderValue,
  eventEnvelope,
  type MessageDefinition,
  TRACE_HEADERS,
} from "@aiep/contracts";
import type * as z from "zod";

export type Headers = Readonly<Record<string, string>>;

const OPTIONAL = {
  correlation_id: CE_HEADERS.correlationid,
  causation_id: CE_HEADERS.causationid,
  auth_id: CE_HEADERS.authid,
} as const;

export function eventHeaders(envelope: EventEnvelope): Headers {
  return {
    ...commonHeaders(envelope),
    [CE_HEADERS.subject]: encodeHeaderValue(`${envelope.aggregate_type}/${envelope.aggregate_id}`),
    [CE_HEADERS.aggregatetype]: encodeHeaderValue(envelope.aggregate_type),
    [CE_HEADERS.aggregateid]: encodeHeaderValue(envelope.aggregate_id),
    [CE_HEADERS.aggregateversion]: String(envelope.aggregate_version),
  };
}

export function commandHeaders(envelope: CommandEnvelope): Headers {
  return commonHeaders(envelope);
}

function commonHeaders(envelope: CommandEnvelope): Record<string, string> {
  const headers: Record<string, string> = {
    [CE_HEADERS.specversion]: "1.0",
    [CE_HEADERS.id]: encodeHeaderValue(envelope.id),
    [CE_HEADERS.source]: encodeHeaderValue(envelope.source),
    [CE_HEADERS.type]: encodeHeaderValue(envelope.type),
    [CE_HEADERS.time]: envelope.time,
    [CE_HEADERS.datacontenttype]: "application/json",
  };
  if (envelope.group_id !== undefined) headers[CE_HEADERS.groupid] = encodeHeaderValue(envelope.group_id);
  for (const [member, header] of Object.entries(OPTIONAL)) {
    const value = envelope[member as keyof typeof OPTIONAL]; // keys of OPTIONAL
    if (value !== undefined) headers[header] = encodeHeaderValue(value);
  }
  if (envelope.traceparent !== undefined) headers[TRACE_HEADERS.traceparent] = envelope.traceparent;
  return headers;
}

/** Envelope attributes by their names in the schema; values still unchecked. */
function attributes(headers: ReadonlyMap<string, string>): Record<string, unknown> {
  const lower = new Map([...headers].map(([name, value]) => [name.toLowerCase(), value]));
  const get = (name: string): string | undefined => {
    const value = lower.get(name);
    return value === undefined ? undefined : decodeHeaderValue(value);
  };
  const version = get(CE_HEADERS.aggregateversion);
  return {
    id: get(CE_HEADERS.id),
    source: get(CE_HEADERS.source),
    type: get(CE_HEADERS.type),
    time: get(CE_HEADERS.time),
    group_id: get(CE_HEADERS.groupid),
    correlation_id: get(CE_HEADERS.correlationid),
    causation_id: get(CE_HEADERS.causationid),
    auth_id: get(CE_HEADERS.authid),
    traceparent: lower.get(TRACE_HEADERS.traceparent),
    aggregate_type: get(CE_HEADERS.aggregatetype),
    aggregate_id: get(CE_HEADERS.aggregateid),
    aggregate_version: version === undefined ? undefined : Number(version),
  };
}

export function parseEventEnvelope(headers: ReadonlyMap<string, string>): EventEnvelope {
  return parseWith(eventEnvelope, attributesOrInvalid(headers), "headers");
}

export function parseCommandEnvelope(headers: ReadonlyMap<string, string>): CommandEnvelope {
  return parseWith(commandEnvelope, attributesOrInvalid(headers), "headers");
}

function attributesOrInvalid(headers: ReadonlyMap<string, string>): unknown {
  try {
    return attributes(headers);
  } catch (error) {
    throw new AiepError("MESSAGE_INVALID", "A header is not percent-encoded UTF-8.", { cause: error });
  }
}

const text = new TextDecoder("utf-8", { fatal: true });

/** The data of a message, checked against its definition. Unknown members are dropped (E2). */
export function parseData(definition: MessageDefinition, payload: Uint8Array): unknown {
  let data: unknown;
  try {
    data = JSON.parse(text.decode(payload));
  } catch (error) {
    throw new AiepError("MESSAGE_INVALID", "The payload is not JSON in UTF-8.", { cause: error });
  }
  return parseWith(definition.schema, data, definition.type);
}

/** MESSAGE_INVALID with every problem and its path; values are not repeated. */
export function parseWith<Schema extends z.ZodType>(
  schema: Schema,
  data: unknown,
  what: string,
): z.output<Schema> {
  const result = schema.safeParse(data);
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    (issue) => `${issue.path.join(".") || "(whole)"}: ${issue.message}`,
  );
  throw new AiepError("MESSAGE_INVALID", `${what} breaks its schema: ${problems.slice(0, 10).join("; ")}`);
}
