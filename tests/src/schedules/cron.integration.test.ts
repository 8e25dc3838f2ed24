/** Our own cron, back-fills and event triggers with real processes, through aiepctl (D25). */
import { backfillView, fireView, scheduleDetail } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import type { Victim } from "../rig/rig.ts";
import { NOOP, SchedulesRig } from "./schedules-rig.ts";

const fires = z.object({ items: z.array(fireView) });

describe("workflows that run by our own clock", () => {
  let at: SchedulesRig;
  beforeAll(async () => {
    at = await SchedulesRig.start();
  });
  afterAll(async () => {
    await at?.[Symbol.asyncDispose]();
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === "fail") process.stderr.write(`${await at.rig.tails()}\n`);
  });

  const scheduled = async (experiment: string, cron: string, ...more: string[]) =>
    await at.json(scheduleDetail, "schedule", "create", "--workflow", experiment, "--cron", cron, ...more);
  const firesOf = async (source: string) =>
    (await at.json(fires, "schedule", "fires", source, "--all")).items.toReversed();

  /** How many fires there are, whoever is away just now. */
  const fired = async (source: string): Promise<number> => {
    const query = { source_id: source, limit: 500 };
    return (await at.rig.client.persist("listFires", { query })).items.length;
  };

  /** No second of a schedule was left out or had two fires, and each fire has its run. */
  const pausedAndWhole = async (source: string): Promise<void> => {
    expect((await at.ctl("schedule", "pause", source)).code).toBe(0);
    const all = await waitFor(
      "every fire's run ended",
      async () => {
        const found = await firesOf(source);
        return found.every(({ state }) => state === "Succeeded") ? found : undefined;
      },
      { timeoutMs: 60_000, intervalMs: 500 },
    );
    const times = all.map(({ scheduled_at: time }) => Date.parse(time ?? ""));
    const first = times[0] ?? 0;
    expect(times).toEqual(times.map((_, index) => first + index * 1_000));
    const runs = await at.runsOf(source);
    expect(new Set(runs.map(({ id }) => id))).toEqual(new Set(all.map(({ run_id: run }) => run)));
    expect(runs).toHaveLength(all.length);
  };

  it("a schedule fires, each time one run, seen in the execution records with its origin", async () => {
    const experiment = await at.experiment("by-clock", NOOP);
    const schedule = await scheduled(experiment, "*/2 * * * * ?", "--time-zone", "Asia/Shanghai");
    expect(schedule.next_fires.length).toBeGreaterThan(1);
    const runs = await waitFor(
      "three runs",
      async () => {
        const found = await at.runsOf(schedule.id, "--origin", "schedule", "--state", "Succeeded");
        return found.length >= 3 ? found : undefined;
      },
      { timeoutMs: 30_000, intervalMs: 500 },
    );
    const times = runs.map(({ origin }) => Date.parse(origin.external_id ?? ""));
    expect(new Set(times).size).toBe(times.length);
    expect(times.every((time) => time % 2_000 === 0)).toBe(true);
    expect(runs[0]).toMatchObject({ created_by: "alice", version_name: "v1" });
    expect((await at.ctl("schedule", "pause", schedule.id)).stdout).toMatch(/State: +paused/);
    expect((await at.ctl("schedule", "delete", schedule.id, "--yes")).code).toBe(0);
  });

  it("services, bus and database killed again and again, every second still has its one fire and its one run (I2)", async () => {
    const experiment = await at.experiment("killed", NOOP);
    const policies = ["--misfire", "catch_up", "--max-catch-up", "1000", "--overlap", "allow"];
    const schedule = await scheduled(experiment, "* * * * * ?", ...policies);
    const rounds: readonly (readonly Victim[])[] = [
      ["scheduler-bridge"],
      ["nats"],
      ["workflow-svc"],
      ["database"],
      ["workflow-svc", "scheduler-bridge"],
    ];
    for (const victims of rounds) {
      const before = await fired(schedule.id);
      await waitFor("it fires", async () => (await fired(schedule.id)) > before + 1, { timeoutMs: 30_000 });
      for (const name of victims) await at.rig.kill9(name);
      for (const name of victims) await at.rig.start(name);
    }
    const before = await fired(schedule.id);
    await waitFor("it fires after all", async () => (await fired(schedule.id)) > before + 1, {
      timeoutMs: 30_000,
    });
    await pausedAndWhole(schedule.id);
  });

  it("with the bus's store wiped nothing fires twice, by time or by event, and what was ordered runs (I2, I6)", async () => {
    const ticking = await at.experiment("wiped", NOOP);
    const schedule = await scheduled(ticking, "* * * * * ?", "--overlap", "allow");
    const source = await at.experiment("wiped-source", NOOP);
    const sink = await at.experiment("wiped-sink", NOOP);
    const condition = `event.data.experiment_id == "${source}"`;
    const created = await at.ctl(
      ...["trigger", "create", "--name", "wiped", "--workflow", sink, "--event", "workflow.run_succeeded"],
      ...["--condition", condition, "-q"],
    );
    const trigger = created.stdout.trim();
    const caused = async (count: number) => {
      const ran = await at.ctl("workflow", "run", source, "--wait");
      expect(ran.code).toBe(0);
      await waitFor(
        `${count} runs of the sink`,
        async () => (await at.runsOf(trigger, "--state", "Succeeded")).length === count,
        { timeoutMs: 40_000, intervalMs: 300 },
      );
    };
    await caused(1);
    const { nats } = at.rig;
    await nats.stop();
    await nats.wipeStore();
    const before = await fired(schedule.id);
    await waitFor("it fires all the same", async () => (await fired(schedule.id)) > before + 1, {
      timeoutMs: 30_000,
    });
    await nats.start();
    await at.rig.topology();
    await caused(2);
    await pausedAndWhole(schedule.id);
    expect(await firesOf(trigger)).toHaveLength(2);
  });

  it("a back-fill runs every business date of its range once, and says how it went", async () => {
    const experiment = await at.experiment("back", NOOP);
    const schedule = await scheduled(experiment, "0 0 1 1 *", "--paused");
    const range = ["--from", "2026-01-30", "--to", "2026-02-02", "--parallelism", "2"];
    const filled = await at.json(backfillView, "schedule", "backfill", schedule.id, ...range, "--wait");
    expect(filled).toMatchObject({ state: "Succeeded", total: 4, succeeded: 4, failed: 0 });
    const runs = await at.runsOf(schedule.id);
    const dates = runs.map(({ run_date: date, origin }) => `${date} ${origin.kind}`).sort();
    expect(dates).toEqual(["20260130", "20260131", "20260201", "20260202"].map((date) => `${date} backfill`));
  });

  it("fired by hand it runs at once, for the date that was asked for", async () => {
    const experiment = await at.experiment("by-hand", NOOP);
    const schedule = await scheduled(experiment, "0 0 1 1 *");
    const fire = await at.json(fireView, "schedule", "trigger", schedule.id, "--run-date", "20260105");
    expect(fire).toMatchObject({ kind: "manual", run_date: "20260105" });
    expect(await at.runInState(fire.run_id ?? "", "Succeeded")).toMatchObject({ run_date: "20260105" });
  });

  it("published to the local scheduler it is a schedule that only publishing changes", async () => {
    const experiment = await at.experiment("local", NOOP);
    const { id, state } = await at.publish(experiment, "--scheduler", "local", "--cron", "*/2 * * * * ?");
    expect(state).toBe("Published");
    const listed = z.object({ items: z.array(scheduleDetail.omit({ next_fires: true })) });
    const [schedule] = (await at.json(listed, "schedule", "list", "--workflow", experiment)).items;
    expect(schedule?.publication_id).toBe(id);
    const refused = await at.ctl("schedule", "delete", schedule?.id ?? "", "--yes");
    expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining("SCHEDULE_MANAGED") });
    await waitFor(
      "it fires",
      async () => (await firesOf(schedule?.id ?? "")).some((fire) => fire.state === "Succeeded"),
      { timeoutMs: 30_000, intervalMs: 500 },
    );
    expect((await at.ctl("workflow", "unpublish", experiment, "--timeout", "60s")).code).toBe(0);
    expect((await at.json(listed, "schedule", "list", "--workflow", experiment)).items).toEqual([]);
  });

  it("an event runs a workflow once, with what the event says; a trigger that feeds itself stops after one round", async () => {
    const source = await at.experiment("source", NOOP);
    const sink = await at.experiment(
      "sink",
      `parameters:\n  - { name: of, type: string, default: "" }\n${NOOP}`,
    );
    const condition = `event.data.experiment_id == "${source}"`;
    const created = await at.ctl(
      ...[
        "trigger",
        "create",
        "--name",
        "after-source",
        "--workflow",
        sink,
        "--event",
        "workflow.run_succeeded",
      ],
      ...["--condition", condition, "--param", "of=event.subject", "-q"],
    );
    expect(created.code).toBe(0);
    const trigger = created.stdout.trim();
    const sample = JSON.stringify({ experiment_id: source });
    const tried = await at.ctl(
      "trigger",
      "test",
      trigger,
      "--type",
      "workflow.run_succeeded",
      "--data",
      sample,
    );
    expect(tried.stdout).toMatch(/Fires: +yes/);
    const ran = await at.json(z.object({ id: z.string() }), "workflow", "run", source, "--wait");
    const [caused] = await waitFor(
      "the sink ran",
      async () => {
        const found = await at.runsOf(trigger, "--origin", "trigger", "--state", "Succeeded");
        return found.length > 0 ? found : undefined;
      },
      { timeoutMs: 30_000, intervalMs: 300 },
    );
    expect(caused?.parameters).toEqual({ of: ran.id });
    const selfish = await at.ctl(
      ...["trigger", "create", "--name", "self", "--workflow", sink, "--event", "workflow.run_succeeded"],
      ...["--condition", `event.data.experiment_id == "${sink}"`, "-q"],
    );
    await at.json(z.object({ id: z.string() }), "workflow", "run", sink, "--wait");
    const held = await waitFor(
      "it is held back",
      async () => (await firesOf(selfish.stdout.trim())).find(({ state }) => state === "Skipped"),
      { timeoutMs: 30_000, intervalMs: 300 },
    );
    expect(held.message).not.toBeNull();
    expect(await at.runsOf(selfish.stdout.trim())).toHaveLength(1);
    expect(await firesOf(trigger)).toHaveLength(1);
  });
});
