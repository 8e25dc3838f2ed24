/**
 * Streams and durable consumers as the contracts define them (D7): created, or updated where they differ, by the topology
 * job alone. Services only check that what they need is there. Works alike on 2.9, where `add` updates silently, and on
 * newer servers, where it refuses a changed configuration.
 */

import { AiepError, type ConsumerDefinition, type StreamDefinition } from "@aiep/contracts";
import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamManager,
  ReplayPolicy,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import type { Bus } from "./bus.ts";
import { busUnavailable } from "./publish.ts";

export interface Topology {
  readonly streams: readonly StreamDefinition[];
  readonly consumers: readonly ConsumerDefinition[];
  /** Default 1. */
  readonly replicas?: number;
}

export interface TopologyChange {
  readonly kind: "stream" | "consumer";
  readonly name: string;
  readonly action: "created" | "updated" | "unchanged";
}

/** Creates what is missing, updates what differs. Only the topology job may. Idempotent. */
export async function applyTopology(bus: Bus, topology: Topology): Promise<readonly TopologyChange[]> {
  const changes: TopologyChange[] = [];
  for (const stream of topology.streams) {
    changes.push({
      kind: "stream",
      name: stream.name,
      action: await applyStream(bus.jsm, streamConfig(stream, topology)),
    });
  }
  for (const consumer of topology.consumers) {
    changes.push({
      kind: "consumer",
      name: `${consumer.stream}/${consumer.durable}`,
      action: await applyConsumer(bus.jsm, consumer),
    });
  }
  return changes;
}

/** What a service needs is there; otherwise DEPENDENCY_UNAVAILABLE saying to run the topology step. Needs INFO rights only. */
export async function verifyTopology(
  bus: Bus,
  needs: Pick<Topology, "streams" | "consumers">,
): Promise<void> {
  const missing: string[] = [];
  for (const { name } of needs.streams) {
    if ((await found(() => bus.jsm.streams.info(name))) === undefined) missing.push(`stream ${name}`);
  }
  for (const { stream, durable } of needs.consumers) {
    const info = await found(() => bus.jsm.consumers.info(stream, durable));
    if (info === undefined) missing.push(`consumer ${durable} of ${stream}`);
  }
  if (missing.length === 0) return;
  throw new AiepError(
    "DEPENDENCY_UNAVAILABLE",
    `The bus lacks ${missing.join(", ")}: run the topology step first.`,
  );
}

type StreamSettings = Pick<
  StreamConfig,
  "name" | "subjects" | "description" | "retention" | "storage" | "discard" | "max_age" | "max_bytes"
> &
  Pick<
    StreamConfig,
    "max_msg_size" | "duplicate_window" | "deny_delete" | "deny_purge" | "allow_direct" | "num_replicas"
  >;

function streamConfig(stream: StreamDefinition, { replicas = 1 }: Topology): StreamSettings {
  return {
    name: stream.name,
    subjects: [...stream.subjects],
    description: stream.description,
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.New, // a full stream pushes back into the outbox
    max_age: nanos(stream.maxAgeSeconds * 1000),
    max_bytes: stream.maxBytes,
    max_msg_size: stream.maxMessageBytes,
    duplicate_window: nanos(stream.duplicateWindowSeconds * 1000),
    deny_delete: stream.protect,
    deny_purge: stream.protect,
    allow_direct: true,
    num_replicas: replicas,
  };
}

async function applyStream(jsm: JetStreamManager, wanted: StreamSettings): Promise<TopologyChange["action"]> {
  const info = await found(() => jsm.streams.info(wanted.name));
  if (info === undefined) {
    await jsm.streams.add(wanted);
    return "created";
  }
  if (!differs(wanted, info.config)) return "unchanged";
  await jsm.streams.update(wanted.name, { ...info.config, ...wanted });
  return "updated";
}

function consumerConfig(consumer: ConsumerDefinition) {
  return {
    durable_name: consumer.durable,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    replay_policy: ReplayPolicy.Instant,
    filter_subject: consumer.filterSubject,
    ack_wait: nanos(consumer.ackWaitSeconds * 1000),
    max_deliver: consumer.maxDeliver,
    max_ack_pending: consumer.maxAckPending,
  } satisfies Partial<ConsumerConfig>;
}

async function applyConsumer(
  jsm: JetStreamManager,
  consumer: ConsumerDefinition,
): Promise<TopologyChange["action"]> {
  const wanted = consumerConfig(consumer);
  const info = await found(() => jsm.consumers.info(consumer.stream, consumer.durable));
  if (info === undefined) {
    await jsm.consumers.add(consumer.stream, wanted);
    return "created";
  }
  if (!differs(wanted, info.config)) return "unchanged";
  const { filter_subject, ack_wait, max_deliver, max_ack_pending } = wanted;
  await jsm.consumers.update(consumer.stream, consumer.durable, {
    filter_subject,
    ack_wait,
    max_deliver,
    max_ack_pending,
  });
  return "updated";
}

/** Only what we set is compared: the server adds defaults of its own. */
function differs(wanted: object, actual: object): boolean {
  const have = new Map<string, unknown>(Object.entries(actual));
  return Object.entries(wanted).some(
    ([name, value]) => JSON.stringify(have.get(name) ?? false) !== JSON.stringify(value ?? false),
  );
}

const NOT_FOUND = new Set([10014, 10059]);

async function found<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof JetStreamApiError && NOT_FOUND.has(error.code)) return undefined;
    if (error instanceof JetStreamApiError) throw error;
    throw busUnavailable(error);
  }
}
