import {
  CONSUMERS,
  type ConsumerDefinition,
  STREAMS,
  stopTask,
  TASK_COMMANDS,
  TASK_EVENTS,
  taskRunning,
  taskUpdated,
} from "@aiep/contracts";
import { type NatsServer, startDatabase, startNats, testDatabase, waitFor } from "@aiep/dev-servers";
import fc from "fast-check";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { type Bus, connectBus } from "../bus/bus.ts";
import { createDeadLetters } from "../bus/dead-letters.ts";
import { natsPermissions } from "../bus/permissions.ts";
import { commandMessage, publishMessage } from "../bus/publish.ts";
import { applyTopology } from "../bus/topology.ts";
import type { UnsafeSwitch } from "../failpoints/unsafe.ts";
import { SERVICE_KIT_DDL } from "../outbox/ddl.ts";
import { newOutboxRecord } from "../outbox/record.ts";
import { CommitQueue } from "../sql/commit-queue.ts";
import { createSqlPool, type SqlPool } from "../sql/pool.ts";
import { type Sql, sql } from "../sql/sql.ts";
import { type Consumer, createCommandConsumer, createEventConsumer, type EventMessage } from "./consumer.ts";

const log = pino({ level: "silent" });
const small = 16 * 1024 * 1024;
const streams = [STREAMS.TASK, STREAMS.CMD, STREAMS.DLQ].map((stream) => ({ ...stream, maxBytes: small }));
const events: ConsumerDefinition = { ...CONSUMERS.logTasks, maxDeliver: 3 };
const commands: ConsumerDefinition = { ...CONSUMERS.taskCommands, maxDeliver: 3 };
const hex = (n: number) => n.toString(16).padStart(32, "0");
const TALLY =
  "CREATE TABLE tally (id INT AUTO_INCREMENT PRIMARY KEY, task VARCHAR(64) NOT NULL, version INT NOT NULL)";

type AnyTaskEvent = EventMessage<(typeof TASK_EVENTS)[number]>;
const tally = ({ envelope }: AnyTaskEvent): Sql[] => [
  sql("INSERT INTO tally (task, version) VALUES (?, ?)", [envelope.aggregate_id, envelope.aggregate_version]),
];

interface World extends AsyncDisposable {
  readonly nats: NatsServer;
  readonly bus: Bus;
  readonly pool: SqlPool;
  events(
    handler?: (message: AnyTaskEvent) => Sql[] | Promise<Sql[]>,
    unsafe?: readonly UnsafeSwitch[],
    definition?: ConsumerDefinition,
  ): Consumer;
  commands(handler: (id: string) => Sql[] | Promise<Sql[]>, unsafe?: readonly UnsafeSwitch[]): Consumer;
}

async function world(given?: { readonly url: string; drop(): Promise<void> }): Promise<World> {
  const nats = await startNats();
  const database = given ?? (await testDatabase());
  const pool = createSqlPool({ url: database.url, statementTimeoutMs: 2_000 });
  for (const statement of [...SERVICE_KIT_DDL, TALLY]) await pool.execute(statement);
  const bus = await connectBus({ url: nats.url, name: "test", log });
  await applyTopology(bus, { streams, consumers: [events, commands] });
  const running: Consumer[] = [];
  const add = (consumer: Consumer): Consumer => {
    running.push(consumer);
    return consumer;
  };
  const common = { bus, pool, log, env: "test" };
  return {
    nats,
    bus,
    pool,
    events: (handler = tally, unsafe = [], consumer = events) =>
      add(
        createEventConsumer({
          ...common,
          consumer,
          definitions: TASK_EVENTS,
          handler,
          unsafe: new Set(unsafe),
        }),
      ),
    commands: (handler, unsafe = []) =>
      add(
        createCommandConsumer({
          ...common,
          consumer: commands,
          definitions: TASK_COMMANDS,
          handler: ({ envelope }) => handler(envelope.id),
          unsafe: new Set(unsafe),
        }),
      ),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(running.map((consumer) => consumer.stop()));
      await bus.close();
      await pool.close();
      await database.drop();
      await nats[Symbol.asyncDispose]();
    },
  };
}

/** The durable as production has it: a gap gets over a minute before its last delivery. */
async function withAllDeliveries(bus: Bus): Promise<ConsumerDefinition> {
  await applyTopology(bus, { streams, consumers: [CONSUMERS.logTasks] });
  return CONSUMERS.logTasks;
}

let copies = 0;

