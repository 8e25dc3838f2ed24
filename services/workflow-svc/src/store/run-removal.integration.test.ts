import type { RunId, WorkflowDefinition } from "@aiep/contracts";
import { CommitQueue, createSqlPool, type SqlExecutor } from "@aiep/service-kit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openTestStore, type StoreFixture } from "../testing/database.ts";
import { endRun } from "../testing/ended-run.ts";
import { chainOf, newExperimentId, newRunOf } from "../testing/runs.ts";
import { RunFencedError } from "./owned-runs.ts";
import { createRunRemoval } from "./run-removal.ts";
import type { RunFacts } from "./run-store.ts";
import { removeUnusedDefinitions } from "./unused-definitions.ts";

let fixture: StoreFixture;
beforeAll(async () => {
  fixture = await openTestStore();
});
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
});
beforeEach(async () => {
  for (const table of ["runs", "run_nodes", "run_attempts", "outbox"])
    await fixture.pool.execute(`DELETE FROM ${table}`);
});

const NEVER = new AbortController().signal;
const DAY_MS = 86_400_000;
const NOW = new Date("2026-06-01T00:00:00Z");
const daysAgo = (days: number) => new Date(NOW.getTime() - days * DAY_MS);
const byAlice = { by: "alice", now: NOW };

async function live(facts: Partial<RunFacts> = {}, definition: WorkflowDefinition = chainOf(2)) {
  const run = newRunOf(definition, facts);
  await fixture.store.insert(run);
  return run.facts.id;
}

async function ended(days: number, facts: Partial<RunFacts> = {}, definition?: WorkflowDefinition) {
  const id = await live(facts, definition);
  await endRun(fixture, id, { at: daysAgo(days) });
  return id;
}

const childOf = (parent: RunId): Partial<RunFacts> => ({
  origin: { kind: "sub_workflow", parent_run_id: parent, parent_node: "n0" },
});

const events = async (id: RunId) =>
  (
    await fixture.pool.query<{ type: string }>(
      "SELECT type FROM outbox WHERE aggregate_id = ? ORDER BY aggregate_version",
      [id],
    )
  ).map(({ type }) => type.split(".")[2]);

async function rowsOf(id: RunId): Promise<Readonly<Record<string, number>>> {
  const [row] = await fixture.pool.query<Record<string, number>>(
    `SELECT (SELECT COUNT(*) FROM runs WHERE id = ?) AS runs, (SELECT COUNT(*) FROM run_nodes WHERE run_id = ?) AS nodes,
       (SELECT COUNT(*) FROM run_attempts WHERE run_id = ?) AS attempts,
       (SELECT COUNT(*) FROM outbox WHERE aggregate_id = ?) AS events`,
    [id, id, id, id],
  );
  return row ?? {};
}

const published = async () => await fixture.pool.execute("UPDATE outbox SET published_at = NOW(3)");

