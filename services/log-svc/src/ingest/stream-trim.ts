/** Frees the log stream up to where every message is stored, and knows how far behind the store is. */
import type { ConsumerDefinition } from "@aiep/contracts";
import type { Bus, Logger } from "@aiep/service-kit";

export class StreamTrim {
  readonly #deps: { readonly bus: Bus; readonly log: Logger };
  readonly #consumer: ConsumerDefinition;
  /** Something was acknowledged since the stream was last trimmed to its end. */
  #behind = true;

  constructor(deps: { readonly bus: Bus; readonly log: Logger }, consumer: ConsumerDefinition) {
    this.#deps = deps;
    this.#consumer = consumer;
  }

  acknowledged(): void {
    this.#behind = true;
  }

  async trim(): Promise<void> {
    if (!this.#behind) return;
    const { bus, log } = this.#deps;
    const { stream, durable } = this.#consumer;
    try {
      const { ack_floor, num_ack_pending } = await bus.jsm.consumers.info(stream, durable);
      if (ack_floor.stream_seq > 0) await bus.jsm.streams.purge(stream, { seq: ack_floor.stream_seq + 1 });
      this.#behind = num_ack_pending > 0;
    } catch (error) {
      log.warn({ err: error }, "the log stream could not be trimmed");
    }
  }

  /** Batches in the stream that are not stored, waiting or in the store's hands; undefined when the bus is away. */
  async pending(): Promise<number | undefined> {
    const { bus, log } = this.#deps;
    const { stream, durable } = this.#consumer;
    if (bus.status !== "connected") return undefined;
    try {
      const { num_pending, num_ack_pending } = await bus.jsm.consumers.info(stream, durable);
      return num_pending + num_ack_pending;
    } catch (error) {
      log.debug({ err: error }, "the log stream cannot be asked how much waits");
      return undefined;
    }
  }
}
