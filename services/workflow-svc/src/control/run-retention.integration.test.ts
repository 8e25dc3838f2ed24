import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { RunId } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { CommitQueue, createLogger, createSqlPool } from "@aiep/service-kit";
import { expect, test } from "vitest";
import { createRunRemoval } from "../store/run-removal.ts";
import { openTestStore, type StoreFixture } from "../testing/database.ts";
import { endRun } from "../testing/ended-run.ts";
import { chainOf, newRunOf } from "../testing/runs.ts";
import { keepRunsTidy, type RunRetentionDeps, tidyRuns } from "./run-retention.ts";

const PROGRAM = join(import.meta.dirname, "../testing/retention-process.ts");
const DAY_MS = 86_400_000;
const NOW = Date.parse("2026-06-01T00:00:00Z");
const NEVER = new AbortController().signal;
const silent = createLogger({ service: "retention-test", level: "silent" });
const log = createLogger({ service: "retention-test", level: "error" });

async function ended({ store, owned }: StoreFixture, days: number, facts: object = {}): Promise<RunId> {
  const run = newRunOf(chainOf(2), facts);
  await store.insert(run);
  await endRun({ store, owned }, run.facts.id, { at: new Date(NOW - days * DAY_MS) });
  return run.facts.id;
}

const retention = (fixture: StoreFixture, more: Partial<RunRetentionDeps> = {}): RunRetentionDeps => ({
  removal: fixture.removal,
  keepMs: 90 * DAY_MS,
  historyMs: 30 * DAY_MS,
  clock: () => new Date(NOW),
  log,
  ...more,
});

const left = async ({ pool }: StoreFixture) =>
  (await pool.query<{ id: RunId }>("SELECT id FROM runs ORDER BY seq")).map(({ id }) => id);
const deletions = async ({ pool }: StoreFixture) =>
  await pool.query<{ id: RunId; payload: string }>(
    "SELECT aggregate_id AS id, payload FROM outbox WHERE type = 'aiep.workflow.run_deleted.v1' ORDER BY outbox.id",
  );

test("runs go when they are older than they are kept, oldest first, children after their parents", async () => {
  await using fixture = await openTestStore();
  const parent = await ended(fixture, 91);
  const origin = { kind: "sub_workflow", parent_run_id: parent, parent_node: "n0" };
  const child = await ended(fixture, 95, { origin });
  const old = await ended(fixture, 200);
  const young = await ended(fixture, 89);
  const live = newRunOf(chainOf(1));
  await fixture.store.insert(live);
  await tidyRuns(retention(fixture), NEVER);
  const told = await deletions(fixture);
  expect(told.map(({ id }) => id)).toEqual([old, parent, child]);
  expect(JSON.parse(told[0]?.payload ?? "")).toMatchObject({ run_id: old, deleted_by: null });
  for (const id of [old, parent, child]) expect(await fixture.store.nodes(id)).toEqual([]);
  expect(await fixture.store.nodes(young)).toHaveLength(2);

  await fixture.pool.execute("UPDATE outbox SET published_at = NOW(3)");
  await tidyRuns(retention(fixture), NEVER);
  expect(await left(fixture)).toHaveLength(5);
  await tidyRuns(retention(fixture, { clock: () => new Date(NOW + 31 * DAY_MS), keepMs: null }), NEVER);
  expect(await left(fixture)).toEqual([young, live.facts.id]);
});

test("kept for ever, only what somebody deleted is tidied up", async () => {
  await using fixture = await openTestStore();
  const [old, deleted] = [await ended(fixture, 5_000), await ended(fixture, 1)];
  await fixture.removal.mark(deleted, { by: "ada", now: new Date(NOW) });
  await tidyRuns(retention(fixture, { keepMs: null }), NEVER);
  expect(await fixture.store.nodes(deleted)).toEqual([]);
  expect((await fixture.store.get(old))?.facts.id).toBe(old);
});

