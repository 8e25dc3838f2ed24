import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { businessDate } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { describe, expect, test } from "vitest";
import { pauseSchedule, resumeSchedule } from "../domain/schedule.ts";
import { layScheduling, type SchedulingGround } from "../testing/scheduling.ts";

const START = "2026-03-01T00:00:30Z";
const MINUTE_MS = 60_000;
const PROGRAM = join(import.meta.dirname, "../testing/planner-process.ts");

/** Replicas whose planners run until the end of the test. */
function planners(ground: SchedulingGround, count: number) {
  const stop = new AbortController();
  const replicas = Array.from({ length: count }, () => ground.replica());
  const running = replicas.map(async ({ planner }) => await planner.run(stop.signal));
  return {
    wake: () => {
      for (const { planner } of replicas) planner.wake();
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await Promise.all(running);
    },
  };
}

describe("two planners at once", () => {
  test("I2: make one fire and one command of each time, and leave none out", async () => {
    await using ground = await layScheduling(START);
    const { clock, store } = ground;
    for (const cron of ["* * * * *", "*/2 * * * *", "30 * * * * ?"])
      await ground.schedule({ cron, overlap: "allow" });
    await using both = planners(ground, 2);
    for (let minute = 1; minute <= 20; minute += 1) {
      clock.set(new Date(Date.parse(START) + minute * MINUTE_MS));
      both.wake();
      const due = 2 * minute + Math.floor(minute / 2);
      await waitFor(`the fires of minute ${minute}`, async () => (await ground.fires()).length >= due);
    }
    const fires = await ground.fires();
    expect(fires).toHaveLength(50);
    expect(fires.every(({ state, versionName }) => state === "Ordered" && versionName === "v1")).toBe(true);
    expect(new Set(fires.map(({ key }) => key)).size).toBe(50);
    expect(new Set(fires.map(({ runId }) => runId)).size).toBe(50);
    expect(await ground.commands()).toEqual(Array.from({ length: 50 }, () => "start_run"));
    const rows = await store.pool.query("SELECT id FROM schedules WHERE next_fire_at <= ?", [clock.now]);
    expect(rows).toEqual([]);
  });

  test("plan the same schedule at the same moment, again and again: each time is decided once", async () => {
    await using ground = await layScheduling(START);
    const { id } = await ground.schedule({ cron: "* * * * *", overlap: "queue", misfire: "catch_up" });
    const replicas = [ground.replica(), ground.replica(), ground.replica()];
    for (let minute = 1; minute <= 10; minute += 1) {
      ground.clock.set(new Date(Date.parse(START) + minute * MINUTE_MS));
      await Promise.all(replicas.map(async ({ scheduleTurns }) => await scheduleTurns.plan(id)));
    }
    expect(await ground.states()).toEqual(["Ordered", ...Array.from({ length: 9 }, () => "Queued")]);
  });
});

describe("a planner that is killed", () => {
  async function plan({ store, clock }: SchedulingGround, failpoints?: string): Promise<string | number> {
    const child = spawn(process.execPath, ["--conditions=aiep:source", PROGRAM], {
      stdio: ["pipe", "ignore", "inherit"],
    });
    const job = { database_url: store.url, now: clock.now.toISOString() };
    child.stdin.end(JSON.stringify(failpoints === undefined ? job : { ...job, failpoints }));
    const [code, signal] = await once(child, "exit");
    return (signal ?? code) as string | number; // one of the two is null
  }

  test.each(["planner.claimed-not-written", "planner.written-not-told"])(
    "I2: at %s leaves each time to be fired once",
    async (gap) => {
      await using ground = await layScheduling(START);
      await ground.schedule({ cron: "* * * * *", overlap: "queue", misfire: "catch_up" });
      for (let minute = 1; minute <= 2; minute += 1) {
        ground.clock.set(new Date(Date.parse(START) + minute * MINUTE_MS));
        const fires = (await ground.fires()).length;
        expect(await plan(ground, `${gap}=kill`)).toBe("SIGKILL");
        expect((await ground.fires()).length - fires).toBe(gap === "planner.written-not-told" ? 1 : 0);
        expect(await plan(ground)).toBe(0);
        expect(await plan(ground)).toBe(0);
      }
      const fires = await ground.fires();
      expect(fires.map(({ scheduledAt }) => scheduledAt?.toISOString())).toEqual(
        [1, 2].map((minute) => `2026-03-01T00:0${minute}:00.000Z`),
      );
      expect(await ground.commands()).toEqual(["start_run"]);
    },
  );
});

