/**
 * Pulls log batches from their durable consumer and hands them on, one after the other.
 *
 * Owns the pull and what happens to messages that are no batches; never acknowledges a batch: who takes it does.
 * Begins again after every failure, also when stream or consumer are gone and made anew.
 */
import { AiepError, type ConsumerDefinition } from "@aiep/contracts";
import { type Bus, type Logger, pause, writeDeadLetter } from "@aiep/service-kit";
import type { ConsumerMessages, Consumer as JetStreamConsumer, JsMsg } from "@nats-io/jetstream";
import { type LogBatch, readBatch } from "./batch.ts";
import { acknowledge, type Receipt } from "./flusher.ts";

export interface BatchPullDeps {
  readonly bus: Bus;
  readonly consumer: ConsumerDefinition;
  readonly env: string;
  readonly log: Logger;
  /** Resolves when there is room for the next one. */
  readonly take: (batch: LogBatch, receipt: Receipt) => Promise<void>;
}

/** Messages asked for ahead; times the size of a batch this is the client's own buffer. */
const PREFETCH = 128;
const RETRY_MS = 500;

export class BatchPull {
  readonly #deps: BatchPullDeps;
  readonly #stopping = new AbortController();
  #messages: ConsumerMessages | undefined;
  #running: Promise<void> = Promise.resolve();
  #failingSince: number | undefined;

  constructor(deps: BatchPullDeps) {
    this.#deps = deps;
  }

  /** Since when nothing can be pulled. */
  get failingSince(): number | undefined {
    return this.#failingSince;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#messages?.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { bus, log, consumer } = this.#deps;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.#consume(await bus.js.consumers.get(consumer.stream, consumer.durable));
      } catch (error) {
        if (signal.aborted) return;
        this.#failingSince ??= Date.now();
        log.warn({ err: error }, "log batches cannot be pulled; trying again");
      }
      await pause(RETRY_MS, signal);
    }
  }

  async #consume(consumer: JetStreamConsumer): Promise<void> {
    const { signal } = this.#stopping;
    const messages = await consumer.consume({ max_messages: PREFETCH, abort_on_missing_resource: true });
    this.#messages = messages;
    try {
      if (signal.aborted) return;
      this.#failingSince = undefined;
      for await (const message of messages) {
        if (signal.aborted) return;
        await this.#takeMessage(message);
      }
    } finally {
      this.#messages = undefined;
      await messages.close();
    }
  }

  async #takeMessage(message: JsMsg): Promise<void> {
    let batch: LogBatch;
    try {
      batch = readBatch({
        subject: message.subject,
        header: (name) => message.headers?.get(name) || undefined,
        payload: message.data,
      });
    } catch (error) {
      if (!AiepError.is(error)) throw error;
      await this.#refuse(message, error.message);
      return;
    }
    if (batch.env === this.#deps.env) await this.#deps.take(batch, message);
    else acknowledge([message]); // of another environment: not ours
  }

  /** To the dead letters first, then out of the stream (D9). */
  async #refuse(message: JsMsg, reason: string): Promise<void> {
    const { bus, env, log, consumer } = this.#deps;
    log.error({ subject: message.subject, seq: message.seq, reason }, "log batch refused");
    try {
      const headers = new Map([...(message.headers ?? [])].map(([name, values]) => [name, values[0] ?? ""]));
      const { subject, data: payload, seq: streamSequence } = message;
      const deliveries = message.info.deliveryCount;
      const dead = { subject, headers, payload, streamSequence, deliveries };
      await writeDeadLetter(bus, { env, consumer }, dead, reason);
      message.term();
    } catch (error) {
      log.warn({ err: error }, "dead letter could not be written; the batch comes again");
    }
  }
}
