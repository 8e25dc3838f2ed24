/**
 * Durable consumers (D6, D9): events applied version by version, commands applied once.
 *
 * This file joins the parts: pull-loop.ts pulls and settles, decode.ts and outcome.ts judge, event-applier.ts and
 * command-applier.ts write.
 */
import {
  AiepError,
  type CommandDefinition,
  type CommandEnvelope,
  type ConsumerDefinition,
  type DataOf,
  type EventDefinition,
  type EventEnvelope,
  type MessageDefinition,
} from "@aiep/contracts";
import type { Bus } from "../bus/bus.ts";
import { parseCommandEnvelope, parseEventEnvelope } from "../bus/message.ts";
import { type Failpoints, NO_FAILPOINTS } from "../failpoints/failpoints.ts";
import { ALL_SAFE, type UnsafeSwitches } from "../failpoints/unsafe.ts";
import type { Logger } from "../logging/logger.ts";
import type { SqlPool } from "../sql/pool.ts";
import type { Sql } from "../sql/sql.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { runWithTraceparent } from "../telemetry/tracing.ts";
import { applyCommand, type CommandApplierDeps, type DecodedCommand } from "./command-applier.ts";
import type { DeadMessage } from "./dead-letter.ts";
import { type Decoded, Decoder, type StoredMessage } from "./decode.ts";
import { applyEvents, type DecodedEvent, type EventApplierDeps } from "./event-applier.ts";
import { DONE, isTransient, type Outcome, outcomeOf } from "./outcome.ts";
import { PullLoop } from "./pull-loop.ts";

/** A running durable consumer. */
export interface Consumer {
  readonly definition: ConsumerDefinition;
  start(): void;
  /** Stops pulling, finishes what is being handled. Bounded by the handlers. */
  stop(): Promise<void>;
  /** False when nothing could be pulled or committed lately (readiness). */
  readonly healthy: boolean;
  /** One message through the handler again, outside the stream (dead letters). Throws what the handler throws. */
  redrive(message: StoredMessage): Promise<void>;
}

export type { StoredMessage } from "./decode.ts";

/** An event with its data; `definition` tells which one, so a handler narrows by it: `if (m.definition === taskCreated)`. */
export type EventMessage<Definition extends EventDefinition> = Definition extends EventDefinition
  ? {
      readonly definition: Definition;
      readonly type: Definition["type"];
      readonly name: Definition["name"];
      readonly envelope: EventEnvelope;
      readonly data: DataOf<Definition>;
      readonly subject: string;
      /** In performance.now(): what is read after it, was read after the message was sent. */
      readonly receivedAt: number;
      readonly signal: AbortSignal;
    }
  : never;

export type CommandMessage<Definition extends CommandDefinition> = Definition extends CommandDefinition
  ? {
      readonly definition: Definition;
      readonly type: Definition["type"];
      readonly name: Definition["name"];
      readonly envelope: CommandEnvelope;
      readonly data: DataOf<Definition>;
      readonly subject: string;
      readonly receivedAt: number;
      readonly signal: AbortSignal;
      /** Its inbox row, of a `joined` command; a duplicate key there says that it was handled. */
      readonly once: Effects;
    }
  : never;

/** The handler's changes to its own database; committed with the inbox row or version, or not at all. */
export type Effects = readonly Sql[];

export interface ConsumerDeps {
  readonly bus: Bus;
  readonly consumer: ConsumerDefinition;
  readonly pool: SqlPool;
  readonly log: Logger;
  readonly telemetry?: Telemetry;
  readonly failpoints?: Failpoints;
  readonly unsafe?: UnsafeSwitches;
  /** Environment token; messages of other environments are not ours and are acknowledged untouched. */
  readonly env: string;
  /** Messages handled at once; default 64. */
  readonly batchSize?: number;
  /**
   * For what nobody waits for to the millisecond: after a batch, what comes within so long is gathered into the next one, which
   * costs the same as a single message. The first after a rest is taken at once. Default: nothing is gathered.
   */
  readonly paceMs?: number;
}

export interface EventConsumerDeps<Definitions extends readonly EventDefinition[]> extends ConsumerDeps {
  readonly definitions: Definitions;
  /** Called once per version of an aggregate, in order. Returns effects; [] when the event changes nothing here. */
  readonly handler: (message: EventMessage<Definitions[number]>) => Effects | Promise<Effects>;
  /** After the commit: e.g. wake readers. Must not throw. */
  readonly committed?: (messages: readonly EventMessage<Definitions[number]>[]) => void;
}