test("1 000 fires over virtual years, one by one and after outages: none lost, none twice, each with the business date of its day", async () => {
  await using ground = await layScheduling("2026-01-01T00:00:00Z");
  const { clock } = ground;
  const { schedules, scheduleTurns } = ground.replica();
  const cron = { cron: "30 2 * * *", timeZone: "Europe/Berlin", overlap: "allow" } as const;
  const { id } = await ground.schedule({ ...cron, misfire: "catch_up", maxCatchUp: 50 });
  const DAY_MS = 24 * 60 * MINUTE_MS;
  for (let made = 0; made < 1000; ) {
    const due = await schedules.earliest();
    if (due === null) throw new Error("it goes on");
    const days = made < 100 ? 1 : 45;
    // A little later than its time, also over a day that has 23 hours.
    clock.set(new Date(due.getTime() + (days - 1) * DAY_MS + 2 * 60 * MINUTE_MS));
    await scheduleTurns.plan(id);
    made += days;
  }
  const all = await ground.fires();
  expect(all).toHaveLength(1000);
  expect(all.every(({ state }) => state === "Ordered")).toBe(true);
  const dates = all.map(({ runDate }) => runDate);
  expect(dates.slice(0, 2)).toEqual(["20251231", "20260101"]);
  expect(new Set(dates).size).toBe(1000);
  for (const { scheduledAt, runDate } of all)
    expect(runDate).toBe(businessDate(scheduledAt ?? new Date(0), "Europe/Berlin"));
});

describe("after a stop", () => {
  test.each([
    ["skip", ["Skipped"]],
    ["run_once", ["Skipped", "Ordered"]],
    ["catch_up", ["Skipped", "Ordered", "Ordered", "Ordered"]],
  ] as const)("misfire %s", async (misfire, states) => {
    await using ground = await layScheduling(START);
    const { id } = await ground.schedule({ cron: "0 * * * *", misfire, maxCatchUp: 3, overlap: "allow" });
    ground.clock.set("2026-03-01T10:30:00Z");
    await ground.replica().scheduleTurns.plan(id);
    expect(await ground.states()).toEqual(states);
    const [skipped] = await ground.fires();
    expect(skipped).toMatchObject({
      reason: "Misfire",
      message: expect.stringContaining(`policy ${misfire}`),
    });
  });

  test("what passed while it was paused is never made up for", async () => {
    await using ground = await layScheduling(START);
    const { scheduleTurns } = ground.replica();
    const { id } = await ground.schedule({ cron: "0 * * * *", misfire: "catch_up" });
    const author = (at: Date) => ({ by: "ada", at });
    await scheduleTurns.change(id, (schedule, at) => pauseSchedule(schedule, author(at)));
    ground.clock.set("2026-03-01T10:30:00Z");
    await scheduleTurns.plan(id);
    await scheduleTurns.change(id, (schedule, at) => resumeSchedule(schedule, author(at)));
    ground.clock.set("2026-03-01T11:00:01Z");
    await scheduleTurns.plan(id);
    expect((await ground.fires()).map(({ scheduledAt }) => scheduledAt?.toISOString())).toEqual([
      "2026-03-01T11:00:00.000Z",
    ]);
  });
});

test("of a deleted experiment one fire says why, and the schedule is paused", async () => {
  await using ground = await layScheduling(START);
  const { schedules, scheduleTurns } = ground.replica();
  const { id } = await ground.schedule({ cron: "* * * * *" });
  await ground.store.pool.execute("UPDATE experiments SET deleted = 1");
  for (const now of ["2026-03-01T00:01:00Z", "2026-03-01T00:02:00Z"]) {
    ground.clock.set(now);
    await scheduleTurns.plan(id);
  }
  expect(await ground.fires()).toMatchObject([{ state: "Skipped", reason: "ExperimentNotFound" }]);
  expect(await schedules.get(id)).toMatchObject({ paused: true, nextFireAt: null, version: 2, owner: "ada" });
});

