import { STREAMS, taskRunning, taskUpdated } from "@aiep/contracts";
import { type NatsServer, startNats, testDatabase, waitFor } from "@aiep/dev-servers";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { type Bus, connectBus } from "../bus/bus.ts";
import { applyTopology } from "../bus/topology.ts";
import { createFailpoints } from "../failpoints/failpoints.ts";
import { CommitQueue } from "../sql/commit-queue.ts";
import { createSqlPool, type SqlPool } from "../sql/pool.ts";
import { sql } from "../sql/sql.ts";
import { SERVICE_KIT_DDL } from "./ddl.ts";
import { newOutboxRecord, type OutboxRecord, outboxInsert } from "./record.ts";
import { createOutboxRelay, type OutboxRelay, type OutboxRelayDeps } from "./relay.ts";

const log = pino({ level: "silent" });
const STREAM = { ...STREAMS.TASK, maxBytes: 16 * 1024 * 1024 };

const hex = (n: number) => n.toString(16).padStart(32, "0");

export function taskEvent(
  task: number,
  version: number,
  extra: { message?: string; group?: string } = {},
): OutboxRecord {
  const now = new Date();
  return newOutboxRecord({
    definition: version === 1 ? taskRunning : taskUpdated,
    groupId: extra.group ?? "g1",
    aggregateType: "task",
    aggregateId: hex(task),
    aggregateVersion: version,
    env: "test",
    source: "/aiep/test",
    now,
    data: {
      task_id: hex(task),
      group_id: extra.group ?? "g1",
      name: "训练",
      state: "Running",
      reason: "Running",
      message: extra.message ?? "运行中",
      attempt: 1,
      nodes: [],
      started_at: now.toISOString(),
      finished_at: null,
    },
  });
}

interface World extends AsyncDisposable {
  readonly nats: NatsServer;
  readonly bus: Bus;
  readonly pool: SqlPool;
  relay(more?: Partial<OutboxRelayDeps>): OutboxRelay;
}

async function world(): Promise<World> {
  const nats = await startNats();
  const database = await testDatabase();
  const pool = createSqlPool({ url: database.url });
  for (const statement of SERVICE_KIT_DDL) await pool.execute(statement);
  const bus = await connectBus({ url: nats.url, name: "test", log });
  await applyTopology(bus, { streams: [STREAM], consumers: [] });
  const relays: OutboxRelay[] = [];
  return {
    nats,
    bus,
    pool,
    relay: (more = {}) => {
      const relay = createOutboxRelay({
        service: "test",
        pool,
        bus,
        log,
        leaseMs: 1_000,
        sweepMs: 100,
        ...more,
      });
      relays.push(relay);
      return relay;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(relays.map((relay) => relay.stop()));
      await bus.close();
      await pool.close();
      await database.drop();
      await nats[Symbol.asyncDispose]();
    },
  };
}

interface Seen {
  readonly seq: number;
  readonly id: string;
  readonly aggregate: string;
  readonly version: number;
}

/** Everything in the stream, in order. */
async function stored(bus: Bus): Promise<Seen[]> {
  const { state } = await bus.jsm.streams.info("TASK");
  const seen: Seen[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq && state.messages > 0; seq += 1) {
    const message = await bus.jsm.streams.getMessage("TASK", { seq });
    if (message === null) continue;
    seen.push({
      seq,
      id: message.header.get("ce-id"),
      aggregate: message.header.get("ce-aggregateid"),
      version: Number(message.header.get("ce-aggregateversion")),
    });
  }
  return seen;
}

const nothingWaits = async (relay: OutboxRelay) => (await relay.lag()).rows === 0;
const insertAll = async (pool: SqlPool, records: readonly OutboxRecord[]) => {
  await pool.multi(["START TRANSACTION", ...records.map(outboxInsert), "COMMIT"]);
};

