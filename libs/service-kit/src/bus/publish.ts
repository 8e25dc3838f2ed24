import type { CommandDefinition } from "@aiep/contracts";
import type * as z from "zod";
import type { Bus } from "./bus.ts";

/** A message as it goes to the bus: `id` becomes Nats-Msg-Id. */
export interface BusMessage {
  readonly id: string;
  readonly stream: string;
  readonly subject: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: Uint8Array | string;
}

export interface PublishResult {
  readonly seq: number;
  readonly duplicate: boolean;
}

/** Publishes and waits for the PubAck; errors are classified by `publishError`. */
export function publishMessage(_bus: Bus, _message: BusMessage): Promise<PublishResult> {
  throw new Error("pending");
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
  _command: NewCommand<Definition>,
): BusMessage {
  throw new Error("pending");
}
