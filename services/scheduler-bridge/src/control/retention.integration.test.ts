/** What goes, what stays, and that nothing runs again because of what went. */
import { createLogger, randomHex } from "@aiep/service-kit";
import { describe, expect, test } from "vitest";
import { type Cause, type Fire, orderFire } from "../domain/fire.ts";
import type { Schedule } from "../domain/schedule.ts";
import { OldRows } from "../store/old-rows.ts";
import { layScheduling, type SchedulingGround } from "../testing/scheduling.ts";
import { causeOfSchedule } from "./causes.ts";
import { tidyUp } from "./retention.ts";

const DAY_MS = 86_400_000;
const START = "2026-03-01T00:00:30Z";
const NEVER = new AbortController().signal;
const log = createLogger({ service: "retention-test", level: "silent" });

const later = ({ clock }: SchedulingGround, days: number) =>
  clock.set(new Date(clock.now.getTime() + days * DAY_MS));

/** Of a replica that keeps fires for 90 days, webhooks for 7, and which run goes back to which fire for 30. */
const tidy = async ({ store, clock }: SchedulingGround, fireMs: number | null = 90 * DAY_MS) =>
  await tidyUp(
    {
      rows: new OldRows(store.pool),
      keep: { fireMs, deliveryMs: 7 * DAY_MS, historyMs: 30 * DAY_MS },
      clock: clock.read,
      log,
    },
    NEVER,
  );

const aSchedule = async (ground: SchedulingGround) =>
  await ground.schedule({ cron: "0 0 1 1 *", overlap: "allow" });

/** One that somebody wanted now. */
async function wanted({ store, clock }: SchedulingGround, schedule: Schedule): Promise<Fire> {
  const number = randomHex(16);
  const cause: Cause = {
    ...causeOfSchedule(schedule, clock.now),
    key: `manual:${schedule.id}:${number}`,
    kind: "manual",
    externalId: number,
    scheduledAt: null,
    runDate: null,
  };
  return (await store.fires.create(orderFire(cause, "v1", clock.now))).fire;
}

async function ended(ground: SchedulingGround, schedule: Schedule): Promise<Fire> {
  const fire = await wanted(ground, schedule);
  await ground.tell(fire, "Succeeded");
  return fire;
}

const left = async (ground: SchedulingGround) => (await ground.fires()).map(({ id }) => id);

describe("fires", () => {
  test("go when they ended so long ago, with what their callers read, and not while they are live", async () => {
    await using ground = await layScheduling(START);
    const schedule = await aSchedule(ground);
    const live = await wanted(ground, schedule);
    const old = await ended(ground, schedule);
    const { pool } = ground.store;
    await pool.execute("INSERT INTO fire_lines (fire_id, number, text) VALUES (?, 1, 'x'), (?, 1, 'x')", [
      live.id,
      old.id,
    ]);
    later(ground, 89);
    const young = await ended(ground, schedule);
    await tidy(ground);
    expect(await left(ground)).toEqual([live.id, old.id, young.id]);
    later(ground, 2);
    await tidy(ground, null);
    expect(await left(ground)).toHaveLength(3);
    await tidy(ground);
    expect(await left(ground)).toEqual([live.id, young.id]);
    expect(await pool.query("SELECT fire_id FROM fire_lines")).toEqual([{ fire_id: live.id }]);
  });

  test("stay while a run is known to go back to them, somebody asked, or a delivery may be replayed", async () => {
    await using ground = await layScheduling(START);
    const schedule = await aSchedule(ground);
    const traced = await ended(ground, schedule);
    const asked = await ended(ground, schedule);
    const delivered = await ended(ground, schedule);
    await ended(ground, schedule);
    later(ground, 91);
    const now = ground.clock.now;
    const { pool } = ground.store;
    await pool.execute("INSERT INTO run_lineage (run_id, fire_id, created_at) VALUES (?, ?, ?)", [
      randomHex(16),
      traced.id,
      now,
    ]);
    await pool.execute("UPDATE fires SET last_wait_at = ? WHERE id = ?", [now, asked.id]);
    await pool.execute(
      `INSERT INTO deliveries (publication_id, webhook_id, body_hash, body, received_at, outcome, fire_id)
       VALUES (?, 'again', '', '', ?, 'accepted', ?)`,
      [delivered.sourceId, now, delivered.id],
    );
    await tidy(ground);
    expect(await left(ground)).toEqual([traced.id, asked.id, delivered.id]);
    later(ground, 8);
    await tidy(ground);
    expect(await left(ground)).toEqual([traced.id, asked.id]);
    later(ground, 83);
    await tidy(ground);
    expect(await left(ground)).toEqual([]);
  });

  test("go in short steps, all in one round, also when two replicas lead for a moment", async () => {
    await using ground = await layScheduling(START);
    const { id } = await ended(ground, await aSchedule(ground));
    const { pool } = ground.store;
    const columns = (
      await pool.query<{ name: string }>(
        "SELECT column_name AS name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'fires'",
      )
    )
      .map(({ name }) => name)
      .filter((name) => !["seq", "id", "fire_key"].includes(name));
    await pool.execute(
      `INSERT INTO fires (id, fire_key, ${columns.join(", ")})
       WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 990)
       SELECT LPAD(HEX(i), 32, "0"), CONCAT('many:', i), ${columns.join(", ")} FROM n, fires WHERE fires.id = ?`,
      [id],
    );
    expect(await left(ground)).toHaveLength(991);
    await pool.execute("DELETE FROM run_lineage");
    later(ground, 91);
    await Promise.all([tidy(ground), tidy(ground)]);
    expect(await left(ground)).toEqual([]);
  });
});

