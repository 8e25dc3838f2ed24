/**
 * The log store's intake: durable consumer `log-store` → memory → objects and index → acks (D17, D18, I8).
 *
 * Owns the writers of all sources that are coming in, their memory and their flush cycle. Never parses lines.
 *
 * G1 A message is acknowledged only when its bytes are in the index; everything else comes again.
 * G2 Memory is bounded: above the limit nothing is taken until a flush has made room.
 * G3 A hole waits longer than a redelivery takes; then it is a gap that readers see.
 * G4 What cannot be a batch goes to the DLQ and disturbs nobody (I12).
 */
import { AiepError, CONSUMERS, type ConsumerDefinition } from "@aiep/contracts";
import type { Bus, Consumer, Failpoints, Logger, StoredMessage } from "@aiep/service-kit";
import { NO_FAILPOINTS, writeDeadLetter } from "@aiep/service-kit";
import type { ConsumerMessages, Consumer as JetStreamConsumer, JsMsg } from "@nats-io/jetstream";
import type { LogIndex, SourceKey } from "../store/log-index.ts";
import type { ObjectStore } from "../store/objects/object-store.ts";
import { pause, WakeUp } from "../util/wake.ts";
import { type LogBatch, readBatch } from "./batch.ts";
import { CHUNK_BYTES } from "./chunk-writer.ts";
import { acknowledge, type FlushResult, flush, handBack, type Receipt } from "./flusher.ts";
import type { LiveTail } from "./live-tail.ts";
import { type FlushUnit, SourceWriter } from "./source-writer.ts";

export interface IngestLimits {
  /** Longest time that bytes stay in memory only. */
  readonly flushMs: number;
  readonly holeMs: number;
  readonly memoryBytes: number;
  readonly trimMs: number;
}

const DEFAULT_LIMITS: IngestLimits = {
  flushMs: 1_000,
  holeMs: 3 * CONSUMERS.logBatches.ackWaitSeconds * 1_000,
  memoryBytes: 64 * 1024 * 1024,
  trimMs: 5_000,
};

export interface IngestDeps {
  readonly bus: Bus;
  readonly index: LogIndex;
  readonly objects: ObjectStore;
  readonly tail: LiveTail;
  readonly log: Logger;
  readonly env: string;
  readonly failpoints?: Failpoints;
  readonly consumer?: ConsumerDefinition;
  readonly limits?: Partial<IngestLimits>;
}

/** Messages asked for ahead; times the size of a batch this is the client's own buffer. */
const PREFETCH = 128;
const RETRY_MS = 500;
const IDLE_WRITER_MS = 60_000;
const UNHEALTHY_AFTER_MS = 15_000;

export class LogIngest implements Consumer {
  readonly definition: ConsumerDefinition;
  readonly #deps: IngestDeps & { readonly failpoints: Failpoints };
  readonly #limits: IngestLimits;
  readonly #writers = new Map<string, SourceWriter<Receipt>>();
  readonly #due = new WakeUp();
  readonly #room = new WakeUp();
  readonly #intake = new AbortController();
  readonly #work = new AbortController();
  #heldBytes = 0;
  /** Something was acknowledged since the stream was last trimmed to its end. */
  #untrimmed = true;
  #failingSince: number | undefined;
  #messages: ConsumerMessages | undefined;
  #taking: Promise<void> = Promise.resolve();
  #flushing: Promise<void> = Promise.resolve();

  constructor(deps: IngestDeps) {
    this.#deps = { ...deps, failpoints: deps.failpoints ?? NO_FAILPOINTS };
    this.definition = deps.consumer ?? CONSUMERS.logBatches;
    this.#limits = { ...DEFAULT_LIMITS, ...deps.limits };
  }

  get healthy(): boolean {
    return this.#failingSince === undefined || Date.now() - this.#failingSince < UNHEALTHY_AFTER_MS;
  }

