import { type ExperimentId, type FireView, type RunId, runId } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { describe, expect, it } from "vitest";
import type { Bridge } from "../testing/bridge.ts";
import { openBridge } from "../testing/opened-bridge.ts";
import { toldRun } from "../testing/told-run.ts";

const opened = await openBridge();
const { ground } = opened;
let { bridge } = opened;

async function known(versions = 1): Promise<ExperimentId> {
  const experiment = await ground.experiment({ versions });
  await waitFor("the experiment is known", async () => {
    const rows = await ground.pool.query("SELECT 1 FROM experiment_versions WHERE experiment_id = ?", [
      experiment,
    ]);
    return rows.length === versions;
  });
  return experiment;
}

/** Fires once a year, so that it is the test that fires it. */
async function create(more: object = {}, by: Bridge = bridge) {
  const body = { experiment_id: await known(), cron: "0 0 1 1 *", ...more };
  return (await by.ok("createSchedule", { body })).body;
}
const at = (schedule: { readonly id: string }) => ({ params: { schedule_id: schedule.id } });
const fireAgain = async (schedule: { readonly id: string }, by: Bridge = bridge) =>
  (await by.ok("triggerSchedule", { ...at(schedule), body: {} })).body;
const fires = async (schedule: { readonly id: string }): Promise<readonly FireView[]> =>
  (await bridge.ok("listFires", { query: { source_id: schedule.id, limit: "500" } })).body.items.toReversed();
const states = async (schedule: { readonly id: string }) => (await fires(schedule)).map(({ state }) => state);

/** Its run goes as it is told, over the bus. */
async function tell(
  { run_id: id, experiment_id: experiment }: FireView,
  end: "Succeeded" | "Failed" | "Cancelled",
) {
  const run = toldRun(ground, { id: runId.parse(id), experiment });
  await run.created();
  await run.becomes("Running");
  await run.becomes(end);
}

async function reached(what: string, schedule: { readonly id: string }, wanted: readonly string[]) {
  await waitFor(what, async () => JSON.stringify(await states(schedule)) === JSON.stringify(wanted));
}