export interface NoticeConsumerDeps<Definitions extends readonly EventDefinition[]> extends ConsumerDeps {
  readonly definitions: Definitions;
  /**
   * Commits by itself what follows, together with how far it is with the aggregate: given again or too late it must change
   * nothing. Called in the stream's order, without waiting for the one before. Throws as a command's handler does.
   */
  readonly handler: (message: EventMessage<Definitions[number]>) => Promise<void>;
}

export interface CommandConsumerDeps<Definitions extends readonly CommandDefinition[]> extends ConsumerDeps {
  readonly definitions: Definitions;
  /**
   * Called until it succeeded once. Either returns effects, committed with the inbox row, or does its own work, idempotent
   * by `envelope.id`, and returns []. An AiepError with retry policy `later` is tried again; others end in the DLQ, so a
   * refused command is answered by an event (D8), not thrown.
   */
  readonly handler: (message: CommandMessage<Definitions[number]>) => Effects | Promise<Effects>;
  /** Those whose handler commits `once` in the transaction of its own changes, or finds them made: no other is needed. */
  readonly joined?: readonly Definitions[number][];
}

const BATCH = 64;

/** Applies only `last + 1` of each aggregate (D6): table consumer_versions. */
export function createEventConsumer<const Definitions extends readonly EventDefinition[]>(
  deps: EventConsumerDeps<Definitions>,
): Consumer {
  type Message = EventMessage<Definitions[number]>;
  const stopping = new AbortController();
  const decoder = new Decoder<EventDefinition, EventEnvelope>(deps.definitions, parseEventEnvelope);
  const typed = (event: DecodedEvent): Message =>
    ({
      ...event,
      type: event.definition.type,
      name: event.definition.name,
      signal: stopping.signal,
    }) as Message; // its definition parsed it
  const applier: EventApplierDeps = {
    pool: deps.pool,
    consumer: deps.consumer.durable,
    checkVersions: !(deps.unsafe ?? ALL_SAFE).has("version-check"),
    handle: async (event) =>
      await runWithTraceparent(event.envelope.traceparent, `process ${deps.consumer.durable}`, async () =>
        deps.handler(typed(event)),
      ),
  };
  const tell = (applied: readonly DecodedEvent[]): void => {
    if (applied.length > 0) deps.committed?.(applied.map(typed));
  };
  const apply = async (events: readonly DecodedEvent[]): Promise<readonly Outcome[]> => {
    const { outcomes, applied } = await applyEvents(applier, events);
    tell(applied);
    return outcomes;
  };
  return consumerOf(deps, stopping, {
    handle: async (messages) =>
      await decodeAll(decoder, messages, async (events) => await together(events, apply)),
    redrive: async (message) => {
      const [outcome] = await apply([decoder.decode(message)]);
      if (outcome?.kind !== "later") return;
      throw new AiepError("MESSAGE_INVALID", `${outcome.reason}: redrive the earlier ones first.`);
    },
  });
}

/**
 * For who keeps the position himself, in the transaction that applies the event, because what it changes is in his memory
 * already and a second transaction would double the time (D22).
 */
export function createNoticeConsumer<const Definitions extends readonly EventDefinition[]>(
  deps: NoticeConsumerDeps<Definitions>,
): Consumer {
  const stopping = new AbortController();
  const decoder = new Decoder<EventDefinition, EventEnvelope>(deps.definitions, parseEventEnvelope);
  const handle = async (event: DecodedEvent): Promise<void> => {
    const { type, name } = event.definition;
    const message = { ...event, type, name, signal: stopping.signal };
    await deps.handler(message as EventMessage<Definitions[number]>); // its definition parsed it
  };
  const apply = async (event: DecodedEvent): Promise<Outcome> => {
    try {
      await handle(event);
      return DONE;
    } catch (error) {
      return outcomeOf(error);
    }
  };
  return consumerOf(deps, stopping, {
    handle: async (messages) =>
      await decodeAll(decoder, messages, async (events) => await Promise.all(events.map(apply))),
    redrive: async (message) => await handle(decoder.decode(message)),
  });
}

