import { type ExperimentId, experimentId, groupId } from "@aiep/contracts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Cause,
  cancelFire,
  followRun,
  orderFire,
  queueFire,
  runIdOfFire,
  skipFire,
  startCommandId,
} from "../domain/fire.ts";
import { openTestStore, type TestStore } from "../testing/database.ts";
import { newFireId } from "./fire-store.ts";

let store: TestStore;
beforeAll(async () => {
  store = await openTestStore();
});
afterAll(async () => await store?.[Symbol.asyncDispose]());

const EXPERIMENT: ExperimentId = experimentId.parse("b".repeat(32));
const at = new Date("2026-11-21T02:30:00.000Z");

function cause(key: string, changes: Partial<Cause> = {}): Cause {
  return {
    id: newFireId(),
    key,
    kind: "schedule",
    sourceId: "c".repeat(32),
    backfillId: null,
    externalId: at.toISOString(),
    groupId: groupId.parse("risk"),
    experimentId: EXPERIMENT,
    versionName: null,
    scheduledAt: at,
    runDate: "20261120",
    parameters: { lr: 0.1, names: ["甲", null] },
    requestedBy: "alice",
    depth: 0,
    lineage: [],
    createdAt: at,
    ...changes,
  };
}

const outbox = async (id: string) =>
  await store.pool.query<{ type: string; payload: string; event_id: string; aggregate_version: number }>(
    "SELECT type, payload, event_id, aggregate_version FROM outbox WHERE aggregate_id = ? ORDER BY id",
    [id],
  );

describe("fires in the database", () => {
  it("I2: a cause told at once by twenty is one fire, one command, one run", async () => {
    const told = await Promise.all(
      Array.from({ length: 20 }, async () => await store.fires.create(orderFire(cause("once"), "v3", at))),
    );
    expect(told.filter(({ made }) => made)).toHaveLength(1);
    const [first] = told;
    const ids = new Set(told.map(({ fire }) => fire.runId));
    expect(ids).toEqual(new Set([runIdOfFire(first?.fire.id ?? newFireId())]));
    const rows = await outbox(first?.fire.id ?? "");
    expect(rows.map(({ type }) => type)).toEqual([
      "aiep.schedule.fire_ordered.v1",
      "aiep.cmd.workflow-svc.start_run.v1",
    ]);
    expect(JSON.parse(rows[1]?.payload ?? "")).toEqual({
      experiment_id: EXPERIMENT,
      version_name: "v3",
      parameters: { lr: 0.1, names: ["甲", null] },
      run_date: "20261120",
      origin: { kind: "schedule", publication_id: "c".repeat(32), external_id: at.toISOString() },
      requested_by: "alice",
    });
  });

  it("is read back as it was written, through its whole life", async () => {
    const queued = queueFire(cause("life"), "behind another");
    await store.fires.create(queued);
    const ordered = orderFire(queued.fire, "v4", at);
    await store.fires.change([ordered]);
    const running = followRun(ordered.fire, { state: "Running", message: null, version: 2 }, at);
    expect(running).toBeDefined();
    if (running === undefined) return;
    await store.fires.change([running]);
    expect(await store.fires.get(queued.fire.id)).toEqual(running.fire);
    const over = followRun(running.fire, { state: "Failed", message: "train failed", version: 9 }, at);
    if (over === undefined) throw new Error("no end");
    await store.fires.change([over]);
    expect(await store.fires.byRun(runIdOfFire(queued.fire.id))).toEqual(over.fire);
    expect(followRun(over.fire, { state: "Running", message: null, version: 10 }, at)).toBeUndefined();
    expect((await outbox(queued.fire.id)).map(({ aggregate_version }) => aggregate_version)).toEqual([
      1, 2, 2, 3, 4,
    ]);
  });

  it("of two changes from the same version one wins, the other is told so and changes nothing", async () => {
    const ordered = orderFire(cause("race"), "v3", at);
    await store.fires.create(ordered);
    const cancel = cancelFire(ordered.fire, "the job there was killed", at);
    const follow = followRun(ordered.fire, { state: "Running", message: null, version: 2 }, at);
    if (cancel === undefined || follow === undefined) throw new Error("nothing to change");
    const results = await Promise.allSettled([store.fires.change([cancel]), store.fires.change([follow])]);
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const loser = results.find((each) => each.status === "rejected");
    expect(loser?.reason).toMatchObject({ code: "VERSION_CONFLICT" });
    expect((await store.fires.get(ordered.fire.id))?.version).toBe(2);
  });

  it("lists what a caller may see, newest first, page by page", async () => {
    const source = "d".repeat(32);
    for (let index = 0; index < 5; index += 1)
      await store.fires.create(
        skipFire(
          cause(`list-${index}`, { sourceId: source }),
          { reason: "Overlap", message: "one runs" },
          at,
        ),
      );
    const first = await store.fires.list({ limit: 3, cursor: undefined, source_id: source }, "all");
    expect(first.items).toHaveLength(3);
    const second = await store.fires.list(
      { limit: 3, cursor: first.nextCursor ?? undefined, source_id: source },
      [groupId.parse("risk")],
    );
    expect(second.items).toHaveLength(2);
    expect(second.nextCursor).toBeNull();
    expect((await store.fires.list({ limit: 3, cursor: undefined }, [])).items).toEqual([]);
  });

  it("G4: publishes a start command again that was not answered in time, as the same command, and no other", async () => {
    const waiting = await store.fires.create(orderFire(cause("unanswered"), "v3", at));
    const cancelled = cancelFire(waiting.fire, "not wanted", at);
    const running = await store.fires.create(orderFire(cause("answered"), "v3", at));
    const followed = followRun(running.fire, { state: "Running", message: null, version: 1 }, at);
    if (cancelled === undefined || followed === undefined) throw new Error("both change");
    await store.fires.change([cancelled]);
    await store.fires.change([followed]);
    const both = [waiting.fire.id, running.fire.id];
    await store.pool.execute(
      "UPDATE outbox SET published_at = NOW(3) - INTERVAL 2 HOUR WHERE aggregate_id IN (?, ?)",
      both,
    );
    await store.fires.orderAgain(3 * 3_600_000);
    const again = async () =>
      await store.pool.query(
        "SELECT event_id FROM outbox WHERE aggregate_id IN (?, ?) AND published_at IS NULL",
        both,
      );
    expect(await again()).toEqual([]);
    await store.fires.orderAgain(3_600_000);
    expect(await again()).toEqual([{ event_id: startCommandId(waiting.fire.id) }]);
  });
});