/** Each call is a message of its own for the broker, also for a version already sent: what its window would let through. */
async function send(bus: Bus, task: number, version: number, group = "g1", env = "test"): Promise<void> {
  const now = new Date();
  const record = newOutboxRecord({
    definition: version === 1 ? taskRunning : taskUpdated,
    groupId: group,
    aggregateType: "task",
    aggregateId: hex(task),
    aggregateVersion: version,
    env,
    source: "/aiep/test",
    now,
    data: {
      task_id: hex(task),
      group_id: group,
      name: "训练",
      state: "Running",
      reason: "Running",
      message: "运行中",
      attempt: 1,
      nodes: [],
      started_at: now.toISOString(),
      finished_at: null,
    },
  });
  copies += 1;
  await publishMessage(bus, { id: `copy-${copies}`, stream: "TASK", ...pick(record) });
}

const pick = ({
  subject,
  headers,
  payload,
}: {
  subject: string;
  headers: Record<string, string>;
  payload: string;
}) => ({
  subject,
  headers,
  payload,
});

async function seen(pool: SqlPool): Promise<Record<string, number[]>> {
  const rows = await pool.query<{ task: string; version: number }>(
    "SELECT task, version FROM tally ORDER BY id",
  );
  const byTask: Record<string, number[]> = {};
  for (const { task, version } of rows) byTask[task] = [...(byTask[task] ?? []), version];
  return byTask;
}

const upTo = (version: number) => Array.from({ length: version }, (_, index) => index + 1);
const isSettled = async (bus: Bus, { stream, durable }: ConsumerDefinition) => {
  const info = await bus.jsm.consumers.info(stream, durable);
  return info.num_pending === 0 && info.num_ack_pending === 0;
};
const settled = async (bus: Bus, consumer: ConsumerDefinition) =>
  await waitFor("everything is settled", () => isSettled(bus, consumer), { timeoutMs: 30_000 });