describe("overlap", () => {
  async function fired(ground: SchedulingGround, overlap: "skip" | "queue" | "cancel_old", minutes: number) {
    const schedule = await ground.schedule({ cron: "* * * * *", overlap, maxQueued: 2 });
    const { scheduleTurns } = ground.replica();
    for (let minute = 1; minute <= minutes; minute += 1) {
      ground.clock.set(new Date(Date.parse(START) + minute * MINUTE_MS));
      await scheduleTurns.plan(schedule.id);
    }
    return schedule;
  }

  test("skip leaves out what comes while a run goes on", async () => {
    await using ground = await layScheduling(START);
    await fired(ground, "skip", 3);
    expect((await ground.fires()).map(({ state, reason }) => [state, reason])).toEqual([
      ["Ordered", null],
      ["Skipped", "Overlap"],
      ["Skipped", "Overlap"],
    ]);
  });

  test("queue starts one when another ended, in order, and holds no more than its bound", async () => {
    await using ground = await layScheduling(START);
    await fired(ground, "queue", 4);
    expect((await ground.fires()).map(({ state, reason }) => [state, reason])).toEqual([
      ["Ordered", null],
      ["Queued", null],
      ["Queued", null],
      ["Skipped", "QueueFull"],
    ]);
    const [first, second] = await ground.fires();
    if (first === undefined || second === undefined) throw new Error("there are four");
    await ground.tell(first, "Failed");
    expect(await ground.states()).toEqual(["Failed", "Ordered", "Queued", "Skipped"]);
    await ground.tell(second, "Succeeded");
    expect(await ground.states()).toEqual(["Failed", "Succeeded", "Ordered", "Skipped"]);
  });

  test("cancel_old cancels once, waits for the end, and starts the newest alone", async () => {
    await using ground = await layScheduling(START);
    await fired(ground, "cancel_old", 3);
    expect((await ground.fires()).map(({ state, reason }) => [state, reason])).toEqual([
      ["Ordered", "Cancelling"],
      ["Skipped", "Superseded"],
      ["Queued", null],
    ]);
    expect(await ground.commands()).toEqual(["start_run", "cancel_run"]);
    const [first] = await ground.fires();
    if (first === undefined) throw new Error("there are three");
    await ground.tell(first, "Cancelled");
    expect(await ground.states()).toEqual(["Cancelled", "Skipped", "Ordered"]);
  });

  test("ends and new fires that cross leave one run going and nothing stuck", async () => {
    await using ground = await layScheduling(START);
    const { id } = await ground.schedule({ cron: "* * * * *", overlap: "queue" });
    const { scheduleTurns } = ground.replica();
    for (let minute = 1; minute <= 25; minute += 1) {
      ground.clock.set(new Date(Date.parse(START) + minute * MINUTE_MS));
      const going = (await ground.fires()).find(({ state }) => state === "Ordered");
      await Promise.all([
        scheduleTurns.plan(id),
        going === undefined ? undefined : ground.tell(going, "Succeeded"),
      ]);
      expect((await ground.states()).filter((state) => state === "Ordered")).toHaveLength(1);
    }
    expect(await ground.states()).toEqual([...Array.from({ length: 24 }, () => "Succeeded"), "Ordered"]);
  });

  test("I1: a queued fire whose release was lost in a crash goes when the leader sweeps", async () => {
    await using ground = await layScheduling(START);
    await fired(ground, "queue", 2);
    await ground.store.pool.execute("UPDATE fires SET state = 'Succeeded' WHERE state = 'Ordered'");
    await ground.replica().firing.sweep();
    expect(await ground.states()).toEqual(["Succeeded", "Ordered"]);
  });
});

describe("a back-fill", () => {
  test("runs each date once, never more than its parallelism at once, and ends", async () => {
    await using ground = await layScheduling(START);
    const schedule = await ground.schedule({ cron: "0 0 * * *" });
    const { backfills } = ground.replica();
    const { id } = await ground.backfill(schedule, {
      from: "20260225",
      to: "20260302",
      parallelism: 3,
      reverse: true,
    });
    let most = 0;
    for (;;) {
      const going = (await ground.fires()).filter(({ state }) => state === "Ordered");
      most = Math.max(most, going.length);
      if (going.length === 0) break;
      await Promise.all(going.slice(0, 2).map(async (fire) => await ground.tell(fire, "Succeeded")));
    }
    expect(most).toBe(3);
    expect((await ground.fires()).map(({ runDate }) => runDate)).toEqual([
      "20260302",
      "20260301",
      "20260228",
      "20260227",
      "20260226",
      "20260225",
    ]);
    expect(await backfills.get(id)).toMatchObject({
      state: "Succeeded",
      started: 6,
      succeeded: 6,
      failed: 0,
    });
  });

  test("stops on failure; while it is paused nothing starts; cancelled, its runs are too", async () => {
    await using ground = await layScheduling(START);
    const schedule = await ground.schedule({ cron: "0 0 * * *" });
    const { backfills, backfillTurns } = ground.replica();
    const stopping = await ground.backfill(schedule, { parallelism: 1, stopOnFailure: true });
    const [first] = await ground.fires();
    if (first === undefined) throw new Error("it has begun");
    await ground.tell(first, "Failed");
    expect(await backfills.get(stopping.id)).toMatchObject({ state: "Failed", started: 1, failed: 1 });
    expect((await backfills.get(stopping.id))?.message).toContain("9 were not started");
    const cancelled = await ground.backfill(schedule, { parallelism: 2 });
    await backfillTurns.cancel(cancelled.id, "ada cancelled the back-fill.");
    expect(await backfills.get(cancelled.id)).toMatchObject({ state: "Cancelled", started: 2 });
    expect((await ground.commands()).filter((command) => command === "cancel_run")).toHaveLength(2);
  });

  test("does not count for the schedule's overlap", async () => {
    await using ground = await layScheduling(START);
    const schedule = await ground.schedule({ cron: "* * * * *", overlap: "skip" });
    await ground.backfill(schedule, { parallelism: 2 });
    ground.clock.set("2026-03-01T00:01:00Z");
    await ground.replica().scheduleTurns.plan(schedule.id);
    expect((await ground.fires()).at(-1)).toMatchObject({ kind: "schedule", state: "Ordered" });
  });
});