describe("a run that is deleted", () => {
  test("is found by nobody from then on, and tells it with its next version (I5)", async () => {
    const { store, removal } = fixture;
    const experimentId = newExperimentId();
    const [id, other] = [await ended(1, { experimentId }), await ended(1, { experimentId })];
    expect(await removal.mark(id, byAlice)).toEqual({ outcome: "deleted" });
    expect(await store.get(id)).toBeUndefined();
    expect(await store.findByPrefix(id.slice(0, 12), "all", 5)).toEqual([]);
    const { runs } = await store.list({ limit: 9, experiment_id: experimentId }, "all");
    expect(runs.map(({ facts }) => facts.id)).toEqual([other]);
    expect(await events(id)).toEqual(["run_created", "run_succeeded", "run_deleted"]);
    const [last] = await store.history(id, 2, 9);
    expect(last).toMatchObject({ version: 3, data: { run_id: id, deleted_by: "alice" } });
  });

  test("is deleted once, whoever asks at the same moment", async () => {
    await using second = createSqlPool({ url: fixture.url, connectionLimit: 4 });
    const commits = new CommitQueue({ pool: second });
    const address = { env: "test", source: "/aiep/workflow-svc" };
    const others = [fixture.removal, createRunRemoval({ pool: second, commits, address })];
    const ids = await Promise.all([1, 2, 3].map(async (days) => await ended(days)));
    const marks = ids.flatMap((id) => others.map(async (each) => (await each.mark(id, byAlice)).outcome));
    expect((await Promise.all(marks)).toSorted()).toEqual([
      ...["deleted", "deleted", "deleted"],
      ...["gone", "gone", "gone"],
    ]);
    for (const id of ids) expect((await events(id)).filter((name) => name === "run_deleted")).toHaveLength(1);
    await commits.close();
  });

  test("is still there when its event cannot be written (D5)", async () => {
    const id = await ended(1);
    await fixture.pool.execute(
      `INSERT INTO outbox (event_id, stream, subject, type, aggregate_type, aggregate_id, aggregate_version, group_id, headers, payload, created_at)
       SELECT 'taken', stream, subject, type, aggregate_type, aggregate_id, 3, group_id, headers, payload, created_at
       FROM outbox WHERE aggregate_id = ? AND aggregate_version = 2`,
      [id],
    );
    await expect(fixture.removal.mark(id, byAlice)).rejects.toThrow();
    expect((await fixture.store.get(id))?.status).toMatchObject({ version: 2, state: "Succeeded" });
  });

  test("has ended: one that lives, or is not there, is left alone", async () => {
    const id = await live();
    expect(await fixture.removal.mark(id, byAlice)).toEqual({ outcome: "live" });
    expect(await fixture.removal.mark(newRunOf(chainOf(1)).facts.id, byAlice)).toEqual({ outcome: "gone" });
    expect(await events(id)).toEqual(["run_created"]);
  });

  test("keeps a writer that was paused out (R2), and its order is not taken again (I2)", async () => {
    const id = await ended(1);
    const loaded = await fixture.owned.load(id);
    await fixture.removal.mark(id, byAlice);
    if (loaded === undefined) throw new Error("the run was there");
    const { facts, status } = loaded;
    const late = { facts, status, epoch: 0, version: status.version, nodesByState: {}, nodes: loaded.nodes };
    const nothing = {
      attempts: [],
      events: [],
      commands: [],
      answered: [],
      requests: [],
      also: [],
      now: NOW,
    };
    await expect(fixture.owned.commit({ ...late, ...nothing })).rejects.toThrow(RunFencedError);
    expect(await fixture.store.accepted(id)).toEqual(facts);
    expect((await fixture.owned.load(id))?.status.finishedAt).not.toBeNull();
  });
});

describe("a run that a live one reads (Z4)", () => {
  test("is not deleted while a rerun takes its results over, and may be afterwards", async () => {
    const base = await ended(100);
    const rerun = await live({ baseRunId: base, mode: "from_failed" });
    expect(await fixture.removal.mark(base, byAlice)).toEqual({ outcome: "needed", by: rerun });
    expect(await fixture.removal.expired(NOW, 9)).toEqual([]);
    await endRun(fixture, rerun, { at: daysAgo(99) });
    expect(await fixture.removal.expired(NOW, 9)).toEqual([base, rerun]);
    expect(await fixture.removal.mark(base, byAlice)).toEqual({ outcome: "deleted" });
  });

  test("is not deleted while its parent lives; by age it goes after its parent", async () => {
    const parent = await live();
    const child = await ended(100, childOf(parent));
    expect(await fixture.removal.mark(child, byAlice)).toEqual({ outcome: "needed", by: parent });
    await endRun(fixture, parent, { at: daysAgo(5) });
    expect(await fixture.removal.expired(daysAgo(90), 9)).toEqual([]);
    expect(await fixture.removal.expired(daysAgo(1), 9)).toEqual([parent]);
    await fixture.removal.mark(parent, byAlice);
    expect(await fixture.removal.expired(daysAgo(1), 9)).toEqual([child]);
    expect(await fixture.removal.mark(child, byAlice)).toEqual({ outcome: "deleted" });
  });

  test("refuses a rerun that comes after its deletion, and either comes first, never both", async () => {
    const gone = await ended(1);
    await fixture.removal.mark(gone, byAlice);
    await expect(live({ baseRunId: gone })).rejects.toThrow("was deleted at the same moment");
    for (let round = 0; round < 10; round += 1) {
      const base = await ended(1);
      const [marked, rerun] = await Promise.allSettled([
        fixture.removal.mark(base, byAlice),
        live({ baseRunId: base }),
      ]);
      const deleted = marked.status === "fulfilled" && marked.value.outcome === "deleted";
      expect(rerun.status).toBe(deleted ? "rejected" : "fulfilled");
    }
  });
});