describe("event consumer", () => {
  test("whatever order and however often versions arrive, each is applied once and in order (D6, I6)", async () => {
    await using w = await world();
    w.events(tally, [], await withAllDeliveries(w.bus)).start();
    let next = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 6 }), async (noise) => {
        next += 1;
        const task = next;
        const order = [...noise, 1, 2, 3, 4];
        for (const version of order) await send(w.bus, task, version);
        await waitFor(`task ${task} is at 4`, async () => (await seen(w.pool))[hex(task)]?.at(-1) === 4, {
          timeoutMs: 30_000,
        });
        expect((await seen(w.pool))[hex(task)]).toEqual(upTo(4));
      }),
      { numRuns: 8 },
    );
  });

  test("a durable that is rewound applies nothing twice", async () => {
    await using w = await world();
    const first = w.events();
    first.start();
    for (let task = 1; task <= 30; task += 1) for (const version of upTo(3)) await send(w.bus, task, version);
    await settled(w.bus, events);
    await first.stop();
    await w.bus.jsm.consumers.delete(events.stream, events.durable);
    await applyTopology(w.bus, { streams, consumers: [events] });
    w.events().start();
    await settled(w.bus, events);
    expect(Object.values(await seen(w.pool))).toEqual(Array.from({ length: 30 }, () => upTo(3)));
  });

  test("two instances of a service share a durable and still apply each version once", async () => {
    await using w = await world();
    const patient = await withAllDeliveries(w.bus);
    w.events(tally, [], patient).start();
    w.events(tally, [], patient).start();
    for (let task = 1; task <= 20; task += 1) for (const version of upTo(4)) await send(w.bus, task, version);
    await waitFor("all are applied", async () => Object.values(await seen(w.pool)).flat().length === 80, {
      timeoutMs: 30_000,
    });
    expect(Object.values(await seen(w.pool))).toEqual(Array.from({ length: 20 }, () => upTo(4)));
  });

  test("a paced consumer takes the first event at once and gathers those after it, a full batch at most", async () => {
    await using w = await world();
    const batches: number[] = [];
    const consumer = createEventConsumer({
      ...{ bus: w.bus, pool: w.pool, log, env: "test", definitions: TASK_EVENTS, handler: tally },
      consumer: events,
      batchSize: 4,
      paceMs: 600_000,
      committed: (messages) => batches.push(messages.length),
    });
    consumer.start();
    await send(w.bus, 1, 1);
    await waitFor("the first is applied", () => batches.length === 1);
    for (const version of [2, 3, 4, 5]) await send(w.bus, 1, version);
    await waitFor("the rest is applied", () => batches.length === 2);
    await consumer.stop(); // also while it gathers
    expect(batches).toEqual([1, 4]);
    expect(await seen(w.pool)).toEqual({ [hex(1)]: upTo(5) });
  });

  test("one poison event fails alone, ends in the DLQ with its reason and is redriven once it can be handled (D9, I12)", async () => {
    await using w = await world();
    let broken = true;
    const consumer = w.events((message) => {
      if (broken && message.envelope.group_id === "poison") throw new RangeError("a secret value");
      return tally(message);
    });
    consumer.start();
    await send(w.bus, 99, 1, "poison");
    for (let task = 1; task <= 20; task += 1) await send(w.bus, task, 1);
    await settled(w.bus, events);
    expect(Object.keys(await seen(w.pool))).toHaveLength(20);
    const letters = createDeadLetters({ bus: w.bus, service: "log-svc", env: "test", consumers: [consumer] });
    const { items } = await letters.list({ limit: 10 });
    expect(items).toMatchObject([
      { consumer: events.durable, stream: "TASK", deliveries: 3, type: taskRunning.type },
    ]);
    expect(items[0]?.reason).toContain("RangeError");
    expect(items[0]?.reason).not.toContain("secret");
    const id = items[0]?.id ?? "";
    await expect(letters.redrive(id)).rejects.toThrow(RangeError);
    broken = false;
    await letters.redrive(id);
    expect((await seen(w.pool))[hex(99)]).toEqual([1]);
    expect((await letters.list({ limit: 10 })).items).toEqual([]);
    await expect(letters.redrive(id)).rejects.toMatchObject({ code: "DEAD_LETTER_NOT_FOUND" });
  });

  test("garbage, an unknown major and a version with no predecessor are dead letters; pages list them oldest first", async () => {
    await using w = await world();
    const consumer = w.events();
    consumer.start();
    const subject = `aiep.test.evt.task.g1.${hex(1)}.running`;
    await publishMessage(w.bus, {
      id: "a",
      stream: "TASK",
      subject,
      headers: {},
      payload: new Uint8Array([255, 0]),
    });
    const headers = { "ce-type": "aiep.task.running.v9", "ce-source": "/x", "ce-id": "%ZZ" };
    await publishMessage(w.bus, { id: "b", stream: "TASK", subject, headers, payload: "{}" });
    await send(w.bus, 5, 7);
    await send(w.bus, 6, 1);
    await send(w.bus, 7, 1, "g1", "other");
    await settled(w.bus, events);
    expect(await seen(w.pool)).toEqual({ [hex(6)]: [1] });
    const letters = createDeadLetters({ bus: w.bus, service: "log-svc", env: "test", consumers: [consumer] });
    const first = await letters.list({ limit: 2 });
    const second = await letters.list({ limit: 2, cursor: first.next_cursor ?? undefined });
    const reasons = [...first.items, ...second.items].map((letter) => letter.reason);
    expect(reasons).toHaveLength(3);
    expect(reasons.join("\n")).toMatch(/MESSAGE_INVALID[\s\S]*MESSAGE_INVALID[\s\S]*version 7 came while 0/);
    expect(second.next_cursor).toBeNull();
    await expect(letters.list({ limit: 2, cursor: "x" })).rejects.toMatchObject({ code: "BAD_CURSOR" });
  });

  test("an outage of the database spends no deliveries: nothing becomes a dead letter, all is applied after it", async () => {
    await using server = await startDatabase();
    const database = await server.createDatabase();
    await using w = await world({ url: database.url, drop: async () => {} });
    const consumer = w.events();
    consumer.start();
    await send(w.bus, 1, 1);
    await settled(w.bus, events);
    await server.kill9();
    for (let task = 2; task <= 20; task += 1) await send(w.bus, task, 1);
    await waitFor("messages are in hand", async () => {
      const info = await w.bus.jsm.consumers.info(events.stream, events.durable);
      return info.num_ack_pending > 0;
    });
    await server.start();
    await settled(w.bus, events);
    expect(Object.keys(await seen(w.pool))).toHaveLength(20);
    const letters = createDeadLetters({ bus: w.bus, service: "log-svc", env: "test", consumers: [consumer] });
    expect((await letters.list({ limit: 10 })).items).toEqual([]);
    const info = await w.bus.jsm.consumers.info(events.stream, events.durable);
    expect(info.num_redelivered).toBe(0);
  });

  test("a server that was killed and came back is pulled from again", async () => {
    await using w = await world();
    w.events().start();
    await send(w.bus, 1, 1);
    await settled(w.bus, events);
    await w.nats.kill9();
    await w.nats.start();
    await waitFor("publishing works again", async () => {
      await send(w.bus, 2, 1);
      return true;
    });
    await waitFor("it is applied", async () => (await seen(w.pool))[hex(2)] !== undefined, {
      timeoutMs: 30_000,
    });
  });

  test("negative control: without the version check a duplicate is applied twice", async () => {
    await using w = await world();
    w.events(tally, ["version-check"]).start();
    for (const version of [1, 1, 2]) await send(w.bus, 1, version);
    await settled(w.bus, events);
    expect((await seen(w.pool))[hex(1)]).not.toEqual(upTo(2));
  });
});

