/**
 * AsyncAPI 3.0, one document a service, from that service's point of view (D4). The NATS binding knows no streams, so
 * JetStream facts travel in `x-jetstream`.
 */
import * as z from "zod";
import type { CommandDefinition, EventDefinition, MessageDefinition } from "../events/define.ts";
import { EVENT_CONTEXTS } from "../events/define.ts";
import { CE_HEADERS, MESSAGE_ID_HEADER, TRACE_HEADERS } from "../events/envelope.ts";
import { LOG_HEADERS, MAX_BATCH_BYTES } from "../log/batch.ts";
import { SCHEDULE_COMMANDS } from "../schedule/commands.ts";
import { SCHEDULE_EVENTS } from "../schedule/events.ts";
import { TASK_COMMANDS } from "../task/commands.ts";
import { TASK_EVENTS } from "../task/events.ts";
import { CONSUMERS, type ConsumerDefinition, STREAMS } from "../topology.ts";
import { WORKFLOW_COMMANDS } from "../workflow/commands.ts";
import { WORKFLOW_EVENTS } from "../workflow/events.ts";
import { type JsonSchema, jsonSchema } from "./json-schema.ts";

type Action = "send" | "receive";

interface Port {
  readonly action: Action;
  readonly definition: MessageDefinition;
}

const PORTS: Readonly<Record<string, readonly Port[]>> = {
  "task-svc": [
    ...TASK_EVENTS.map((definition): Port => ({ action: "send", definition })),
    ...TASK_COMMANDS.map((definition): Port => ({ action: "receive", definition })),
  ],
  "workflow-svc": [
    ...WORKFLOW_EVENTS.map((definition): Port => ({ action: "send", definition })),
    ...WORKFLOW_COMMANDS.map((definition): Port => ({ action: "receive", definition })),
    ...TASK_COMMANDS.map((definition): Port => ({ action: "send", definition })),
    ...TASK_EVENTS.map((definition): Port => ({ action: "receive", definition })),
  ],
  "scheduler-bridge": [
    ...SCHEDULE_EVENTS.map((definition): Port => ({ action: "send", definition })),
    ...SCHEDULE_COMMANDS.map((definition): Port => ({ action: "receive", definition })),
    ...WORKFLOW_COMMANDS.map((definition): Port => ({ action: "send", definition })),
    ...[...WORKFLOW_EVENTS, ...TASK_EVENTS].map((definition): Port => ({ action: "receive", definition })),
  ],
  "log-svc": TASK_EVENTS.map((definition): Port => ({ action: "receive", definition })),
};

export const ASYNCAPI_SERVICES = Object.keys(PORTS);

export function asyncApi(service: string): JsonSchema {
  const ports = PORTS[service] ?? [];
  const channels: Record<string, unknown> = {};
  const operations: Record<string, unknown> = {};
  const messages: Record<string, unknown> = {};

  for (const { action, definition } of ports) {
    const key = definition.type.replaceAll(".", "_");
    messages[key] = message(definition);
    channels[key] = {
      address: address(definition),
      parameters: parameters(definition),
      messages: { [key]: { $ref: `#/components/messages/${key}` } },
      "x-jetstream": { stream: definition.kind === "event" ? EVENT_CONTEXTS[definition.context] : "CMD" },
    };
    operations[`${action}_${key}`] = {
      action,
      channel: { $ref: `#/channels/${key}` },
      summary: definition.summary,
    };
  }
  if (service === "log-svc") addLogBatches(channels, operations, messages);

  const consumers = Object.values<ConsumerDefinition>(CONSUMERS).filter(
    (consumer) => consumer.service === service,
  );
  return {
    asyncapi: "3.0.0",
    info: { title: service, version: "1.0.0", description: `Messages that ${service} sends and receives.` },
    defaultContentType: "application/json",
    channels,
    operations,
    components: { messages, messageTraits: { cloudEvent: { headers: cloudEventHeaders() } } },
    "x-jetstream": { streams: STREAMS, consumers },
  };
}

function address(definition: MessageDefinition): string {
  return definition.kind === "event"
    ? `aiep.{env}.evt.${definition.context}.{group_id}.{aggregate_id}.${definition.name}`
    : `aiep.{env}.cmd.${definition.service}.${definition.name}`;
}

function parameters(definition: MessageDefinition): JsonSchema {
  const env = { description: "Environment: local, uat, prod, …" };
  return definition.kind === "event"
    ? {
        env,
        group_id: { description: "Project group" },
        aggregate_id: { description: "Id of the aggregate" },
      }
    : { env };
}

function message(definition: EventDefinition | CommandDefinition): JsonSchema {
  return {
    name: definition.type,
    summary: definition.summary,
    contentType: "application/json",
    traits: [{ $ref: "#/components/messageTraits/cloudEvent" }],
    correlationId: { location: "$message.header#/ce-correlationid" },
    payload: jsonSchema(definition.schema, definition.kind === "event" ? "output" : "input"),
  };
}

function cloudEventHeaders(): JsonSchema {
  const text = { type: "string" };
  const names = [...Object.values(CE_HEADERS), ...Object.values(TRACE_HEADERS), MESSAGE_ID_HEADER];
  return {
    type: "object",
    required: [CE_HEADERS.specversion, CE_HEADERS.id, CE_HEADERS.source, CE_HEADERS.type, CE_HEADERS.time],
    properties: Object.fromEntries(names.map((name) => [name, text])),
  };
}

function addLogBatches(
  channels: Record<string, unknown>,
  operations: Record<string, unknown>,
  messages: Record<string, unknown>,
): void {
  const headers = jsonSchema(
    z.object(Object.fromEntries(Object.values(LOG_HEADERS).map((name) => [name, z.string().optional()]))),
    "output",
  );
  messages["aiep_log_batch"] = {
    name: "aiep.log.batch",
    summary: `Whole CRI log lines of one node, at most ${MAX_BATCH_BYTES} bytes; not an event (D7).`,
    contentType: "text/plain",
    headers,
    payload: { type: "string" },
  };
  channels["aiep_log_batch"] = {
    address: "aiep.{env}.log.{group_id}.{task_id}.{node}",
    parameters: { env: {}, group_id: {}, task_id: {}, node: {} },
    messages: { aiep_log_batch: { $ref: "#/components/messages/aiep_log_batch" } },
    "x-jetstream": { stream: "LOG" },
  };
  for (const action of ["send", "receive"] as const) {
    operations[`${action}_aiep_log_batch`] = {
      action,
      channel: { $ref: "#/channels/aiep_log_batch" },
      summary: "Agent to store.",
    };
  }
}
