/** A message nobody could handle, kept whole with the reason (D9). One id per message and consumer: repeats collapse. */
import {
  type ConsumerDefinition,
  deadLetterSubject,
  decodeHeaderValue,
  encodeHeaderValue,
} from "@aiep/contracts";
import type { Bus } from "../bus/bus.ts";
import { publishMessage } from "../bus/publish.ts";
import type { StoredMessage } from "./decode.ts";

export const DLQ_HEADERS = {
  subject: "aiep-dlq-subject",
  stream: "aiep-dlq-stream",
  seq: "aiep-dlq-seq",
  deliveries: "aiep-dlq-deliveries",
  reason: "aiep-dlq-reason",
  at: "aiep-dlq-at",
} as const;

/** The dead message's own headers may be the very reason it is dead: what cannot be decoded is shown as it is. */
export function readableHeader(value: string | undefined): string | undefined {
  if (value === undefined || value === "") return undefined;
  try {
    return decodeHeaderValue(value);
  } catch {
    return value;
  }
}

export interface DeadMessage extends StoredMessage {
  readonly streamSequence: number;
  readonly deliveries: number;
}

const MAX_REASON = 1_000;

export async function writeDeadLetter(
  bus: Bus,
  at: { readonly env: string; readonly consumer: ConsumerDefinition },
  message: DeadMessage,
  reason: string,
): Promise<void> {
  const { env, consumer } = at;
  const own = [...message.headers].filter(([name]) => !/^nats-/i.test(name)); // orders to the server, not the sender's words
  await publishMessage(bus, {
    id: `${consumer.stream}:${message.streamSequence}:${consumer.durable}`,
    stream: "DLQ",
    subject: deadLetterSubject({ env, service: consumer.service, durable: consumer.durable }),
    headers: {
      ...Object.fromEntries(own),
      [DLQ_HEADERS.subject]: encodeHeaderValue(message.subject),
      [DLQ_HEADERS.stream]: consumer.stream,
      [DLQ_HEADERS.seq]: String(message.streamSequence),
      [DLQ_HEADERS.deliveries]: String(message.deliveries),
      [DLQ_HEADERS.reason]: encodeHeaderValue(reason.slice(0, MAX_REASON).toWellFormed()),
      [DLQ_HEADERS.at]: new Date().toISOString(),
    },
    payload: message.payload,
  });
}
