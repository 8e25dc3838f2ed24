/**
 * Pulls a durable consumer's messages in batches and settles each one by its outcome.
 *
 * U1 a message is acknowledged only after `handle` said done, that is after the commit (D6). U2 while the database is away
 * messages are kept in hand, their ack clock is reset and nothing more is pulled: an outage spends no deliveries. U3 a dead
 * letter is on the bus before its message is terminated. U4 one batch at a time, whatever has arrived by then: an idle
 * consumer adds no wait, a busy one works in batches; one that nobody waits for gathers them, at most one in `paceMs`.
 */
import type { ConsumerDefinition } from "@aiep/contracts";
import type { ConsumerMessages, JsMsg } from "@nats-io/jetstream";
import { backoffMs } from "../async/backoff.ts";
import { pause, WakeUp } from "../async/wait.ts";
import type { Bus } from "../bus/bus.ts";
import type { Failpoints } from "../failpoints/failpoints.ts";
import type { Logger } from "../logging/logger.ts";
import { type DeadMessage, writeDeadLetter } from "./dead-letter.ts";
import { isOfEnvironment } from "./decode.ts";
import { atLastDelivery, DONE, type Outcome, retryDelayMs } from "./outcome.ts";

export interface PullLoopDeps {
  readonly bus: Bus;
  readonly consumer: ConsumerDefinition;
  readonly env: string;
  readonly batchSize: number;
  /** From the beginning of a batch that is not full to that of the one before; 0: none. */
  readonly paceMs: number;
  readonly log: Logger;
  readonly failpoints: Failpoints;
  /** One outcome a message, in the same order. Must not throw. */
  readonly handle: (messages: readonly DeadMessage[]) => Promise<readonly Outcome[]>;
  readonly settled: (outcome: Outcome) => void;
}

const PULL_MS = 10_000;
const UNHEALTHY_MS = 30_000;

interface InHand {
  readonly raw: JsMsg;
  readonly message: DeadMessage;
}

export class PullLoop {
  readonly #deps: PullLoopDeps;
  readonly #log: Logger;
  readonly #stopping = new AbortController();
  readonly #arrived: InHand[] = [];
  readonly #inHand = new Set<InHand>();
  readonly #full = new WakeUp();
  #open: ConsumerMessages | undefined;
  #changed = Promise.withResolvers<void>();
  #running: Promise<unknown> | undefined;
  #fineAt = 0;

  constructor(deps: PullLoopDeps) {
    this.#deps = deps;
    this.#log = deps.log.child({ consumer: deps.consumer.durable, stream: deps.consumer.stream });
  }

  get healthy(): boolean {
    return this.#fineAt > 0 && performance.now() - this.#fineAt < UNHEALTHY_MS;
  }