  /** Bytes in memory that are not in the index. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  start(): void {
    this.#taking = this.#take();
    this.#flushing = this.#flushLoop();
  }

  /** Takes nothing more, stores what it has, hands the rest back at once. */
  async stop(): Promise<void> {
    this.#intake.abort();
    await this.#messages?.close();
    await this.#taking;
    this.#work.abort();
    this.#due.wake();
    await this.#flushing;
    await this.#flushWriters([...this.#writers.values()]);
    for (const writer of this.#writers.values()) handBack(writer.abandon());
  }

  /** A dead letter again: resolves when it is stored. */
  async redrive(message: StoredMessage): Promise<void> {
    const batch = readBatch({
      subject: message.subject,
      header: (name) => message.headers.get(name),
      payload: message.payload,
    });
    await new Promise<void>((resolve, reject) => {
      const receipt: Receipt = { ack: resolve, nak: () => reject(new Error("the store is stopping")) };
      this.#accept(batch, receipt).catch(reject);
    });
  }

  async #take(): Promise<void> {
    const { bus, log } = this.#deps;
    const { signal } = this.#intake;
    while (!signal.aborted) {
      try {
        const consumer = await bus.js.consumers.get(this.definition.stream, this.definition.durable);
        await this.#consume(consumer, signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#failingSince ??= Date.now();
        log.warn({ err: error }, "log batches cannot be pulled; trying again");
      }
      await pause(RETRY_MS, signal);
    }
  }

  async #consume(consumer: JetStreamConsumer, signal: AbortSignal): Promise<void> {
    const messages = await consumer.consume({ max_messages: PREFETCH, abort_on_missing_resource: true });
    this.#messages = messages;
    try {
      if (signal.aborted) return;
      this.#failingSince = undefined;
      for await (const message of messages) {
        if (signal.aborted) return;
        await this.#takeMessage(message);
        while (this.#heldBytes > this.#limits.memoryBytes && !signal.aborted)
          await this.#room.wait(RETRY_MS, signal);
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
    if (batch.env === this.#deps.env) await this.#accept(batch, message);
    else acknowledge([message]); // of another environment: not ours
  }

  async #refuse(message: JsMsg, reason: string): Promise<void> {
    const { bus, env, log } = this.#deps;
    log.error({ subject: message.subject, seq: message.seq, reason }, "log batch refused");
    try {
      const headers = new Map([...(message.headers ?? [])].map(([name, values]) => [name, values[0] ?? ""]));
      const { subject, data: payload, seq: streamSequence } = message;
      const deliveries = message.info.deliveryCount;
      const dead = { subject, headers, payload, streamSequence, deliveries };
      await writeDeadLetter(bus, { env, consumer: this.definition }, dead, reason);
      message.term();
    } catch (error) {
      log.warn({ err: error }, "dead letter could not be written; the batch comes again");
    }
  }

  async #accept(batch: LogBatch, receipt: Receipt): Promise<void> {
    const writer = await this.#writerOf(batch.key);
    if (writer === undefined) return; // stopping: the message comes again
    const before = { held: writer.heldBytes, complete: writer.complete, dirtySince: writer.dirtySince };
    const { position, bytes, final } = batch;
    const accepted = writer.accept({ position, bytes, final, receipt }, Date.now());
    this.#heldBytes += writer.heldBytes - before.held;
    if (accepted === "stored") {
      acknowledge([receipt]);
      this.#untrimmed = true;
    }
    if (accepted !== "held") return;
    this.#deps.tail.changed(batch.key.taskId, writer.complete === before.complete ? "bytes" : "sources");
    if (before.dirtySince === undefined || this.#isDue(writer, Date.now())) this.#due.wake();
  }

  /** The writer of a source, opened with its row at first sight; waits while the database is away. */
  async #writerOf(key: SourceKey): Promise<SourceWriter<Receipt> | undefined> {
    const name = `${key.taskId}/${key.source}`;
    const known = this.#writers.get(name);
    if (known !== undefined) return known;
    const { signal } = this.#intake;
    while (!signal.aborted) {
      try {
        const row = await this.#deps.index.openSource(key);
        this.#failingSince = undefined;
        const raced = this.#writers.get(name);
        if (raced !== undefined) return raced;
        const writer = new SourceWriter<Receipt>(row);
        this.#writers.set(name, writer);
        this.#deps.tail.add(row.id, writer);
        this.#deps.tail.changed(key.taskId, "sources");
        return writer;
      } catch (error) {
        this.#failingSince ??= Date.now();
        this.#deps.log.warn({ err: error, source: key.source }, "log source cannot be opened; trying again");
        await pause(RETRY_MS, signal);
      }
    }
    return undefined;
  }

  async #flushLoop(): Promise<void> {
    const { signal } = this.#work;
    let trimmedAt = Date.now();
    while (!signal.aborted) {
      await this.#due.wait(this.#nextDueMs(Date.now()), signal);
      const now = Date.now();
      this.#giveUpHoles(now);
      const due = [...this.#writers.values()].filter((writer) => this.#isDue(writer, now));
      const failed = await this.#flushWriters(due);
      this.#room.wake();
      this.#failingSince = failed ? (this.#failingSince ?? now) : undefined;
      if (failed) await pause(RETRY_MS, signal);
      this.#forgetIdle(now);
      if (now - trimmedAt >= this.#limits.trimMs) {
        trimmedAt = now;
        await this.#trim();
      }
    }
  }

  #isDue(writer: SourceWriter<Receipt>, now: number): boolean {
    if (writer.dirtySince === undefined) return false;
    return (
      writer.complete ||
      writer.unflushedBytes >= CHUNK_BYTES ||
      now - writer.dirtySince >= this.#limits.flushMs
    );
  }