describe("old runs", () => {
  test("are found oldest first, so many at once, and none that lives or is deleted", async () => {
    const ids: RunId[] = [];
    for (const days of [91, 95, 93]) ids.push(await ended(days));
    await ended(89);
    await live();
    await fixture.removal.mark(await ended(99), byAlice);
    const [second, first, middle] = ids;
    expect(await fixture.removal.expired(daysAgo(90), 2)).toEqual([first, middle]);
    expect(await fixture.removal.expired(daysAgo(90), 9)).toEqual([first, middle, second]);
  });
});

describe("what is left of a deleted run", () => {
  test("is emptied in short steps, begun again after a crash, then forgotten with its whole history", async () => {
    const { pool, commits, removal } = fixture;
    const address = { env: "test", source: "/aiep/workflow-svc" };
    const small = createRunRemoval({ pool, commits, address, step: 3 });
    const id = await ended(100, { parameters: { secret: "x" } }, chainOf(7));
    const kept = await ended(100);
    await removal.mark(id, { by: "alice", now: daysAgo(31) });
    expect(await rowsOf(id)).toEqual({ runs: 1, nodes: 7, attempts: 7, events: 3 });

    const crash = new AbortController();
    const dying: SqlExecutor = {
      query: async (...given) => await pool.query(...given),
      multi: async (...given) => await pool.multi(...given),
      execute: async (...given) => {
        crash.abort(); // this statement is the last
        return await pool.execute(...given);
      },
    };
    await createRunRemoval({ pool: dying, commits, address, step: 3 }).empty(9, crash.signal);
    expect(await rowsOf(id)).toMatchObject({ nodes: 4, attempts: 7 });

    expect(await small.empty(9, NEVER)).toBe(1);
    expect(await small.empty(9, NEVER)).toBe(0);
    expect(await rowsOf(id)).toEqual({ runs: 1, nodes: 0, attempts: 0, events: 3 });
    expect(await fixture.store.accepted(id)).toMatchObject({ id, parameters: {} });

    expect(await small.forget(daysAgo(30), 9, NEVER)).toBe(0); // its events are not on the bus yet
    await published();
    expect(await small.forget(daysAgo(40), 9, NEVER)).toBe(0); // deleted since then
    expect(await small.forget(daysAgo(30), 9, NEVER)).toBe(1);
    expect(await rowsOf(id)).toEqual({ runs: 0, nodes: 0, attempts: 0, events: 0 });
    expect(await rowsOf(kept)).toEqual({ runs: 1, nodes: 2, attempts: 2, events: 2 });
  });

  test("names no definition any more (I10)", async () => {
    const definition = chainOf(13);
    const id = await ended(1, {}, definition);
    const { digest } = newRunOf(definition).facts;
    const tidy = async () => {
      await fixture.pool.execute("UPDATE definitions SET created_at = '2026-01-01'");
      await removeUnusedDefinitions(fixture.pool);
      return (await fixture.store.definition(digest)) !== undefined;
    };
    expect(await tidy()).toBe(true);
    await fixture.removal.mark(id, byAlice);
    expect(await tidy()).toBe(false);
  });
});