  start(): void {
    this.#running ??= Promise.all([this.#pull(), this.#work()]);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#notify();
    await this.#open?.close();
    await this.#running;
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  async #pull(): Promise<void> {
    const { bus, consumer, batchSize } = this.#deps;
    for (let failures = 0; !this.#stopping.signal.aborted; ) {
      try {
        const durable = await bus.js.consumers.get(consumer.stream, consumer.durable);
        failures = 0;
        this.#fineAt = performance.now(); // the server answered for the durable: an idle stream is no reason to wait
        while (!this.#stopping.signal.aborted) {
          await this.#room();
          if (this.#stopping.signal.aborted) break;
          this.#open = await durable.fetch({ max_messages: batchSize, expires: PULL_MS });
          for await (const raw of this.#open) this.#arrive(raw);
          const error = await this.#open.closed();
          if (error instanceof Error) throw error;
          if (this.#inHand.size === 0) this.#fineAt = performance.now();
        }
      } catch (error) {
        if (this.#stopping.signal.aborted) break;
        failures += 1;
        this.#log.warn({ err: error, failures }, "cannot pull; trying again");
        await pause(backoffMs(failures, { floorMs: 200, capMs: 2_000 }), this.#stopping.signal);
      }
    }
    this.#open = undefined;
  }

  async #room(): Promise<void> {
    while (this.#arrived.length >= this.#deps.batchSize && !this.#stopping.signal.aborted) {
      await this.#changed.promise;
    }
  }

  #arrive(raw: JsMsg): void {
    const headers = new Map<string, string>();
    for (const name of raw.headers?.keys() ?? []) headers.set(name, raw.headers?.get(name) ?? "");
    const each = {
      raw,
      message: {
        subject: raw.subject,
        headers,
        payload: raw.data,
        streamSequence: raw.seq,
        deliveries: raw.info.deliveryCount,
      },
    };
    this.#inHand.add(each);
    this.#arrived.push(each);
    if (this.#arrived.length >= this.#deps.batchSize) this.#full.wake();
    this.#notify();
  }

  async #work(): Promise<void> {
    const clock = setInterval(() => this.#keepAlive(), (this.#deps.consumer.ackWaitSeconds * 1000) / 3);
    try {
      while (!this.#stopping.signal.aborted) {
        const batch = this.#arrived.splice(0, this.#deps.batchSize);
        if (batch.length === 0) {
          await this.#changed.promise;
          continue;
        }
        this.#notify();
        const began = performance.now();
        await this.#settleAll(batch);
        await this.#gather(began + this.#deps.paceMs);
      }
    } finally {
      clearInterval(clock);
      for (const { raw } of this.#inHand) raw.nak(); // somebody else takes them at once
      this.#inHand.clear();
    }
  }

  /** U4. */
  async #gather(until: number): Promise<void> {
    const left = until - performance.now();
    if (left <= 0 || this.#arrived.length >= this.#deps.batchSize) return;
    await this.#full.wait(left, this.#stopping.signal);
  }

  /** U2. */
  #keepAlive(): void {
    for (const { raw } of this.#inHand) raw.working();
  }

  async #settleAll(batch: readonly InHand[]): Promise<void> {
    let rest = batch.toSorted((a, b) => a.message.streamSequence - b.message.streamSequence);
    for (let failures = 0; rest.length > 0 && !this.#stopping.signal.aborted; ) {
      const outcomes = await this.#outcomes(rest);
      await this.#deps.failpoints.hit("inbox.committed-not-acked");
      const held: InHand[] = [];
      for (const [index, each] of rest.entries()) {
        const outcome = outcomes[index] ?? DONE;
        if (!(await this.#settle(each, outcome))) held.push(each);
      }
      if (held.length < rest.length) failures = 0;
      rest = held;
      if (held.length === 0) break;
      failures += 1;
      this.#log.warn(
        { messages: held.length, failures },
        "messages are kept until the database or the bus is back",
      );
      await pause(backoffMs(failures, { floorMs: 100, capMs: 2_000 }), this.#stopping.signal);
    }
    if (rest.length === 0) this.#fineAt = performance.now();
  }

  async #outcomes(batch: readonly InHand[]): Promise<readonly Outcome[]> {
    const ours = batch.filter(({ message }) => isOfEnvironment(message.subject, this.#deps.env));
    const outcomes = await this.#deps.handle(ours.map(({ message }) => message));
    const byMessage = new Map(ours.map((each, index) => [each, outcomes[index] ?? DONE]));
    return batch.map((each) => byMessage.get(each) ?? DONE); // another environment's message is not ours to judge
  }

  /** False when the message stays in hand. */
  async #settle(each: InHand, outcome: Outcome): Promise<boolean> {
    const { raw, message } = each;
    const settled = atLastDelivery(outcome, message.deliveries, this.#deps.consumer.maxDeliver);
    switch (settled.kind) {
      case "hold":
        return false;
      case "done":
        raw.ack();
        break;
      case "later":
        this.#log.debug({ seq: raw.seq, reason: settled.reason }, "message given back for later");
        raw.nak(retryDelayMs(message.deliveries));
        break;
      case "dead":
        if (!(await this.#bury(message, settled.reason))) return false;
        raw.term(); // without a reason: nats-server before 2.10.4 ignores that form
        break;
    }
    this.#inHand.delete(each);
    this.#deps.settled(settled);
    return true;
  }

  /** U3. */
  async #bury(message: DeadMessage, reason: string): Promise<boolean> {
    try {
      await writeDeadLetter(this.#deps.bus, this.#deps, message, reason);
      this.#log.error(
        { seq: message.streamSequence, subject: message.subject, reason },
        "message went to the DLQ",
      );
      return true;
    } catch (error) {
      this.#log.warn({ err: error, seq: message.streamSequence }, "dead letter not written; trying again");
      return false;
    }
  }
}