/** Versions of each aggregate are 1, 2, 3 … in stream order; ids that repeat count once. */
function expectInOrder(events: readonly Seen[], aggregates: number, versions: number): void {
  const byAggregate = new Map<string, number[]>();
  const ids = new Set<string>();
  for (const { id, aggregate, version } of events) {
    if (ids.has(id)) continue;
    ids.add(id);
    byAggregate.set(aggregate, [...(byAggregate.get(aggregate) ?? []), version]);
  }
  expect(byAggregate.size).toBe(aggregates);
  for (const seen of byAggregate.values())
    expect(seen).toEqual(Array.from({ length: versions }, (_, i) => i + 1));
}

describe("outbox relay", () => {
  test("what is committed is published once, in the order of each aggregate", async () => {
    await using w = await world();
    const relay = w.relay();
    const queue = new CommitQueue({ pool: w.pool, onCommitted: (written) => relay.wake(written) });
    relay.start();
    const commits: Promise<void>[] = [];
    for (let version = 1; version <= 5; version += 1) {
      for (let task = 1; task <= 40; task += 1) {
        commits.push(queue.commit({ key: hex(task), statements: [outboxInsert(taskEvent(task, version))] }));
      }
    }
    await Promise.all(commits);
    await waitFor("nothing waits", () => nothingWaits(relay));
    const events = await stored(w.bus);
    expect(events).toHaveLength(200);
    expectInOrder(events, 40, 5);
  });

  test("a commit that was not announced is found by the sweep", async () => {
    await using w = await world();
    const relay = w.relay();
    relay.start();
    await insertAll(w.pool, [taskEvent(1, 1)]);
    await waitFor("nothing waits", () => nothingWaits(relay));
    expect(await stored(w.bus)).toHaveLength(1);
  });

  test("what this process commits is published without reading the table, which others' rows wait for", async () => {
    await using w = await world();
    const relay = w.relay({ sweepMs: 600_000 });
    const queue = new CommitQueue({ pool: w.pool, onCommitted: (written) => relay.wake(written) });
    const commit = async (task: number, version: number) =>
      await queue.commit({ statements: [outboxInsert(taskEvent(task, version))] });
    const publishes = async (count: number) =>
      await waitFor(`${count} are published`, async () => (await stored(w.bus)).length === count);
    relay.start();
    await commit(1, 1);
    await publishes(1);
    await insertAll(w.pool, [taskEvent(2, 1), taskEvent(1, 3)]);
    await commit(1, 2);
    await commit(3, 1);
    await publishes(3);
    expect((await stored(w.bus)).map(({ aggregate }) => aggregate)).not.toContain(hex(2));
    await commit(1, 4); // does not follow what was published: the table knows what lies between
    await publishes(6);
    expectInOrder(
      (await stored(w.bus)).filter(({ aggregate }) => aggregate === hex(1)),
      1,
      4,
    );
  });

  test("two relays at once publish each event once: only one holds the lease, the next one takes over", async () => {
    await using w = await world();
    const [first, second] = [w.relay(), w.relay()];
    first.start();
    second.start();
    await insertAll(
      w.pool,
      Array.from({ length: 100 }, (_, task) => taskEvent(task, 1)),
    );
    await waitFor("nothing waits", () => nothingWaits(first));
    await first.stop();
    await insertAll(
      w.pool,
      Array.from({ length: 100 }, (_, task) => taskEvent(task, 2)),
    );
    await waitFor("nothing waits", () => nothingWaits(second));
    const events = await stored(w.bus);
    expect(events).toHaveLength(200);
    expectInOrder(events, 100, 2);
  });

  test("two leaders side by side double nothing: the stream keeps one message an id", async () => {
    await using w = await world();
    const [first, second] = [w.relay({ service: "a" }), w.relay({ service: "b" })];
    first.start();
    second.start();
    await insertAll(
      w.pool,
      Array.from({ length: 200 }, (_, task) => taskEvent(task, 1)),
    );
    await waitFor("nothing waits", () => nothingWaits(first));
    await first.stop();
    await second.stop();
    expectInOrder(await stored(w.bus), 200, 1);
    expect((await stored(w.bus)).length).toBe(200);
  });

  test("published but not marked goes out again and is stored once", async () => {
    await using w = await world();
    const failpoints = createFailpoints({ spec: "outbox.published-not-marked=error#1" });
    const relay = w.relay({ failpoints });
    relay.start();
    await insertAll(w.pool, [taskEvent(1, 1), taskEvent(1, 2)]);
    await waitFor("nothing waits", () => nothingWaits(relay));
    expect(failpoints.hits("outbox.published-not-marked")).toBeGreaterThan(1);
    expectInOrder(await stored(w.bus), 1, 2);
    expect(await stored(w.bus)).toHaveLength(2);
  });

  test("a server that was killed gets everything when it is back", async () => {
    await using w = await world();
    const relay = w.relay();
    relay.start();
    await insertAll(
      w.pool,
      Array.from({ length: 50 }, (_, task) => taskEvent(task, 1)),
    );
    await w.nats.kill9();
    await insertAll(
      w.pool,
      Array.from({ length: 50 }, (_, task) => taskEvent(task, 2)),
    );
    relay.wake();
    await w.nats.start();
    await waitFor("nothing waits", () => nothingWaits(relay), { timeoutMs: 30_000 });
    expectInOrder(await stored(w.bus), 50, 2);
  });

  test("a stream that was wiped while the server was down is filled again from history, in order (D5)", async () => {
    await using w = await world();
    const relay = w.relay();
    relay.start();
    await insertAll(
      w.pool,
      Array.from({ length: 30 }, (_, task) => taskEvent(task, 1)),
    );
    await insertAll(
      w.pool,
      Array.from({ length: 30 }, (_, task) => taskEvent(task, 2)),
    );
    await waitFor("nothing waits", () => nothingWaits(relay));
    await w.nats.stop();
    await w.nats.wipeStore();
    await w.nats.start();
    await insertAll(
      w.pool,
      Array.from({ length: 30 }, (_, task) => taskEvent(task, 3)),
    );
    await waitFor(
      "the topology is there again",
      async () => await applyTopology(w.bus, { streams: [STREAM], consumers: [] }),
    );
    await waitFor("all 90 are stored", async () => (await stored(w.bus)).length === 90, {
      timeoutMs: 30_000,
    });
    await waitFor("nothing waits", () => nothingWaits(relay));
    expectInOrder(await stored(w.bus), 30, 3);
  });

  test("a stream is remembered before its first event is published, and no memory means publish all again", async () => {
    await using w = await world();
    const failpoints = createFailpoints({ spec: "outbox.published-not-marked=pause(1500)" });
    w.relay({ failpoints }).start();
    await insertAll(w.pool, [taskEvent(1, 1)]);
    await waitFor(
      "it is published and not marked",
      () => failpoints.hits("outbox.published-not-marked") === 1,
    );
    expect(await w.pool.query("SELECT stream FROM relay_state")).toEqual([{ stream: "TASK" }]);
    await w.pool.multi(["DELETE FROM relay_state", "UPDATE outbox SET published_at = '2020-01-01'"]);
    w.relay({ service: "another" }).start();
    await waitFor("history was published again", async () => {
      const rows = await w.pool.query("SELECT id FROM outbox WHERE published_at > '2021-01-01'");
      return rows.length === 1;
    });
  });

  test("a stream that went back behind what was acknowledged is filled again", async () => {
    await using w = await world();
    const first = w.relay();
    first.start();
    await insertAll(
      w.pool,
      Array.from({ length: 10 }, (_, task) => taskEvent(task, 1)),
    );
    await waitFor("nothing waits", () => nothingWaits(first));
    await waitFor("the highest sequence is known", async () => {
      const [row] = await w.pool.query<{ acked_seq: number }>("SELECT acked_seq FROM relay_state");
      return row?.acked_seq === 10;
    });
    await first.stop();
    await w.pool.execute("UPDATE relay_state SET acked_seq = acked_seq + 5");
    const [before] = await w.pool.query<{ n: number }>(
      "SELECT COUNT(*) AS n FROM outbox WHERE published_at IS NULL",
    );
    expect(before?.n).toBe(0);
    await w.pool.execute("UPDATE outbox SET published_at = '2020-01-01'");
    const second = w.relay();
    second.start();
    await waitFor("history was published again", async () => {
      const [row] = await w.pool.query<{ n: number }>(
        "SELECT COUNT(*) AS n FROM outbox WHERE published_at > '2021-01-01'",
      );
      return row?.n === 10;
    });
  });

  test("an event too large for the stream is parked with its aggregate; all others go on (I12)", async () => {
    await using w = await world();
    await w.bus.jsm.streams.update("TASK", { max_msg_size: 8_192 });
    const relay = w.relay();
    relay.start();
    await insertAll(w.pool, [
      taskEvent(1, 1, { message: "x".repeat(20_000), group: "poison" }),
      taskEvent(1, 2, { group: "poison" }),
      ...Array.from({ length: 20 }, (_, task) => taskEvent(task + 2, 1)),
    ]);
    await waitFor("nothing waits", () => nothingWaits(relay));
    await insertAll(w.pool, [taskEvent(1, 3, { group: "poison" }), taskEvent(2, 2)]);
    await waitFor("nothing waits", () => nothingWaits(relay));
    expect(await relay.lag()).toMatchObject({ parked: 3 });
    const events = await stored(w.bus);
    expect(events.filter((event) => event.aggregate === hex(1))).toEqual([]);
    expect(events).toHaveLength(21);
    const [row] = await w.pool.query<{ error: string }>(
      "SELECT error FROM outbox WHERE aggregate_id = ? LIMIT 1",
      [hex(1)],
    );
    expect(row?.error).toContain("larger than the stream allows");
  });

  test("a full stream pushes back: events wait in the outbox and go out when there is room", async () => {
    await using w = await world();
    await w.bus.jsm.streams.update("TASK", { max_bytes: 20_000 });
    const relay = w.relay();
    relay.start();
    await insertAll(
      w.pool,
      Array.from({ length: 50 }, (_, task) => taskEvent(task, 1)),
    );
    await waitFor("some wait", async () => {
      const { rows } = await relay.lag();
      return rows > 0 && rows < 50;
    });
    await w.bus.jsm.streams.update("TASK", { max_bytes: 1_000_000 });
    await waitFor("nothing waits", () => nothingWaits(relay), { timeoutMs: 30_000 });
    expectInOrder(await stored(w.bus), 50, 1);
  });

  test("old history is purged, except what the service still wants", async () => {
    await using w = await world();
    const first = w.relay();
    first.start();
    await insertAll(w.pool, [taskEvent(1, 1), taskEvent(2, 1)]);
    await waitFor("nothing waits", () => nothingWaits(first));
    await first.stop();
    await w.pool.execute("UPDATE outbox SET published_at = '2020-01-01'");
    w.relay({ purge: { olderThanMs: 1_000, where: sql("aggregate_id <> ?", [hex(2)]) } }).start();
    await waitFor("one is gone", async () => (await w.pool.query("SELECT id FROM outbox")).length === 1);
    const [row] = await w.pool.query<{ aggregate_id: string }>("SELECT aggregate_id FROM outbox");
    expect(row?.aggregate_id).toBe(hex(2));
  });

  test("a second writer of a version is rolled back by the outbox itself", async () => {
    await using w = await world();
    const queue = new CommitQueue({ pool: w.pool });
    const write = () => queue.commit({ statements: [outboxInsert(taskEvent(1, 1))] });
    const results = await Promise.allSettled([write(), write()]);
    expect(results.map((result) => result.status).sort()).toEqual(["fulfilled", "rejected"]);
    const rejected = results.find((result) => result.status === "rejected");
    expect(rejected).toMatchObject({ reason: { name: "DuplicateKeyError", key: "outbox_aggregate" } });
  });

  test("negative control: with the outbox switched off an event whose publish fails is lost", async () => {
    await using w = await world();
    const relay = w.relay({ unsafe: new Set(["outbox"] as const) });
    await w.bus.jsm.streams.update("TASK", { max_bytes: 1_000 });
    relay.start();
    await insertAll(
      w.pool,
      Array.from({ length: 10 }, (_, task) => taskEvent(task, 1)),
    );
    await waitFor("nothing waits", () => nothingWaits(relay));
    expect((await stored(w.bus)).length).toBeLessThan(10);
  });
});
