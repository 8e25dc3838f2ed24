/** A batch that cannot be stored, kept for an administrator (D9). */
import { type ConsumerDefinition, deadLetterSubject } from "@aiep/contracts";
import { type Bus, publishMessage } from "@aiep/service-kit";
import type { JsMsg } from "@nats-io/jetstream";

export interface RefusedMessage {
  readonly env: string;
  readonly consumer: ConsumerDefinition;
  readonly message: JsMsg;
  readonly reason: string;
}

const LONGEST_REASON = 512;

export async function deadLetter(
  bus: Bus,
  { env, consumer, message, reason }: RefusedMessage,
): Promise<void> {
  const { service, durable, stream } = consumer;
  const original = [...(message.headers ?? [])].map(([name, values]) => [name, values[0] ?? ""] as const);
  await publishMessage(bus, {
    id: `${stream}:${message.seq}:${durable}`, // repeats collapse
    stream: "DLQ",
    subject: deadLetterSubject({ env, service, durable }),
    headers: {
      ...Object.fromEntries(original.filter(([name]) => !name.startsWith("Nats-"))),
      "aiep-dlq-stream": stream,
      "aiep-dlq-seq": String(message.seq),
      "aiep-dlq-subject": message.subject,
      "aiep-dlq-consumer": durable,
      "aiep-dlq-deliveries": String(message.info.deliveryCount),
      "aiep-dlq-error": encodeURI(reason.slice(0, LONGEST_REASON)),
      "aiep-dlq-at": new Date().toISOString(),
    },
    payload: message.data,
  });
}
