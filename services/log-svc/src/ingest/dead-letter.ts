/** A batch that cannot be stored, kept for an administrator (D9). */
import { type ConsumerDefinition, deadLetterSubject, STREAMS } from "@aiep/contracts";
import type { Bus } from "@aiep/service-kit";
import type { JsMsg } from "@nats-io/jetstream";
import { headers } from "@nats-io/transport-node";

export interface RefusedMessage {
  readonly env: string;
  readonly consumer: ConsumerDefinition;
  readonly message: JsMsg;
  readonly reason: string;
}
export async function deadLetter(bus: Bus, refused: RefusedMessage): Promise<void> {
  void bus;
  void refused;
  void headers;
  void STREAMS;
  void deadLetterSubject;
}