describe("a schedule", () => {
  it("is made, with its next times in its zone, once per Idempotency-Key", async () => {
    const body = { experiment_id: await known(), cron: "30 2 * * *", time_zone: "Europe/Berlin" };
    const headers = { "idempotency-key": "schedule-once" };
    const first = await bridge.ok("createSchedule", { body, headers });
    const again = await bridge.ok("createSchedule", { body, headers });
    expect(first.status).toBe(201);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect(again.body.id).toBe(first.body.id);
    expect(first.body).toMatchObject({
      name: "每日训练",
      misfire: "run_once",
      overlap: "skip",
      owner: "ada",
      version: 1,
      version_name: null,
    });
    expect(first.body.next_fires).toHaveLength(5);
    expect(first.body.next_fires[0]).toBe(first.body.next_fire_at);
    expect(first.headers.get("etag")).toBe('"v1"');
    const { body: read } = await bridge.ok("getSchedule", {
      params: { schedule_id: first.body.id.slice(0, 12) },
    });
    expect(read).toEqual(first.body);
  });

  it("of a dry run is checked and not kept", async () => {
    const body = { experiment_id: await known(), cron: "0 0 * * *" };
    const { status, body: made } = await bridge.ok("createSchedule", { body, query: { dry_run: "true" } });
    expect(status).toBe(200);
    expect(await bridge.refused("getSchedule", at(made))).toMatchObject({ code: "SCHEDULE_NOT_FOUND" });
  });

  it.each([
    [{ cron: "61 25 * * *" }, ["61 is out of range", "25 is out of range"]],
    [{ cron: "0 0 31 2 *" }, ["never fires"]],
    [{ cron: "0 0 0 1 1 ? 2020" }, ["has passed"]],
    [{ cron: "0 0 * * *", ends_at: "2020-01-01T00:00:00Z" }, ["never fires until 2020"]],
    [
      { cron: "0 0 1 1 *", starts_at: "2030-02-01T00:00:00Z", ends_at: "2030-03-01T00:00:00Z" },
      ["never fires from"],
    ],
  ])("with %j is refused with every problem", async (more, words) => {
    const problem = await bridge.refused("createSchedule", {
      body: { experiment_id: await known(), ...more },
    });
    expect(problem.code).toBe("CRON_INVALID");
    expect(problem.errors).toHaveLength(words.length);
    for (const [index, each] of words.entries()) expect(problem.errors?.[index]?.detail).toContain(each);
  });

  it("is refused of what is not there or not the caller's", async () => {
    const experiment = await known();
    const body = { experiment_id: experiment, cron: "0 0 * * *" };
    expect(await bridge.refused("createSchedule", { body, user: "eve" })).toMatchObject({
      code: "EXPERIMENT_NOT_FOUND",
    });
    expect(await bridge.refused("createSchedule", { body, user: "vera" })).toMatchObject({
      code: "VIEWER_ONLY",
    });
    expect(await bridge.refused("createSchedule", { body: { ...body, version_name: "v9" } })).toMatchObject({
      code: "VERSION_NOT_FOUND",
    });
    const schedule = await create();
    expect(await bridge.refused("getSchedule", { ...at(schedule), user: "eve" })).toMatchObject({
      code: "SCHEDULE_NOT_FOUND",
    });
    expect(await bridge.refused("pauseSchedule", { ...at(schedule), body: {}, user: "vera" })).toMatchObject({
      code: "VIEWER_ONLY",
    });
    const seen = async (user: string) =>
      (await bridge.ok("listSchedules", { user })).body.items.map(({ id }) => id);
    expect(await seen("vera")).toContain(schedule.id);
    expect(await seen("eve")).not.toContain(schedule.id);
  });

  it("is changed by who read it last, paused, resumed and deleted; each is one event", async () => {
    const schedule = await create({ ends_at: "2099-01-01T00:00:00Z" });
    const change = async (body: object, version: string, user = "bob") => ({
      ...at(schedule),
      body,
      user,
      headers: { "if-match": version },
    });
    const { body: changed } = await bridge.ok(
      "updateSchedule",
      await change({ cron: "0 0 2 1 *", ends_at: null }, '"v1"'),
    );
    expect(changed).toMatchObject({ version: 2, cron: "0 0 2 1 *", ends_at: null, owner: "bob" });
    expect(await bridge.refused("updateSchedule", await change({ name: "x" }, '"v1"'))).toMatchObject({
      code: "PRECONDITION_FAILED",
    });
    expect(await bridge.refused("updateSchedule", await change({ cron: "nonsense" }, '"v2"'))).toMatchObject({
      code: "CRON_INVALID",
    });
    const paused = await bridge.ok("pauseSchedule", { ...at(schedule), body: {} });
    await bridge.ok("pauseSchedule", { ...at(schedule), body: {} });
    expect(paused.body).toMatchObject({ paused: true, next_fire_at: null, next_fires: [], version: 3 });
    const resumed = await bridge.ok("resumeSchedule", { ...at(schedule), body: {} });
    expect(resumed.body).toMatchObject({ paused: false, version: 4 });
    await bridge.ok("deleteSchedule", at(schedule));
    expect(await bridge.refused("getSchedule", at(schedule))).toMatchObject({ code: "SCHEDULE_NOT_FOUND" });
    const events = await ground.pool.query<{ type: string }>(
      "SELECT type FROM outbox WHERE aggregate_id = ? ORDER BY aggregate_version",
      [schedule.id],
    );
    expect(events.map(({ type }) => type.split(".").at(-2))).toEqual([
      "schedule_created",
      "schedule_updated",
      "schedule_paused",
      "schedule_resumed",
      "schedule_deleted",
    ]);
  });

  it("that is over may be renamed; one of a publication is changed by publishing alone", async () => {
    const over = await create();
    await ground.pool.execute("UPDATE schedules SET ends_at = '2020-01-01' WHERE id = ?", [over.id]);
    const { body } = await bridge.ok("updateSchedule", { ...at(over), body: { name: "over" } });
    expect(body).toMatchObject({ name: "over", next_fire_at: null, next_fires: [] });
    const managed = await create();
    await ground.pool.execute("UPDATE schedules SET publication_id = ? WHERE id = ?", [
      managed.id,
      managed.id,
    ]);
    for (const call of [
      bridge.refused("updateSchedule", { ...at(managed), body: { name: "x" } }),
      bridge.refused("deleteSchedule", at(managed)),
    ])
      expect(await call).toMatchObject({ code: "SCHEDULE_MANAGED" });
    expect((await bridge.ok("pauseSchedule", { ...at(managed), body: {} })).body.paused).toBe(true);
  });

  it("is previewed, also as Quartz has it", async () => {
    const preview = async (cron: string) =>
      (
        await bridge.ok("previewCron", {
          body: { cron, time_zone: "UTC", after: "2026-03-01T00:00:00Z", count: 2 },
        })
      ).body;
    expect(await preview("30 2 * * 1-5")).toEqual({
      cron: "30 2 * * 1-5",
      time_zone: "UTC",
      quartz: "0 30 2 ? * 2,3,4,5,6",
      next_fires: ["2026-03-02T02:30:00.000Z", "2026-03-03T02:30:00.000Z"],
    });
    expect((await preview("0 0 1 * 1")).quartz).toBeNull();
  });
});

