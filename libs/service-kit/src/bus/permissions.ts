/**
 * What each user of the bus may publish and subscribe to, least first (D10, events-on-nats section 7): services cannot
 * create streams or consumers, cannot forge another context's events and cannot read another user's replies.
 */
import { CONSUMERS, type ConsumerDefinition, type STREAMS } from "@aiep/contracts";

export type NatsRole =
  | "task-svc"
  | "workflow-svc"
  | "scheduler-bridge"
  | "log-svc"
  | "log-agent"
  | "topology"
  | "subscriber";

/** Shaped like a user of nats-server's configuration; the password is the deployment's. */
export interface NatsPermissions {
  readonly user: NatsRole;
  readonly inboxPrefix: string;
  readonly publish: readonly string[];
  /** Includes its own inbox. */
  readonly subscribe: readonly string[];
}

/** `_INBOX_task-svc`: replies of one user cannot be read by another one. */
export function inboxPrefix(user: string): string {
  return `_INBOX_${user}`;
}

export function natsPermissions(role: NatsRole): NatsPermissions {
  const prefix = inboxPrefix(role);
  const { publish, subscribe } = rights(role);
  return { user: role, inboxPrefix: prefix, publish, subscribe: [...subscribe, `${prefix}.>`] };
}

interface Rights {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

function rights(role: NatsRole): Rights {
  switch (role) {
    case "task-svc":
      return {
        publish: [
          "aiep.*.evt.task.>",
          ...streamReader("TASK"),
          ...consume(CONSUMERS.taskCommands),
          ...deadLetters("task-svc"),
        ],
        subscribe: ["aiep.*.evt.task.>"], // wakes of other replicas
      };
    case "workflow-svc":
      return {
        publish: [
          "aiep.*.evt.workflow.>",
          "aiep.*.cmd.task-svc.>",
          "aiep.*.cmd.workflow-svc.>",
          "aiep.*.wake.workflow-svc.>",
          ...streamReader("WORKFLOW"),
          ...consume(CONSUMERS.workflowCommands), // its streams, CMD among them
          ...consume(CONSUMERS.workflowTasks),
          ...deadLetters("workflow-svc"),
        ],
        subscribe: ["aiep.*.evt.workflow.>", "aiep.*.wake.workflow-svc.>"], // changes and wakes of other replicas
      };
    case "scheduler-bridge":
      return {
        publish: [
          "aiep.*.evt.schedule.>",
          "aiep.*.cmd.workflow-svc.>",
          "aiep.*.wake.scheduler-bridge.>",
          ...streamReader("SCHEDULE"),
          ...consume(CONSUMERS.scheduleCommands),
          ...consume(CONSUMERS.scheduleRuns),
          ...consume(CONSUMERS.scheduleTasks),
          ...consume(CONSUMERS.scheduleEvents),
          ...consume(CONSUMERS.scheduleDeadStarts),
          ...deadLetters("scheduler-bridge"),
        ],
        subscribe: ["aiep.*.evt.schedule.>", "aiep.*.wake.scheduler-bridge.>"], // changes and wakes of other replicas
      };
    case "log-svc":
      return {
        publish: [
          ...consume(CONSUMERS.logTasks),
          ...consume(CONSUMERS.logBatches),
          ...streamReader("LOG"),
          "$JS.API.STREAM.PURGE.LOG", // trims what is stored
          ...deadLetters("log-svc"),
        ],
        subscribe: [],
      };
    case "log-agent":
      return { publish: ["aiep.*.log.>", ...streamReader("LOG")], subscribe: [] };
    case "topology":
      return { publish: ["$JS.API.>"], subscribe: [] };
    case "subscriber":
      return {
        publish: [...["TASK", "WORKFLOW", "SCHEDULE"].flatMap(readOnly)],
        subscribe: ["aiep.*.evt.>"],
      };
  }
}

function streamReader(stream: keyof typeof STREAMS): string[] {
  return [`$JS.API.STREAM.INFO.${stream}`];
}

function consume({ stream, durable }: ConsumerDefinition): string[] {
  return [
    ...streamReader(stream),
    `$JS.API.CONSUMER.INFO.${stream}.${durable}`,
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.${durable}`,
    `$JS.ACK.${stream}.${durable}.>`,
    `$JS.ACK.*.*.${stream}.${durable}.>`, // the longer form of nats-server 2.15
  ];
}

function deadLetters(service: string): string[] {
  return [
    `aiep.*.dlq.${service}.>`,
    ...streamReader("DLQ"),
    "$JS.API.STREAM.MSG.GET.DLQ",
    "$JS.API.STREAM.MSG.DELETE.DLQ",
  ];
}

/** Own ephemeral consumers of nats.js and nats-py: the older CREATE without a name, list, names and flow control too. */
function readOnly(stream: string): string[] {
  return [
    "$JS.API.INFO",
    "$JS.API.STREAM.LIST",
    "$JS.API.STREAM.NAMES",
    `$JS.API.STREAM.INFO.${stream}`,
    `$JS.API.CONSUMER.CREATE.${stream}`,
    `$JS.API.CONSUMER.CREATE.${stream}.>`,
    `$JS.API.CONSUMER.INFO.${stream}.*`,
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.*`,
    `$JS.API.CONSUMER.DELETE.${stream}.*`,
    `$JS.ACK.${stream}.>`,
    `$JS.ACK.*.*.${stream}.>`,
    "$JS.FC.>",
  ];
}