describe("I2: what went does not run again", () => {
  test("a time of a schedule, planned again, by another replica, after an outage", async () => {
    await using ground = await layScheduling(START);
    const schedule = await ground.schedule({
      ...{ cron: "0 0 * * *", timeZone: "UTC", overlap: "allow" },
      ...{ misfire: "catch_up", maxCatchUp: 100 },
    });
    ground.clock.set("2026-03-05T00:00:01Z");
    await ground.replica().scheduleTurns.plan(schedule.id);
    for (const fire of await ground.fires()) await ground.tell(fire, "Succeeded");
    expect(await ground.states()).toHaveLength(4);
    later(ground, 91);
    await tidy(ground);
    expect(await ground.fires()).toEqual([]);
    for (let replica = 1; replica <= 2; replica += 1) await ground.replica().scheduleTurns.plan(schedule.id);
    const times = (await ground.fires()).map(({ scheduledAt }) => scheduledAt?.toISOString() ?? "");
    expect(times).toHaveLength(91);
    expect(times[0]).toBe("2026-03-06T00:00:00.000Z");
  });

  test("a date of a back-fill that is over; one that is open keeps all of its fires", async () => {
    await using ground = await layScheduling(START);
    const schedule = await aSchedule(ground);
    const { backfills, backfillTurns } = ground.replica();
    const over = await ground.backfill(schedule, { from: "20260101", to: "20260102", parallelism: 2 });
    for (const fire of await ground.fires()) await ground.tell(fire, "Succeeded");
    const open = await ground.backfill(schedule, { from: "20260101", to: "20260103", parallelism: 1 });
    const [first] = (await ground.fires()).filter(({ backfillId }) => backfillId === open.id);
    if (first === undefined) throw new Error("it has begun");
    await ground.tell(first, "Succeeded");
    later(ground, 91);
    await tidy(ground);
    expect((await ground.fires()).map(({ backfillId, runDate }) => [backfillId, runDate])).toEqual([
      [open.id, "20260101"],
      [open.id, "20260102"],
    ]);
    expect(await backfills.get(over.id)).toBeUndefined();
    for (const id of [over.id, open.id]) await backfillTurns.advance(id);
    expect(await ground.fires()).toHaveLength(2);
    expect(await backfills.get(open.id)).toMatchObject({ state: "Running", started: 2, succeeded: 1 });
  });
});
