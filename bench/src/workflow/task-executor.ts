/**
 * A service in task-svc's place that executes nothing: every submitted task ends well at once, told by its one terminal event
 * through an outbox like any service's. What is left is the way over the bus. Environment: what `stack env task-svc` prints.
 */
import {
  CONSUMERS,
  type DataOf,
  submitTask,
  TASK_COMMANDS,
  taskIdOfCommand,
  taskSucceeded,
} from "@aiep/contracts";
import {
  type CommandMessage,
  CommitQueue,
  connectBus,
  createCommandConsumer,
  createLogger,
  createOutboxRelay,
  createSqlPool,
  loadConfig,
  newOutboxRecord,
  outboxInsert,
  serviceEnvironment,
} from "@aiep/service-kit";
import * as z from "zod";

const SERVICE = "task-svc";
const { AIEP_DATABASE_URL, AIEP_NATS_URL, AIEP_NATS_USER, AIEP_NATS_PASSWORD, AIEP_ENV } = serviceEnvironment;
const config = loadConfig(
  z.object({ AIEP_DATABASE_URL, AIEP_NATS_URL, AIEP_NATS_USER, AIEP_NATS_PASSWORD, AIEP_ENV }),
  process.env,
);
const env = config.AIEP_ENV;
const log = createLogger({ service: "task-executor", level: "warn" });
const pool = createSqlPool({ url: config.AIEP_DATABASE_URL });
const bus = await connectBus({
  url: config.AIEP_NATS_URL,
  user: config.AIEP_NATS_USER,
  password: config.AIEP_NATS_PASSWORD,
  name: SERVICE,
  log,
});
const relay = createOutboxRelay({ service: SERVICE, pool, bus, log });
const commits = new CommitQueue({ pool, onCommitted: (written) => relay.wake(written) });
const consumer = createCommandConsumer({
  bus,
  consumer: CONSUMERS.taskCommands,
  pool,
  env,
  definitions: TASK_COMMANDS,
  joined: [submitTask],
  handler: async (command) => {
    if (command.definition !== submitTask) throw new Error("this executor only takes tasks in");
    await commits.commit({ statements: [...command.once, outboxInsert(endOf(command))] });
    return [];
  },
  log,
});

function endOf({ data, envelope }: CommandMessage<(typeof TASK_COMMANDS)[number]>) {
  // The definition says which command it is; the compiler cannot tie it to the data.
  const { metadata } = (data as DataOf<typeof submitTask>).task_config;
  const id = taskIdOfCommand(envelope.id);
  const groupId = envelope.group_id ?? metadata.group_id;
  if (groupId === undefined) throw new Error("a workflow's task has a group");
  const now = new Date();
  return newOutboxRecord({
    definition: taskSucceeded,
    groupId,
    aggregateType: "task",
    aggregateId: id,
    aggregateVersion: 1,
    correlationId: envelope.correlation_id ?? envelope.id,
    causationId: envelope.id,
    env,
    source: "/aiep/task-svc",
    now,
    data: {
      task_id: id,
      group_id: groupId,
      name: metadata.name,
      ...(metadata.experiment_id === undefined ? {} : { experiment_id: metadata.experiment_id }),
      ...(metadata.experiment_run_id === undefined ? {} : { experiment_run_id: metadata.experiment_run_id }),
      state: "Succeeded",
      reason: "Completed",
      message: "",
      attempt: 1,
      nodes: [],
      started_at: now.toISOString(),
      finished_at: now.toISOString(),
    },
  });
}

relay.start();
consumer.start();
process.stdout.write("ready\n");
process.once("SIGTERM", () => {
  void (async () => {
    await consumer.stop();
    await commits.close();
    await relay.stop();
    await bus.close();
    await pool.close();
    process.exit();
  })();
});