describe("command consumer", () => {
  const stop = (id: string) =>
    commandMessage({
      definition: stopTask,
      data: { task_id: hex(1), requested_by: "爱丽丝" },
      id,
      env: "test",
      source: "/aiep/测试",
      authId: '爱丽丝 "100%"',
      now: new Date(),
    });
  const sendCommand = async (bus: Bus, id: string) => {
    copies += 1;
    const message = stop(id);
    await publishMessage(bus, { ...message, id: `copy-${copies}` });
  };
  const count = (id: string) => [sql("INSERT INTO tally (task, version) VALUES (?, 1)", [id])];

  test("a command that arrives several times has its effects once (D8)", async () => {
    await using w = await world();
    w.commands(count).start();
    for (let copy = 0; copy < 4; copy += 1) for (const id of ["a", "b", "c"]) await sendCommand(w.bus, id);
    await settled(w.bus, commands);
    expect(await seen(w.pool)).toEqual({ a: [1], b: [1], c: [1] });
  });

  test("I2: so has one whose handler commits the inbox row with its own changes, also told several times at once", async () => {
    await using w = await world();
    const commits = new CommitQueue({ pool: w.pool });
    let calls = 0;
    const consumer = createCommandConsumer({
      ...{ bus: w.bus, pool: w.pool, log, env: "test", consumer: commands, definitions: TASK_COMMANDS },
      joined: [stopTask],
      handler: async ({ envelope, once }) => {
        calls += 1;
        await commits.commit({ statements: [...once, ...count(envelope.id)] });
        return [];
      },
    });
    consumer.start();
    for (let copy = 0; copy < 4; copy += 1) for (const id of ["a", "b", "c"]) await sendCommand(w.bus, id);
    await settled(w.bus, commands);
    await consumer.stop();
    expect(calls).toBe(12);
    expect(await seen(w.pool)).toEqual({ a: [1], b: [1], c: [1] });
  });

  test("negative control: without the inbox it has them several times", async () => {
    await using w = await world();
    w.commands(count, ["inbox"]).start();
    for (let copy = 0; copy < 4; copy += 1) await sendCommand(w.bus, "a");
    await settled(w.bus, commands);
    expect((await seen(w.pool))["a"]?.length).toBeGreaterThan(1);
  });

  test("a handler that fails once is called again and its command leaves no trace in between", async () => {
    await using w = await world();
    let calls = 0;
    w.commands((id) => {
      calls += 1;
      if (calls === 1) throw new TypeError("first time");
      return count(id);
    }).start();
    await sendCommand(w.bus, "a");
    await settled(w.bus, commands);
    expect(await seen(w.pool)).toEqual({ a: [1] });
    expect(calls).toBe(2);
  });
});

test("least-privilege users do their own work, and no other (D10)", async () => {
  const users = (["task-svc", "log-svc", "topology"] as const).map((role) => ({
    ...natsPermissions(role),
    password: "p",
  }));
  await using nats = await startNats({ users });
  await using database = await testDatabase();
  await using pool = createSqlPool({ url: database.url });
  for (const statement of [...SERVICE_KIT_DDL, TALLY]) await pool.execute(statement);
  const as = async (user: string) =>
    await connectBus({ url: nats.url, user, password: "p", name: user, log });
  await using admin = await as("topology");
  await applyTopology(admin, { streams, consumers: [events, commands] });
  await using taskSvc = await as("task-svc");
  await using logSvc = await as("log-svc");
  const consumer = createEventConsumer({
    bus: logSvc,
    consumer: events,
    definitions: TASK_EVENTS,
    handler: tally,
    pool,
    log,
    env: "test",
  });
  consumer.start();
  await send(taskSvc, 1, 1);
  await send(taskSvc, 2, 5);
  const letters = createDeadLetters({ bus: logSvc, service: "log-svc", env: "test", consumers: [consumer] });
  await waitFor(
    "the gap is a dead letter",
    async () => (await letters.list({ limit: 5 })).items.length === 1,
    {
      timeoutMs: 30_000,
    },
  );
  await settled(admin, events);
  await consumer.stop();
  expect(await seen(pool)).toEqual({ [hex(1)]: [1] });
  await expect(send(logSvc, 3, 1)).rejects.toMatchObject({ name: "PublishError" });
  await expect(
    applyTopology(taskSvc, { streams: [{ ...STREAMS.LOG, maxBytes: small }], consumers: [] }),
  ).rejects.toThrow();
  await expect(as("nobody")).rejects.toMatchObject({ code: "DEPENDENCY_UNAVAILABLE" });
});
