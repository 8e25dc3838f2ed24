import { setTimeout as sleep } from "node:timers/promises";
import { runRunning } from "@aiep/contracts";
import { describe, expect, test } from "vitest";
import { SHARDS, shardOf } from "../domain/shard.ts";
import { openTestStore } from "../testing/database.ts";
import { chainOf, definitionOf, newExperimentId, newRunOf } from "../testing/runs.ts";
import { identityOf } from "./outbox.ts";
import { RunFencedError, type RunStep } from "./owned-runs.ts";
import type { NewRun, RunStatus } from "./run-store.ts";
import { createShardLeases } from "./shard-leases.ts";

const running = (version: number): RunStatus => ({
  version,
  state: "Running",
  reason: null,
  message: null,
  startedAt: new Date("2026-01-01T00:00:00.123Z"),
  finishedAt: null,
  deadlineAt: null,
  pausedAt: null,
});

function stepOf({ facts }: NewRun, epoch: number, version = 1): RunStep {
  const status = running(version + 1);
  const data = {
    ...identityOf(facts),
    state: "Running",
    reason: null,
    message: null,
    nodes: [],
    started_at: "2026-01-01T00:00:00.123Z",
    finished_at: null,
    deadline_at: null,
    paused_at: null,
  };
  return {
    facts,
    epoch,
    version,
    status,
    nodesByState: { Running: 1 },
    nodes: [],
    attempts: [],
    events: [{ definition: runRunning, data }],
    commands: [],
    answered: [],
    requests: [],
    also: [],
    now: new Date(),
  };
}

describe("a commit of a run", () => {
  test("is refused whole when the shard changed hands or the run went on, whatever else shares its batch (R2, I12)", async () => {
    await using fixture = await openTestStore();
    const { store, owned, pool } = fixture;
    const [a, b] = [newRunOf(chainOf(2)), newRunOf(chainOf(2))];
    await Promise.all([store.insert(a), store.insert(b)]);
    const held = await createShardLeases(pool, "one").take(SHARDS, 60_000);
    const epoch = held[0]?.epoch ?? 0;

    const results = await Promise.allSettled([
      owned.commit(stepOf(a, epoch - 1)),
      owned.commit(stepOf(b, epoch)),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
    expect(results[0]).toMatchObject({ reason: expect.any(RunFencedError) });
    expect((await store.get(a.facts.id))?.status.version).toBe(1);
    expect((await store.get(b.facts.id))?.status).toEqual(running(2));
    expect(await store.history(a.facts.id, 1, 10)).toEqual([]);

    await expect(owned.commit(stepOf(b, epoch, 1))).rejects.toThrow(RunFencedError);
    await owned.commit(stepOf(b, epoch, 2));
    expect((await store.history(b.facts.id, 0, 10)).map(({ version }) => version)).toEqual([1, 2, 3]);
  });

  test("deletes the requests it answered and keeps the others, in order", async () => {
    await using fixture = await openTestStore();
    const { store, owned, pool } = fixture;
    const run = newRunOf(chainOf(1));
    await store.insert(run);
    await store.request(run.facts.id, { kind: "pause", by: "alice" });
    const epoch = (await createShardLeases(pool, "one").take(SHARDS, 60_000))[0]?.epoch ?? 0;
    const shards = [shardOf(run.facts.id)];
    const [start, pause] = await owned.requests(shards, 10);
    expect([start?.request.kind, pause?.request]).toEqual(["start", { kind: "pause", by: "alice" }]);
    await owned.commit({ ...stepOf(run, epoch), answered: [start?.id ?? 0] });
    expect((await owned.requests(shards, 10)).map(({ id }) => id)).toEqual([pause?.id]);
  });
});

test("a run is loaded as it was created, and its definition is stored once", async () => {
  await using fixture = await openTestStore();
  const { store, owned, pool } = fixture;
  const definition = definitionOf(["a", { id: "b", manifest: { z: 1, a: "ü" } }], ["a b"]);
  const first = newRunOf(definition, { parameters: { day: "一" } });
  await store.insert(first);
  await store.insert(newRunOf(definition));
  const loaded = await owned.load(first.facts.id);
  expect(loaded?.facts).toEqual(first.facts);
  expect(await store.definition(first.facts.digest)).toEqual(definition);
  expect(await pool.query("SELECT COUNT(*) AS n FROM definitions")).toEqual([{ n: 1 }]);
  expect(await owned.live([shardOf(first.facts.id)])).toContain(first.facts.id);
});

test("runs are listed newest first by what is asked of them, page after page", async () => {
  await using fixture = await openTestStore();
  const { store } = fixture;
  const experimentId = newExperimentId();
  const runs = Array.from({ length: 5 }, () => newRunOf(chainOf(1), { experimentId }));
  for (const run of runs) await store.insert(run);
  await store.insert(newRunOf(chainOf(1)));
  const query = { limit: 3, experiment_id: experimentId, state: ["Created" as const] };
  const first = await store.list(query, "all");
  const second = await store.list({ ...query, cursor: first.nextCursor ?? "" }, "all");
  const ids = [...first.runs, ...second.runs].map(({ facts }) => facts.id);
  expect(ids).toEqual(runs.map(({ facts }) => facts.id).toReversed());
  expect(second.nextCursor).toBeNull();
  expect((await store.list(query, [])).runs).toEqual([]);
  await expect(
    store.list({ limit: 3, ...(first.nextCursor && { cursor: first.nextCursor }) }, "all"),
  ).rejects.toThrow("other filters");
});

describe("shard leases", () => {
  test("a shard is taken once, with a larger epoch each time it changes hands", async () => {
    await using fixture = await openTestStore();
    const one = createShardLeases(fixture.pool, "one");
    const two = createShardLeases(fixture.pool, "two");
    const first = await one.take(40, 60_000);
    const rest = await two.take(SHARDS, 60_000);
    expect([first.length, rest.length]).toEqual([40, 24]);
    expect(await two.take(SHARDS, 60_000)).toEqual([]);
    await one.release(first.slice(0, 10));
    const moved = await two.take(SHARDS, 60_000);
    expect(moved.map(({ epoch }) => epoch)).toEqual(Array.from({ length: 10 }, () => 2));
    await one.renew(60_000);
    expect(await two.renew(60_000)).toMatchObject({ replicas: 2, free: 0 });
    await two.leave();
    expect(await one.renew(60_000)).toMatchObject({ replicas: 1, free: 34 });
  });

  test("what was not renewed in time is anybody's", async () => {
    await using fixture = await openTestStore();
    const one = createShardLeases(fixture.pool, "one");
    const two = createShardLeases(fixture.pool, "two");
    await one.take(SHARDS, 20);
    await sleep(40); // the lease's own time
    expect(await two.take(SHARDS, 60_000)).toHaveLength(SHARDS);
    expect((await one.renew(60_000)).held).toEqual([]);
  });
});