test("a run that cannot be deleted holds up no other (I12)", async () => {
  await using fixture = await openTestStore();
  const [poison, other] = [await ended(fixture, 200), await ended(fixture, 100)];
  // Somebody wrote the version that the deletion would be.
  await fixture.pool.execute(
    "UPDATE outbox SET aggregate_version = 3 WHERE aggregate_id = ? AND aggregate_version = 2",
    [poison],
  );
  await tidyRuns(retention(fixture, { log: silent }), NEVER);
  expect((await deletions(fixture)).map(({ id }) => id)).toEqual([other]);
  expect((await fixture.store.get(poison))?.facts.id).toBe(poison);
});

test("more than a batch goes in one round, and two replicas at once delete each run once", async () => {
  await using fixture = await openTestStore();
  await using pool = createSqlPool({ url: fixture.url, connectionLimit: 4 });
  const commits = new CommitQueue({ pool });
  const address = { env: "test", source: "/aiep/workflow-svc" };
  const second = createRunRemoval({ pool, commits, address });
  const ids = await Promise.all(Array.from({ length: 130 }, async (_, at) => await ended(fixture, 100 + at)));
  await Promise.all([
    tidyRuns(retention(fixture), NEVER),
    tidyRuns(retention(fixture, { removal: second }), NEVER),
  ]);
  const told = (await deletions(fixture)).map(({ id }) => id);
  expect(told.toSorted()).toEqual(ids.toSorted());
  expect(await fixture.pool.query("SELECT COUNT(*) AS n FROM run_nodes")).toEqual([{ n: 0 }]);
  await commits.close();
});

test.each([
  "run.removal-before-commit=kill#1",
  "run.removal-before-commit=kill#2",
  ...[1, 2, 3, 4, 5, 6].map((at) => `run.removal-step=kill#${at}`),
])("kill -9 at %s: another one goes on, and each run is deleted once, whole", async (failpoints) => {
  await using fixture = await openTestStore();
  const ids = [await ended(fixture, 200), await ended(fixture, 100)];
  const program = spawn(process.execPath, ["--conditions=aiep:source", PROGRAM], {
    stdio: ["pipe", "inherit", "inherit"],
  });
  const given = { now: new Date(NOW), keep_ms: 90 * DAY_MS, history_ms: 30 * DAY_MS, step: 1 };
  program.stdin.end(JSON.stringify({ ...given, database_url: fixture.url, failpoints }));
  expect(await once(program, "exit")).toEqual([null, "SIGKILL"]);
  await tidyRuns(retention(fixture), NEVER);
  for (const id of ids) {
    expect((await fixture.store.history(id, 0, 9)).map(({ version }) => version)).toEqual([1, 2, 3]);
    expect(await fixture.store.nodes(id)).toEqual([]);
    expect(await fixture.store.attempts(id, "n0")).toEqual([]);
  }
  expect((await deletions(fixture)).map(({ id }) => id)).toEqual(ids);
});

test("of several replicas one tidies; when it stops another takes over", async () => {
  await using fixture = await openTestStore();
  const { pool } = fixture;
  const rounds: string[] = [];
  const replica = (name: string) => {
    const removal = {
      ...fixture.removal,
      expired: async (...given: Parameters<typeof fixture.removal.expired>) => {
        rounds.push(name);
        return await fixture.removal.expired(...given);
      },
    };
    return keepRunsTidy({ ...retention(fixture, { removal }), pool, log, leaseMs: 300 });
  };
  const stopFirst = replica("first");
  await waitFor("a round of the first", () => rounds.length > 0);
  const stopSecond = replica("second");
  const id = await ended(fixture, 91);
  expect(rounds).not.toContain("second");
  await stopFirst();
  await waitFor("a round of the second", async () => (await fixture.store.get(id)) === undefined);
  await stopSecond();
  expect(await deletions(fixture)).toHaveLength(1);
});