describe("a trigger by hand", () => {
  it("orders a run with the caller's name, date and parameters", async () => {
    const schedule = await create({ parameters: { rate: 0.1, epochs: 3 } });
    const body = { parameters: { rate: 0.2 }, run_date: "20260228" };
    const { body: fire } = await bridge.ok("triggerSchedule", { ...at(schedule), body, user: "bob" });
    expect(fire).toMatchObject({ kind: "manual", state: "Ordered", version_name: "v1", requested_by: "bob" });
    const start = (await ground.startCommands()).find(
      ({ data }) => data.origin?.external_id === fire.external_id,
    );
    expect(start?.data).toMatchObject({
      parameters: { rate: 0.2, epochs: 3 },
      run_date: "20260228",
      requested_by: "bob",
      origin: { kind: "schedule", publication_id: schedule.id },
    });
    const { body: read } = await bridge.ok("getFire", { params: { fire_id: fire.id.slice(0, 12) } });
    expect(read).toEqual(fire);
  });

  it("I2: repeated with its Idempotency-Key is one fire", async () => {
    const schedule = await create({ overlap: "allow" });
    const call = async () =>
      (
        await bridge.ok("triggerSchedule", {
          ...at(schedule),
          body: {},
          headers: { "idempotency-key": "once" },
        })
      ).body;
    const made = await Promise.all([call(), call(), call()]);
    expect(new Set(made.map(({ id }) => id)).size).toBe(1);
    expect(await states(schedule)).toEqual(["Ordered"]);
  });
});

describe("overlap, with what the bus tells of runs", () => {
  it("queue: each goes when the one before has ended, whatever it came to, in order, over two replicas", async () => {
    await using other = await ground.start();
    const schedule = await create({ overlap: "queue", max_queued: 2 });
    await Promise.all([bridge, other, bridge, other].map(async (by) => await fireAgain(schedule, by)));
    await reached("one goes, two wait, one is left out", schedule, [
      "Ordered",
      "Queued",
      "Queued",
      "Skipped",
    ]);
    const [first, second, third] = await fires(schedule);
    if (first === undefined || second === undefined || third === undefined) throw new Error("there are four");
    await tell(first, "Failed");
    await reached("the second goes", schedule, ["Failed", "Ordered", "Queued", "Skipped"]);
    await tell((await bridge.ok("getFire", { params: { fire_id: second.id } })).body, "Succeeded");
    await reached("the third goes", schedule, ["Failed", "Succeeded", "Ordered", "Skipped"]);
  });

  it("cancel_old: the old run is cancelled, and the newest starts when it has ended", async () => {
    const schedule = await create({ overlap: "cancel_old" });
    for (let fire = 1; fire <= 3; fire += 1) await fireAgain(schedule);
    expect(await states(schedule)).toEqual(["Ordered", "Skipped", "Queued"]);
    const [first] = await fires(schedule);
    if (first === undefined) throw new Error("there are three");
    await tell(first, "Cancelled");
    await reached("the newest goes", schedule, ["Cancelled", "Skipped", "Ordered"]);
  });

  it("skip: what comes while a run goes on is left out, with the reason", async () => {
    const schedule = await create();
    await fireAgain(schedule);
    expect(await fireAgain(schedule)).toMatchObject({ state: "Skipped", reason: "Overlap", run_id: null });
  });

  it("a policy that becomes allow lets go what waits; a schedule that is deleted leaves nothing waiting", async () => {
    const schedule = await create({ overlap: "queue" });
    for (let fire = 1; fire <= 2; fire += 1) await fireAgain(schedule);
    await bridge.ok("updateSchedule", { ...at(schedule), body: { overlap: "allow" } });
    expect(await states(schedule)).toEqual(["Ordered", "Ordered"]);
    const deleted = await create({ overlap: "queue" });
    for (let fire = 1; fire <= 2; fire += 1) await fireAgain(deleted);
    await bridge.ok("deleteSchedule", at(deleted));
    expect((await fires(deleted)).map(({ state, reason }) => [state, reason])).toEqual([
      ["Ordered", null],
      ["Skipped", "ScheduleDeleted"],
    ]);
  });
});