  #nextDueMs(now: number): number {
    let due = this.#limits.trimMs;
    for (const writer of this.#writers.values()) {
      if (this.#isDue(writer, now)) return 0;
      if (writer.dirtySince !== undefined)
        due = Math.min(due, writer.dirtySince + this.#limits.flushMs - now);
      if (writer.blockedSince !== undefined)
        due = Math.min(due, writer.blockedSince + this.#limits.holeMs - now);
    }
    return Math.max(due, 1);
  }

  #giveUpHoles(now: number): void {
    for (const writer of this.#writers.values()) {
      if (writer.blockedSince === undefined || now - writer.blockedSince < this.#limits.holeMs) continue;
      const before = writer.heldBytes;
      if (!writer.giveUpHole(now)) continue;
      this.#heldBytes += writer.heldBytes - before;
      this.#deps.log.error({ source: writer.row.source, position: writer.next }, "log bytes were lost");
      this.#deps.tail.changed(writer.row.taskId, "sources");
    }
  }

  /** True when something failed and has to be tried again. */
  async #flushWriters(writers: readonly SourceWriter<Receipt>[]): Promise<boolean> {
    const units = writers.filter((writer) => writer.dirtySince !== undefined).map((w) => w.takeFlush());
    if (units.length === 0) return false;
    const { stored, failed, stale } = await this.#flush(units);
    for (const unit of stored) {
      const before = unit.writer.heldBytes;
      unit.writer.flushed(unit);
      this.#heldBytes += unit.writer.heldBytes - before;
      this.#untrimmed = true;
      if (unit.complete) this.#deps.tail.changed(unit.writer.row.taskId, "sources");
    }
    for (const unit of failed) unit.writer.putBack(unit, Date.now());
    for (const unit of stale) this.#drop(unit.writer, unit.receipts);
    return failed.length > 0;
  }

  /** An error here means that nobody knows how far it came: the next attempt finds out (S1). */
  async #flush(units: readonly FlushUnit<Receipt>[]): Promise<FlushResult> {
    try {
      return await flush(this.#deps, units);
    } catch (error) {
      this.#deps.log.error({ err: error }, "log chunks could not be stored; trying again");
      return { stored: [], failed: units, stale: [] };
    }
  }

  /** What the writer believes is not what the index says: forget it, have its messages again. */
  #drop(writer: SourceWriter<Receipt>, receipts: readonly Receipt[]): void {
    this.#deps.log.warn(
      { source: writer.row.source },
      "log source was moved by somebody else; reading it again",
    );
    this.#forget(writer);
    handBack([...receipts, ...writer.abandon()]);
  }

  #forgetIdle(now: number): void {
    for (const writer of this.#writers.values())
      if (writer.idle && now - writer.lastUsed > IDLE_WRITER_MS) this.#forget(writer);
  }

  #forget(writer: SourceWriter<Receipt>): void {
    this.#heldBytes -= writer.heldBytes;
    this.#writers.delete(`${writer.row.taskId}/${writer.row.source}`);
    this.#deps.tail.remove(writer.row.id);
    this.#deps.tail.changed(writer.row.taskId, "sources");
  }

  /** Frees the stream up to what every message before is stored. */
  async #trim(): Promise<void> {
    if (!this.#untrimmed) return;
    const { bus, log } = this.#deps;
    const { stream, durable } = this.definition;
    try {
      const { ack_floor, num_ack_pending } = await bus.jsm.consumers.info(stream, durable);
      if (ack_floor.stream_seq > 0) await bus.jsm.streams.purge(stream, { seq: ack_floor.stream_seq + 1 });
      this.#untrimmed = num_ack_pending > 0;
    } catch (error) {
      log.warn({ err: error }, "the log stream could not be trimmed");
    }
  }
}
