/**
 * The log store's intake: durable consumer `log-store` → memory → objects and index → acks (D17, D18, I8).
 *
 * Owns the writers of all sources that are coming in, their memory and their flush cycle. Never parses lines.
 *
 * G1 A message is acknowledged only when its bytes are in the index; everything else comes again.
 * G2 Memory is bounded: above the limit nothing is taken until a flush has made room.
 * G3 A hole waits longer than a redelivery takes; then it is a gap that readers see.
 * G4 The server hands out only so many messages without an acknowledgement: at half of them everything is flushed.
 * G5 What cannot be a batch goes to the DLQ and disturbs nobody (I12).
 */
import { AiepError, CONSUMERS, type ConsumerDefinition } from "@aiep/contracts";
import type { ObjectStore } from "@aiep/objects";
import {
  type Bus,
  type Consumer,
  type Failpoints,
  type Logger,
  NO_FAILPOINTS,
  pause,
  type StoredMessage,
  WakeUp,
} from "@aiep/service-kit";
import { type IngestFigures, type LogMetrics, NO_METRICS } from "../metrics.ts";
import type { LogIndex, SourceKey } from "../store/log-index.ts";
import { type LogBatch, readBatch } from "./batch.ts";
import { BatchPull } from "./batch-pull.ts";
import { defaultLimits, FlushSchedule, type IngestLimits } from "./flush-schedule.ts";
import { acknowledge, type FlushResult, flush, handBack, type Receipt } from "./flusher.ts";
import type { LiveTail } from "./live-tail.ts";
import { type FlushUnit, SourceWriter } from "./source-writer.ts";
import { StreamTrim } from "./stream-trim.ts";

export interface IngestDeps {
  readonly bus: Bus;
  readonly index: LogIndex;
  readonly objects: ObjectStore;
  readonly tail: LiveTail;
  readonly log: Logger;
  readonly env: string;
  readonly failpoints?: Failpoints;
  readonly metrics?: LogMetrics;
  readonly consumer?: ConsumerDefinition;
  readonly limits?: Partial<IngestLimits>;
}

const RETRY_MS = 500;
const IDLE_WRITER_MS = 60_000;
const UNHEALTHY_AFTER_MS = 15_000;

export class LogIngest implements Consumer, IngestFigures {
  readonly definition: ConsumerDefinition;
  readonly #deps: IngestDeps & { readonly failpoints: Failpoints; readonly metrics: LogMetrics };
  readonly #limits: IngestLimits;
  readonly #schedule: FlushSchedule;
  readonly #pull: BatchPull;
  readonly #trim: StreamTrim;
  readonly #writers = new Map<string, SourceWriter<Receipt>>();
  readonly #due = new WakeUp();
  readonly #room = new WakeUp();
  readonly #intake = new AbortController();
  readonly #work = new AbortController();
  readonly #inHand = { heldBytes: 0, unsettled: 0 };
  #failingSince: number | undefined;
  #flushing: Promise<void> = Promise.resolve();