describe("a back-fill, with what the bus tells of runs", () => {
  const open = async (schedule: { readonly id: string }, body: object) =>
    (await bridge.ok("createBackfill", { ...at(schedule), body })).body;
  const get = async (id: string) => (await bridge.ok("getBackfill", { params: { backfill_id: id } })).body;

  it("runs every date of its range, two at a time, newest first, and says when it is over", async () => {
    const schedule = await create();
    const backfill = await open(schedule, {
      from: "20260226",
      to: "20260302",
      parallelism: 2,
      reverse: true,
    });
    expect(backfill).toMatchObject({ state: "Running", total: 5 });
    for (let ended = 0; ended < 5; ended += 1) {
      const next = await waitFor("another date runs", async () => {
        const going = (await fires(schedule)).filter(({ state }) => state === "Ordered");
        expect(going.length).toBeLessThanOrEqual(2);
        return going[0];
      });
      await tell(next, "Succeeded");
      await waitFor("its end is known", async () => {
        const { body } = await bridge.ok("getFire", { params: { fire_id: next.id } });
        return body.state === "Succeeded";
      });
    }
    await waitFor("the back-fill is over", async () => (await get(backfill.id)).state !== "Running");
    const all = await fires(schedule);
    expect(all.map(({ run_date }) => run_date)).toEqual([
      "20260302",
      "20260301",
      "20260228",
      "20260227",
      "20260226",
    ]);
    expect(new Set(all.map(({ run_id }) => run_id)).size).toBe(5);
    expect(all.every(({ kind }) => kind === "backfill")).toBe(true);
    expect(await get(backfill.id)).toMatchObject({ state: "Succeeded", started: 5, succeeded: 5, failed: 0 });
    const { body: list } = await bridge.ok("listBackfills", at(schedule));
    expect(list.items.map(({ id }) => id)).toEqual([backfill.id]);
  });

  it("that is paused starts nothing, resumed goes on, cancelled starts no more", async () => {
    const schedule = await create();
    const { id } = await open(schedule, { from: "20260101", to: "20260131" });
    const params = { backfill_id: id };
    expect((await bridge.ok("pauseBackfill", { params, body: {} })).body.state).toBe("Paused");
    const [first] = await fires(schedule);
    if (first === undefined) throw new Error("it has begun");
    await tell(first, "Succeeded");
    await reached("the first has ended", schedule, ["Succeeded"]);
    await bridge.ok("resumeBackfill", { params, body: {} });
    await reached("the second goes", schedule, ["Succeeded", "Ordered"]);
    await bridge.ok("cancelBackfill", { params, body: {} });
    await bridge.ok("cancelBackfill", { params, body: {} });
    expect(await get(id)).toMatchObject({ state: "Cancelled", message: "ada cancelled the back-fill." });
    const [, second] = await fires(schedule);
    expect(second?.reason).toBe("Cancelling");
  });

  it.each([
    [{ from: "20260231", to: "20260301" }, "no day"],
    [{ from: "20260302", to: "20260301" }, "later than to"],
    [{ from: "20000101", to: "20260301" }, "more than 3660 days"],
  ])("of %j is refused", async (body, words) => {
    const problem = await bridge.refused("createBackfill", { ...at(await create()), body });
    expect(problem).toMatchObject({ code: "BACKFILL_INVALID" });
    expect(problem.detail).toContain(words);
  });
});

describe("the planner of the service", () => {
  it("I2: fires each second once, made on one replica or the other, also when the leader stops", async () => {
    const first = await ground.start();
    await using second = await ground.start();
    const schedule = await create({ cron: "* * * * * ?", overlap: "allow" }, second);
    await waitFor("three fires", async () => (await fires(schedule)).length >= 3, { timeoutMs: 15_000 });
    await bridge.stop();
    await first.stop();
    bridge = await ground.start();
    const before = (await fires(schedule)).length;
    await waitFor("three more", async () => (await fires(schedule)).length >= before + 3, {
      timeoutMs: 15_000,
    });
    await bridge.ok("pauseSchedule", { ...at(schedule), body: {} });
    const times = (await fires(schedule)).map(({ scheduled_at }) => Date.parse(scheduled_at ?? ""));
    const seconds = times.map((time) => time / 1000);
    expect(seconds).toEqual(seconds.map((_, index) => (seconds[0] ?? 0) + index));
    const runs = new Set((await fires(schedule)).map(({ run_id }): RunId | null => run_id));
    expect(runs.size).toBe(times.length);
  });
});