/** Applies each command once: table inbox. */
export function createCommandConsumer<const Definitions extends readonly CommandDefinition[]>(
  deps: CommandConsumerDeps<Definitions>,
): Consumer {
  type Message = CommandMessage<Definitions[number]>;
  const stopping = new AbortController();
  const decoder = new Decoder<CommandDefinition, CommandEnvelope>(deps.definitions, parseCommandEnvelope);
  const applier: CommandApplierDeps = {
    pool: deps.pool,
    consumer: deps.consumer.durable,
    useInbox: !(deps.unsafe ?? ALL_SAFE).has("inbox"),
    isJoined: ({ definition }) => deps.joined?.some((each) => each === definition) === true,
    handle: async (command, once) =>
      await runWithTraceparent(
        command.envelope.traceparent,
        `process ${deps.consumer.durable}`,
        async () =>
          deps.handler({
            ...command,
            type: command.definition.type,
            name: command.definition.name,
            signal: stopping.signal,
            once,
          } as Message), // its definition parsed it
      ),
  };
  const apply = async (command: DecodedCommand): Promise<Outcome> => {
    try {
      await applyCommand(applier, command);
      return DONE;
    } catch (error) {
      return outcomeOf(error);
    }
  };
  return consumerOf(deps, stopping, {
    handle: async (messages) =>
      await decodeAll(decoder, messages, async (commands) => await Promise.all(commands.map(apply))),
    redrive: async (message) => await applyCommand(applier, decoder.decode(message)),
  });
}

/** How one kind of consumer handles what the loop brings. */
interface Flavour {
  readonly handle: (messages: readonly DeadMessage[]) => Promise<readonly Outcome[]>;
  readonly redrive: (message: StoredMessage) => Promise<void>;
}

export function consumerOf(
  deps: Omit<ConsumerDeps, "pool">,
  stopping: AbortController,
  flavour: Flavour,
): Consumer {
  const { consumer: definition, telemetry } = deps;
  const settled = telemetry?.meter.createCounter("aiep_consumer_messages_total", {
    description: "Messages settled, by outcome",
  });
  const loop = new PullLoop({
    bus: deps.bus,
    consumer: definition,
    env: deps.env,
    batchSize: deps.batchSize ?? BATCH,
    paceMs: deps.paceMs ?? 0,
    log: deps.log,
    failpoints: deps.failpoints ?? NO_FAILPOINTS,
    handle: flavour.handle,
    settled: ({ kind }) => settled?.add(1, { consumer: definition.durable, outcome: kind }),
  });
  return {
    definition,
    start: () => loop.start(),
    stop: async () => {
      stopping.abort();
      await loop.stop();
    },
    get healthy() {
      return loop.healthy;
    },
    redrive: flavour.redrive,
  };
}

/** What cannot be decoded is dead; the rest is handled and the outcomes are put back in their places. */
async function decodeAll<Definition extends MessageDefinition, Envelope extends { readonly type: string }>(
  decoder: Decoder<Definition, Envelope>,
  messages: readonly DeadMessage[],
  handle: (decoded: readonly Decoded<Definition, Envelope>[]) => Promise<readonly Outcome[]>,
): Promise<readonly Outcome[]> {
  const places: { readonly index: number; readonly decoded: Decoded<Definition, Envelope> }[] = [];
  const outcomes: Outcome[] = messages.map((message, index) => {
    try {
      places.push({ index, decoded: decoder.decode(message) });
      return DONE;
    } catch (error) {
      return outcomeOf(error);
    }
  });
  const handled = await handle(places.map(({ decoded }) => decoded));
  for (const [position, { index }] of places.entries()) outcomes[index] = handled[position] ?? DONE;
  return outcomes;
}

/** All in one transaction; when that fails, one by one, so that a poison message fails alone (I12). */
async function together(
  events: readonly DecodedEvent[],
  apply: (events: readonly DecodedEvent[]) => Promise<readonly Outcome[]>,
): Promise<readonly Outcome[]> {
  try {
    return await apply(events);
  } catch (error) {
    if (isTransient(error) || events.length === 1) return events.map(() => outcomeOf(error));
  }
  const outcomes: Outcome[] = [];
  for (const event of events) {
    try {
      outcomes.push(...(await apply([event])));
    } catch (error) {
      outcomes.push(outcomeOf(error));
    }
  }
  return outcomes;
}