  constructor(deps: IngestDeps) {
    const { failpoints = NO_FAILPOINTS, metrics = NO_METRICS } = deps;
    this.#deps = { ...deps, failpoints, metrics };
    this.definition = deps.consumer ?? CONSUMERS.logBatches;
    this.#limits = { ...defaultLimits(this.definition), ...deps.limits };
    this.#schedule = new FlushSchedule(this.#limits, this.definition);
    this.#pull = new BatchPull({
      ...deps,
      consumer: this.definition,
      take: (batch, receipt) => this.#take(batch, receipt),
    });
    this.#trim = new StreamTrim(deps, this.definition);
  }

  get healthy(): boolean {
    const since = this.#failingSince ?? this.#pull.failingSince;
    return since === undefined || Date.now() - since < UNHEALTHY_AFTER_MS;
  }

  /** Bytes in memory that are not in the index. */
  get heldBytes(): number {
    return this.#inHand.heldBytes;
  }

  get openSources(): number {
    return this.#writers.size;
  }

  /** Batches on the bus that are not stored. */
  async pending(): Promise<number | undefined> {
    return await this.#trim.pending();
  }

  start(): void {
    this.#pull.start();
    this.#flushing = this.#flushLoop();
  }

  /** Takes nothing more, stores what it has, hands the rest back at once. */
  async stop(): Promise<void> {
    this.#intake.abort();
    await this.#pull.stop();
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
    const busy = (): AiepError =>
      new AiepError("DEPENDENCY_UNAVAILABLE", "The log store cannot take this batch now.", {
        retryAfterSeconds: 5,
      });
    await new Promise<void>((resolve, reject) => {
      const receipt: Receipt = { ack: resolve, nak: () => reject(busy()) };
      this.#accept(batch, receipt).then((taken) => {
        if (!taken) reject(busy());
      }, reject);
    });
  }

  async #take(batch: LogBatch, receipt: Receipt): Promise<void> {
    this.#deps.metrics.batchTaken(batch.bytes.length);
    await this.#accept(batch, receipt);
    const { signal } = this.#intake;
    while (this.#inHand.heldBytes > this.#limits.memoryBytes && !signal.aborted)
      await this.#room.wait(RETRY_MS, signal); // G2
  }

  /** False when it has to come again: the store stops, or too much waits for a hole. */
  async #accept(batch: LogBatch, receipt: Receipt): Promise<boolean> {
    const writer = await this.#writerOf(batch.key);
    if (writer === undefined) return false;
    const { complete, dirtySince } = writer;
    const patience = this.#schedule.patience(writer);
    const { position, bytes, final } = batch;
    const accepted = this.#counted(writer, () =>
      writer.accept({ position, bytes, final, receipt }, Date.now()),
    );
    if (accepted === "stored") {
      acknowledge([receipt]);
      this.#trim.acknowledged();
    }
    if (accepted !== "held") return accepted !== "refused";
    this.#deps.tail.changed(batch.key.taskId, writer.complete === complete ? "bytes" : "sources");
    const sooner = dirtySince === undefined || this.#schedule.patience(writer) < patience;
    if (sooner || this.#schedule.isDue(writer, this.#inHand, Date.now())) this.#due.wake();
    return true;
  }

  /** Runs what changes a writer, and keeps the sums over all writers. */
  #counted<T>(writer: SourceWriter<Receipt>, change: () => T): T {
    const { heldBytes, unsettled } = writer;
    const result = change();
    this.#inHand.heldBytes += writer.heldBytes - heldBytes;
    this.#inHand.unsettled += writer.unsettled - unsettled;
    return result;
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
      await this.#due.wait(
        this.#schedule.nextDueMs(this.#writers.values(), this.#inHand, Date.now()),
        signal,
      );
      const now = Date.now();
      this.#giveUpHoles(now);
      const due = [...this.#writers.values()].filter((writer) =>
        this.#schedule.isDue(writer, this.#inHand, now),
      );
      const failed = await this.#flushWriters(due);
      this.#room.wake();
      this.#failingSince = failed ? (this.#failingSince ?? now) : undefined;
      if (failed) await pause(RETRY_MS, signal);
      this.#forgetIdle(now);
      if (now - trimmedAt >= this.#limits.trimMs) {
        trimmedAt = now;
        await this.#trim.trim();
      }
    }
  }

  #giveUpHoles(now: number): void {
    for (const writer of this.#writers.values()) {
      if (!this.#schedule.isHoleLost(writer, now)) continue;
      if (!this.#counted(writer, () => writer.giveUpHole(now))) continue;
      this.#deps.log.error({ source: writer.row.source, position: writer.next }, "log bytes were lost");
      this.#deps.tail.changed(writer.row.taskId, "sources");
    }
  }

  /** True when something failed and has to be tried again. */
  async #flushWriters(writers: readonly SourceWriter<Receipt>[]): Promise<boolean> {
    const units = writers
      .filter((writer) => writer.dirtySince !== undefined)
      .map((writer) => this.#counted(writer, () => writer.takeFlush()));
    if (units.length === 0) return false;
    const { stored, failed, stale } = await this.#flush(units);
    for (const unit of stored) {
      this.#counted(unit.writer, () => unit.writer.flushed(unit));
      this.#trim.acknowledged();
      if (unit.complete) this.#deps.tail.changed(unit.writer.row.taskId, "sources");
    }
    for (const unit of failed) this.#counted(unit.writer, () => unit.writer.putBack(unit, Date.now()));
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
    this.#inHand.heldBytes -= writer.heldBytes;
    this.#inHand.unsettled -= writer.unsettled;
    this.#writers.delete(`${writer.row.taskId}/${writer.row.source}`);
    this.#deps.tail.remove(writer.row.id);
    this.#deps.tail.changed(writer.row.taskId, "sources");
  }
}
