/**
 * Streams and durable consumers of the bus, as values (D7). A topology step creates them; services never do.
 * Settings and their reasons: events-on-nats, sections 2.3 and 4.1. Only the portable subset of nats-server 2.9.10 (D10):
 * one filter subject a consumer.
 */
export interface StreamDefinition {
  readonly name: string;
  readonly subjects: readonly string[];
  readonly description: string;
  readonly maxAgeSeconds: number;
  readonly maxBytes: number;
  readonly maxMessageBytes: number;
  readonly duplicateWindowSeconds: number;
  /** Events cannot be deleted or purged by clients; the log stream is trimmed by its store. */
  readonly protect: boolean;
}

const GiB = 1024 ** 3;
const KiB = 1024;
const DAY = 86_400;

const eventStream = (name: string, context: string, description: string): StreamDefinition => ({
  name,
  subjects: [`aiep.*.evt.${context}.>`],
  description,
  maxAgeSeconds: 30 * DAY,
  maxBytes: 2 * GiB,
  maxMessageBytes: 256 * KiB,
  duplicateWindowSeconds: 600,
  protect: true,
});

export const STREAMS = {
  TASK: eventStream("TASK", "task", "Events of container tasks"),
  WORKFLOW: eventStream("WORKFLOW", "workflow", "Events of experiments, runs and nodes"),
  SCHEDULE: eventStream("SCHEDULE", "schedule", "Events of publications and triggers"),
  CMD: {
    name: "CMD",
    subjects: ["aiep.*.cmd.>"],
    description: "Commands to services",
    maxAgeSeconds: 7 * DAY,
    maxBytes: GiB,
    maxMessageBytes: 512 * KiB,
    duplicateWindowSeconds: 600,
    protect: true,
  },
  DLQ: {
    name: "DLQ",
    subjects: ["aiep.*.dlq.>"],
    description: "Dead letters, kept for an administrator (D9)",
    maxAgeSeconds: 30 * DAY,
    maxBytes: GiB,
    maxMessageBytes: 1024 * KiB,
    duplicateWindowSeconds: 600,
    protect: false,
  },
  LOG: {
    name: "LOG",
    subjects: ["aiep.*.log.>"],
    description: "Log batches between agents and the log store; trimmed once stored",
    maxAgeSeconds: 7 * DAY,
    maxBytes: 4 * GiB,
    maxMessageBytes: 1024 * KiB,
    duplicateWindowSeconds: 120,
    protect: false,
  },
} as const satisfies Record<string, StreamDefinition>;
export type StreamName = keyof typeof STREAMS;

export interface ConsumerDefinition {
  readonly stream: StreamName;
  /** Durable name; also the token in the dead-letter subject. */
  readonly durable: string;
  readonly service: string;
  readonly filterSubject: string;
  readonly ackWaitSeconds: number;
  readonly maxDeliver: number;
  readonly maxAckPending: number;
}

export const CONSUMERS = {
  /** Commands to task-svc. */
  taskCommands: {
    stream: "CMD",
    durable: "task-svc",
    service: "task-svc",
    filterSubject: "aiep.*.cmd.task-svc.>",
    ackWaitSeconds: 30,
    maxDeliver: 20,
    maxAckPending: 500,
  },
  /** Commands to workflow-svc. */
  workflowCommands: {
    stream: "CMD",
    durable: "workflow-svc",
    service: "workflow-svc",
    filterSubject: "aiep.*.cmd.workflow-svc.>",
    ackWaitSeconds: 30,
    maxDeliver: 20,
    maxAckPending: 500,
  },
  /** What happens to the container tasks of runs. */
  workflowTasks: {
    stream: "TASK",
    durable: "workflow-tasks",
    service: "workflow-svc",
    filterSubject: "aiep.*.evt.task.>",
    ackWaitSeconds: 30,
    maxDeliver: 20,
    maxAckPending: 1000,
  },
  /** Commands to scheduler-bridge. */
  scheduleCommands: {
    stream: "CMD",
    durable: "scheduler-bridge",
    service: "scheduler-bridge",
    filterSubject: "aiep.*.cmd.scheduler-bridge.>",
    ackWaitSeconds: 30,
    maxDeliver: 20,
    maxAckPending: 500,
  },
  /** What scheduler-bridge knows of experiments and of its runs; also what event triggers see of them. */
  scheduleRuns: {
    stream: "WORKFLOW",
    durable: "scheduler-bridge",
    service: "scheduler-bridge",
    filterSubject: "aiep.*.evt.workflow.>",
    ackWaitSeconds: 30,
    maxDeliver: 20,
    maxAckPending: 1000,
  },
  /** Task events for event triggers. */
  scheduleTasks: {
    stream: "TASK",
    durable: "scheduler-bridge",
    service: "scheduler-bridge",
    filterSubject: "aiep.*.evt.task.>",
    ackWaitSeconds: 30,
    maxDeliver: 20,
    maxAckPending: 1000,
  },
  /** Outside events, and those of scheduling itself, for event triggers. */
  scheduleEvents: {
    stream: "SCHEDULE",
    durable: "scheduler-bridge",
    service: "scheduler-bridge",
    filterSubject: "aiep.*.evt.schedule.>",
    ackWaitSeconds: 30,
    maxDeliver: 20,
    maxAckPending: 1000,
  },
  /** Start commands that died with workflow-svc, so that nothing waits for their runs. Handled until it works: a letter never dies. */
  scheduleDeadStarts: {
    stream: "DLQ",
    durable: "scheduler-bridge",
    service: "scheduler-bridge",
    filterSubject: "aiep.*.dlq.workflow-svc.workflow-svc",
    ackWaitSeconds: 30,
    maxDeliver: -1,
    maxAckPending: 500,
  },
  /** log-svc's projection of tasks: whose they are and whether they ended. */
  logTasks: {
    stream: "TASK",
    durable: "log-svc",
    service: "log-svc",
    filterSubject: "aiep.*.evt.task.>",
    ackWaitSeconds: 30,
    maxDeliver: 20,
    maxAckPending: 1000,
  },
  /**
   * The log store. It acknowledges within five seconds, at once when half of `maxAckPending` waits; after its crash readers
   * wait this long for what it held.
   */
  logBatches: {
    stream: "LOG",
    durable: "log-store",
    service: "log-svc",
    filterSubject: "aiep.*.log.>",
    ackWaitSeconds: 10,
    maxDeliver: -1,
    maxAckPending: 10_000,
  },
} as const satisfies Record<string, ConsumerDefinition>;
