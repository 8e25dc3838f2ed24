import type {
  CommandDefinition,
  CommandEnvelope,
  ConsumerDefinition,
  DataOf,
  EventDefinition,
  EventEnvelope,
} from "@aiep/contracts";
import type { Bus } from "../bus/bus.ts";
import type { Failpoints } from "../failpoints/failpoints.ts";
import type { UnsafeSwitches } from "../failpoints/unsafe.ts";
import type { Logger } from "../logging/logger.ts";
import type { SqlPool } from "../sql/pool.ts";
import type { Sql } from "../sql/sql.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";

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

export interface StoredMessage {
  readonly subject: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly payload: Uint8Array;
}

/** An event with its data; `definition` tells which one, so a handler narrows by it: `if (m.definition === taskCreated)`. */
export type EventMessage<Definition extends EventDefinition> = Definition extends EventDefinition
  ? {
      readonly definition: Definition;
      readonly type: Definition["type"];
      readonly name: Definition["name"];
      readonly envelope: EventEnvelope;
      readonly data: DataOf<Definition>;
      readonly subject: string;
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
      readonly signal: AbortSignal;
    }
  : never;

/** The handler's changes to its own database; committed with the inbox row or version, or not at all. */
export type Effects = readonly Sql[];

interface ConsumerDeps {
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
}

export interface EventConsumerDeps<Definitions extends readonly EventDefinition[]> extends ConsumerDeps {
  readonly definitions: Definitions;
  /** Called once per version of an aggregate, in order. Returns effects; [] when the event changes nothing here. */
  readonly handler: (message: EventMessage<Definitions[number]>) => Effects | Promise<Effects>;
  /** After the commit: e.g. wake readers. Must not throw. */
  readonly committed?: (messages: readonly EventMessage<Definitions[number]>[]) => void;
}

export interface CommandConsumerDeps<Definitions extends readonly CommandDefinition[]> extends ConsumerDeps {
  readonly definitions: Definitions;
  /**
   * Called until it succeeded once. Either returns effects, committed with the inbox row, or does its own work, idempotent
   * by `envelope.id`, and returns []. An AiepError with retry policy `later` is tried again; others end in the DLQ, so a
   * refused command is answered by an event (D8), not thrown.
   */
  readonly handler: (message: CommandMessage<Definitions[number]>) => Effects | Promise<Effects>;
}

/** Applies only `last + 1` of each aggregate (D6): table consumer_versions. */
export function createEventConsumer<const Definitions extends readonly EventDefinition[]>(
  _deps: EventConsumerDeps<Definitions>,
): Consumer {
  throw new Error("pending");
}

/** Applies each command once: table inbox. */
export function createCommandConsumer<const Definitions extends readonly CommandDefinition[]>(
  _deps: CommandConsumerDeps<Definitions>,
): Consumer {
  throw new Error("pending");
}
