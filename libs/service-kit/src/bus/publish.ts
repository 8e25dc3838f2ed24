/**
 * Publishing with proof: only a PubAck of the expected stream counts. Errors fall in three kinds (events-on-nats
 * section 3): `permanent` is a bug of the message, `alarm` and `later` may pass.
 */

import { AiepError, type CommandDefinition, commandSubject } from "@aiep/contracts";
import { JetStreamApiError } from "@nats-io/jetstream";
import { type MsgHdrs, headers as natsHeaders } from "@nats-io/transport-node";
import type * as z from "zod";
import { currentTraceparent } from "../telemetry/tracing.ts";
import type { Bus } from "./bus.ts";
import { newEventId } from "./event-id.ts";
import { commandHeaders, type Headers, parseWith } from "./message.ts";

/** A message as it goes to the bus: `id` becomes Nats-Msg-Id. */
export interface BusMessage {
  readonly id: string;
  readonly stream: string;
  readonly subject: string;
  readonly headers: Headers;
  readonly payload: Uint8Array | string;
}

export interface PublishResult {
  readonly seq: number;
  readonly duplicate: boolean;
}

export type PublishErrorKind = "permanent" | "later" | "alarm";

export class PublishError extends Error {
  override readonly name = "PublishError";
  readonly kind: PublishErrorKind;

  constructor(kind: PublishErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** Publishes and waits for the PubAck; throws PublishError. */
export async function publishMessage(
  bus: Bus,
  message: BusMessage,
  timeoutMs = 5_000,
): Promise<PublishResult> {
  try {
    const ack = await bus.js.publish(message.subject, message.payload, {
      msgID: message.id,
      headers: toNatsHeaders(message.headers),
      expect: { streamName: message.stream },
      timeout: timeoutMs,
    });
    return { seq: ack.seq, duplicate: ack.duplicate };
  } catch (error) {
    throw publishError(error);
  }
}

export function toNatsHeaders(values: Headers): MsgHdrs {
  const headers = natsHeaders();
  for (const [name, value] of Object.entries(values)) headers.set(name, value);
  return headers;
}

const PERMANENT = new Map([
  [10054, "the message is larger than the stream allows"],
  [10060, "the subject belongs to another stream"],
]);

export function publishError(error: unknown): PublishError {
  if (error instanceof PublishError) return error;
  const options = { cause: error };
  if (error instanceof JetStreamApiError) {
    const permanent = PERMANENT.get(error.code);
    if (permanent !== undefined) return new PublishError("permanent", permanent, options);
    if (error.code === 10076)
      return new PublishError("alarm", "JetStream is disabled on the server", options);
    if (error.code === 10077)
      return new PublishError("alarm", "the stream is full or cannot be written", options);
    return new PublishError("later", `nats-server answers ${error.code}: ${error.message}`, options);
  }
  if (error instanceof Error && error.name === "JetStreamNotEnabled") {
    return new PublishError("later", "no stream captures this subject: run the topology step", options);
  }
  if (error instanceof Error && error.name === "PermissionViolationError") {
    return new PublishError("alarm", "the user may not publish to this subject", options);
  }
  if (error instanceof Error && /max_payload|MAX_PAYLOAD/i.test(error.message)) {
    return new PublishError("permanent", "the message is larger than the server allows", options);
  }
  return new PublishError("later", error instanceof Error ? error.message : "publish failed", options);
}

export interface NewCommand<Definition extends CommandDefinition> {
  readonly definition: Definition;
  readonly data: z.input<Definition["schema"]>;
  /** Idempotency: the same id is the same command. Default a new UUIDv7. */
  readonly id?: string;
  readonly env: string;
  readonly source: string;
  readonly groupId?: string;
  readonly authId?: string;
  readonly correlationId?: string;
  readonly traceparent?: string;
  readonly now: Date;
}

export function commandMessage<Definition extends CommandDefinition>(
  command: NewCommand<Definition>,
): BusMessage & { readonly payload: string } {
  const { definition, now } = command;
  parseWith(definition.schema, command.data, definition.type);
  const id = command.id ?? newEventId(now);
  const traceparent = command.traceparent ?? currentTraceparent();
  return {
    id,
    stream: "CMD",
    subject: commandSubject(definition, command.env),
    headers: commandHeaders({
      id,
      source: command.source,
      type: definition.type,
      time: now.toISOString(),
      ...(command.groupId === undefined ? {} : { group_id: command.groupId }),
      ...(command.authId === undefined ? {} : { auth_id: command.authId }),
      ...(command.correlationId === undefined ? {} : { correlation_id: command.correlationId }),
      ...(traceparent === undefined ? {} : { traceparent }),
    }),
    payload: JSON.stringify(command.data),
  };
}

/** For callers that want our error code instead of a kind. */
export function busUnavailable(cause: unknown): AiepError {
  return new AiepError("DEPENDENCY_UNAVAILABLE", "The bus cannot be reached.", {
    retryAfterSeconds: 2,
    cause,
  });
}
