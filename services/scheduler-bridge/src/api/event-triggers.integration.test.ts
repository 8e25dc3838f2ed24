import {
  type DataOf,
  type ExperimentId,
  groupId,
  type RunOrigin,
  runIdOfCommand,
  type TaskId,
  taskId,
  taskSucceeded,
} from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { publishMessage, randomHex } from "@aiep/service-kit";
import { describe, expect, it } from "vitest";
import { openBridge } from "../testing/opened-bridge.ts";
import { knownExperiment } from "../testing/published-flow.ts";
import { type ToldRun, toldRun } from "../testing/told-run.ts";

const { ground, bridge } = await openBridge();

const experiment = async (group?: string) => await knownExperiment(ground, group);

/** A trigger of ada's that ends with the test. */
async function trigger(body: Readonly<Record<string, unknown>>) {
  const { body: made } = await bridge.ok("createEventTrigger", { body: { name: "when", ...body } });
  return {
    ...made,
    params: { trigger_id: made.id },
    [Symbol.asyncDispose]: async () => {
      await bridge.ok("deleteEventTrigger", { params: { trigger_id: made.id } });
    },
  };
}

const fires = async (source: string) =>
  (await bridge.ok("listFires", { query: { source_id: source, limit: "500" } })).body.items;
const startsOf = async (source: string) =>
  (await ground.startCommands()).filter(({ data }) => data.origin?.publication_id === source);

function succeeded(
  id: TaskId,
  more: Partial<DataOf<typeof taskSucceeded>> = {},
): DataOf<typeof taskSucceeded> {
  return {
    ...{
      task_id: id,
      group_id: groupId.parse("vision"),
      name: "train",
      state: "Succeeded",
      reason: "Completed",
    },
    ...{ message: "", attempt: 1, nodes: [], started_at: null, finished_at: null },
    ...more,
  } as DataOf<typeof taskSucceeded>; // the bus checks it
}
const newTask = () => taskId.parse(randomHex(16));

/** Everything that this service told of itself, it has heard as well. */
async function settled(runs: readonly ToldRun[] = []): Promise<void> {
  const heard =
    "SELECT 1 FROM consumer_versions v WHERE v.aggregate_type = o.aggregate_type AND v.aggregate_id = o.aggregate_id AND v.version >= o.aggregate_version";
  await waitFor("everything told is heard", async () => {
    const open = await ground.pool.query(
      `SELECT 1 FROM outbox o WHERE o.stream = 'SCHEDULE' AND NOT EXISTS (${heard}) LIMIT 1`,
    );
    const known = await Promise.all(
      runs.map(async ({ id, version }) => {
        const [row] = await ground.pool.query<{ version: number }>(
          "SELECT version FROM consumer_versions WHERE aggregate_type = 'run' AND aggregate_id = ?",
          [id],
        );
        return (row?.version ?? 0) >= version();
      }),
    );
    return open.length === 0 && known.every(Boolean);
  });
}

describe("an event trigger", () => {
  it("is made, read, changed, listed and deleted by members of its group", async () => {
    const id = await experiment();
    const body = {
      ...{ name: "after training", experiment_id: id, event: "task.succeeded" },
      ...{ condition: "event.data.name == 'train'", parameters: { task: "event.subject" } },
    };
    const { body: made, headers } = await bridge.ok("createEventTrigger", { body });
    const params = { trigger_id: made.id };
    expect(made).toMatchObject({
      ...body,
      group_id: "vision",
      owner: "ada",
      max_per_hour: 120,
      problem: null,
    });
    expect(headers.get("etag")).toBe('"v1"');
    const short = { params: { trigger_id: made.id.slice(0, 8) } };
    expect((await bridge.ok("getEventTrigger", { ...short, user: "vera" })).body.id).toBe(made.id);
    expect((await bridge.refused("getEventTrigger", { ...short, user: "eve" })).code).toBe(
      "EVENT_TRIGGER_NOT_FOUND",
    );
    const stale = { params, body: { paused: true }, headers: { "if-match": '"v7"' } };
    expect((await bridge.refused("updateEventTrigger", stale)).code).toBe("PRECONDITION_FAILED");
    const change = { params, body: { paused: true, condition: null } };
    expect((await bridge.refused("updateEventTrigger", { ...change, user: "vera" })).code).toBe(
      "VIEWER_ONLY",
    );
    const { body: changed } = await bridge.ok("updateEventTrigger", { ...change, user: "bob" });
    expect(changed).toMatchObject({ paused: true, condition: null, owner: "bob", version: 2 });
    const listed = await bridge.ok("listEventTriggers", { query: { experiment_id: id } });
    expect(listed.body.items).toEqual([changed]);
    await bridge.ok("deleteEventTrigger", { params });
    expect((await bridge.refused("getEventTrigger", { params })).code).toBe("EVENT_TRIGGER_NOT_FOUND");
    expect((await bridge.refused("deleteEventTrigger", { params })).code).toBe("EVENT_TRIGGER_NOT_FOUND");
  });

  it("is refused with every field that cannot be used", async () => {
    const body = {
      ...{ name: "x", experiment_id: await experiment(), event: "task.succeded" },
      ...{ condition: "event.dat == 1", parameters: { p: "1 +" }, run_date: "true" },
    };
    const { code, errors } = await bridge.refused("createEventTrigger", { body });
    expect(code).toBe("EVENT_TRIGGER_INVALID");
    expect(errors?.map(({ pointer }) => pointer)).toEqual([
      "/event",
      "/condition",
      "/run_date",
      "/parameters/p",
    ]);
    const other = { ...body, experiment_id: await experiment("speech") };
    expect((await bridge.refused("createEventTrigger", { body: other })).code).toBe("EXPERIMENT_NOT_FOUND");
  });

  it("shows what it would make of an event, and starts nothing", async () => {
    await using made = await trigger({
      ...{ experiment_id: await experiment(), event: "external.data.ready", run_date: "event.data.day" },
      ...{ condition: "event.data.rows > 10", parameters: { rows: "event.data.rows" } },
    });
    const test = async (data: object, type = "external.data.ready") =>
      (await bridge.ok("testEventTrigger", { params: made.params, body: { event: { type, data } } })).body;
    expect(await test({ rows: 11, day: "2026-03-01" })).toMatchObject({
      ...{ fires: true, parameters: { rows: 11 }, run_date: "20260301" },
    });
    expect(await test({ rows: 1 })).toMatchObject({ fires: false, message: "The condition does not hold." });
    expect(await test({})).toMatchObject({ fires: false, message: expect.stringContaining("No such key") });
    expect(await test({ rows: 11 }, "external.other")).toMatchObject({ fires: false });
    expect(await fires(made.id)).toEqual([]);
  });
});

describe("an event of a group", () => {
  it("starts the run that its trigger maps it to, with the newest version and whose trigger it is", async () => {
    const id = await experiment();
    await using made = await trigger({
      ...{ experiment_id: id, event: "task.succeeded", condition: "event.data.name == 'mine'" },
      ...{ parameters: { task: "event.data.task_id", by: "event.type" }, run_date: "'2026-03-01'" },
    });
    const [mine, other] = [newTask(), newTask()];
    await ground.tell(taskSucceeded, { type: "task", id: other }, succeeded(other));
    await ground.tell(taskSucceeded, { type: "task", id: mine }, succeeded(mine, { name: "mine" }));
    await waitFor("it fired", async () => (await fires(made.id)).length === 1);
    const [start] = await startsOf(made.id);
    expect(start?.data).toMatchObject({
      ...{ experiment_id: id, version_name: "v1", parameters: { task: mine, by: "task.succeeded" } },
      ...{ run_date: "20260301", requested_by: "ada", origin: { kind: "trigger", publication_id: made.id } },
    });
  });

  it("starts nothing of another group, and nothing of a trigger that rests", async () => {
    const id = await experiment();
    await using resting = await trigger({ experiment_id: id, event: "task.succeeded", paused: true });
    await using foreign = await trigger({ experiment_id: id, event: "external.marker" });
    await using probe = await trigger({ experiment_id: id, event: "task.succeeded" });
    const [task, own] = [newTask(), newTask()];
    const speech = groupId.parse("speech");
    const at = { type: "task", id: task, group: "speech" };
    await ground.tell(taskSucceeded, at, succeeded(task, { group_id: speech }));
    await ground.tell(taskSucceeded, { type: "task", id: own }, succeeded(own));
    const event = { specversion: "1.0", id: randomHex(8), source: "/lake", type: "marker" };
    await bridge.ok("receiveEvent", { user: "eve", params: { group_id: "speech" }, body: event });
    await waitFor("the last one fired", async () => (await fires(probe.id)).length === 1);
    await settled();
    expect(await fires(resting.id)).toEqual([]);
    expect(await fires(foreign.id)).toEqual([]);
    expect((await fires(probe.id)).length).toBe(1);
  });

  it("I2: told again after the position was lost, has one run", async () => {
    await using made = await trigger({
      ...{ experiment_id: await experiment(), event: "external.once" },
    });
    const event = { specversion: "1.0", id: randomHex(8), source: "/lake", type: "once", data: { n: 1 } };
    const sent = { params: { group_id: "vision" }, body: event };
    const { body: first } = await bridge.ok("receiveEvent", sent);
    await waitFor("it fired", async () => (await fires(made.id)).length === 1);
    const { body: again } = await bridge.ok("receiveEvent", sent);
    expect([first.duplicate, again]).toEqual([false, { event_id: first.event_id, duplicate: true }]);
    const [row] = await ground.pool.query<{ subject: string; headers: string; payload: string }>(
      "SELECT subject, headers, payload FROM outbox WHERE aggregate_id = ?",
      [first.event_id],
    );
    await ground.pool.execute("DELETE FROM consumer_versions WHERE aggregate_id = ?", [first.event_id]);
    await publishMessage(ground.bus, {
      ...{ id: randomHex(16), stream: "SCHEDULE", subject: row?.subject ?? "", payload: row?.payload ?? "" },
      headers: JSON.parse(row?.headers ?? "{}"),
    });
    await waitFor("it was heard again", async () => {
      const rows = await ground.pool.query("SELECT 1 FROM consumer_versions WHERE aggregate_id = ?", [
        first.event_id,
      ]);
      return rows.length > 0;
    });
    await settled();
    expect(await startsOf(made.id)).toHaveLength(1);
    expect(await fires(made.id)).toHaveLength(1);
  });

  it("that a trigger cannot judge is told with the trigger, which goes on with the next one", async () => {
    await using made = await trigger({
      ...{ experiment_id: await experiment(), event: "external.rows", condition: "event.data.rows > 1" },
    });
    const send = async (data: object) => {
      const body = { specversion: "1.0", id: randomHex(8), source: "/lake", type: "rows", data };
      await bridge.ok("receiveEvent", { params: { group_id: "vision" }, body });
    };
    await send({ lines: 2 });
    await send({ rows: 2 });
    await waitFor("it fired", async () => (await fires(made.id)).length === 1);
    const { problem } = (await bridge.ok("getEventTrigger", { params: made.params })).body;
    expect(problem).toBe("The condition (event.data.rows > 1): No such key: rows.");
    const { body: changed } = await bridge.ok("updateEventTrigger", {
      params: made.params,
      body: { name: "n" },
    });
    expect(changed.problem).toBeNull();
  });

  it("beyond max_per_hour is passed over, and one skipped fire says so", async () => {
    await using made = await trigger({
      ...{ experiment_id: await experiment(), event: "external.flood", max_per_hour: 2 },
    });
    for (let number = 0; number < 6; number += 1) {
      const body = { specversion: "1.0", id: `flood-${number}`, source: made.id, type: "flood" };
      await bridge.ok("receiveEvent", { params: { group_id: "vision" }, body });
    }
    await settled();
    const all = await fires(made.id);
    expect(all.filter(({ state }) => state === "Ordered")).toHaveLength(2);
    // An hour that begins meanwhile has one of its own.
    const skipped = all.filter(({ state }) => state === "Skipped");
    expect(skipped.length === 1 || skipped.length === 2).toBe(true);
    expect(skipped[0]).toMatchObject({ reason: "RateExceeded", run_id: null });
  });

  it("whose experiment was deleted becomes a fire that says so", async () => {
    const id = await experiment();
    await using made = await trigger({ experiment_id: id, event: "external.late" });
    await ground.pool.execute("UPDATE experiments SET deleted = 1 WHERE id = ?", [id]);
    const body = { specversion: "1.0", id: randomHex(8), source: "/lake", type: "late" };
    await bridge.ok("receiveEvent", { params: { group_id: "vision" }, body });
    await waitFor("it is told", async () => (await fires(made.id)).length === 1);
    expect(await fires(made.id)).toMatchObject([{ state: "Skipped", run_id: null }]);
    expect(await startsOf(made.id)).toEqual([]);
  });
});

describe("triggers that feed each other", () => {
  /** workflow-svc: every run that is ordered is there, and succeeds; what it causes in turn as well. */
  async function play(
    sources: readonly string[],
    also: (run: ToldRun, id: ExperimentId) => Promise<ToldRun[]>,
  ) {
    const played = new Map<string, ToldRun>();
    const more: ToldRun[] = [];
    for (;;) {
      const all = (await Promise.all(sources.map(startsOf))).flat();
      const fresh = all.filter(({ id }) => !played.has(id));
      if (fresh.length === 0) return [...played.values()];
      for (const { id, data } of fresh) {
        const run = succeed(runIdOfCommand(id), data.experiment_id, data.origin ?? { kind: "manual" });
        played.set(id, await run);
        more.push(...(await also(await run, data.experiment_id)));
      }
      await settled([...played.values(), ...more]);
    }
  }
  async function succeed(id: ToldRun["id"], of: ExperimentId, origin: RunOrigin): Promise<ToldRun> {
    const run = toldRun(ground, { id, experiment: of, origin });
    await run.created();
    await run.becomes("Running");
    await run.becomes("Succeeded");
    return run;
  }
  const nothing = async () => [];
  const first = async (type: string) => {
    const body = { specversion: "1.0", id: randomHex(8), source: "/lake", type };
    await bridge.ok("receiveEvent", { params: { group_id: "vision" }, body });
    await settled();
  };

  it("a trigger that hears its own run stops after it, and says why", async () => {
    const id = await experiment();
    await using made = await trigger({ experiment_id: id, event: "workflow.run_succeeded" });
    const start = await succeed(runIdOfCommand(randomHex(8)), id, { kind: "manual" });
    await settled([start]);
    await play([made.id], nothing);
    const all = await fires(made.id);
    expect(all.map(({ state }) => state)).toEqual(["Skipped", "Succeeded"]);
    expect(all[0]).toMatchObject({
      reason: "Loop",
      message: expect.stringContaining("start itself for ever"),
    });
    expect(await startsOf(made.id)).toHaveLength(1);
  });

  it("also when it is a rerun, or a child run, of the run that it started", async () => {
    const id = await experiment();
    await using made = await trigger({
      ...{ experiment_id: id, event: "workflow.run_succeeded" },
      ...{ condition: "event.data.run_id != ''" },
    });
    await settled([await succeed(runIdOfCommand(randomHex(8)), id, { kind: "manual" })]);
    await play([made.id], async (run, of) => {
      const parent_run_id = run.id;
      const rerun = await succeed(runIdOfCommand(randomHex(8)), of, { kind: "rerun", parent_run_id });
      const origin: RunOrigin = { kind: "sub_workflow", parent_run_id: rerun.id };
      return [rerun, await succeed(runIdOfCommand(randomHex(8)), of, origin)];
    });
    expect(await startsOf(made.id)).toHaveLength(1);
  });

  it("two that start each other's workflow end after one run each", async () => {
    const [left, right] = [await experiment(), await experiment()];
    const ofRun = (id: string) => ({
      ...{ event: "workflow.run_succeeded", condition: `event.data.experiment_id == '${id}'` },
    });
    await using begin = await trigger({ experiment_id: left, event: "external.ring" });
    await using toRight = await trigger({ experiment_id: right, ...ofRun(left) });
    await using toLeft = await trigger({ experiment_id: left, ...ofRun(right) });
    await first("ring");
    await play([begin.id, toRight.id, toLeft.id], nothing);
    expect(await startsOf(begin.id)).toHaveLength(1);
    expect(await startsOf(toRight.id)).toHaveLength(1);
    expect(await startsOf(toLeft.id)).toHaveLength(1);
    expect(await fires(toRight.id)).toMatchObject([{ reason: "Loop" }, { state: "Succeeded" }]);
  });

  it("two that hear each other's fires, skipped ones too, fall silent", async () => {
    const id = await experiment();
    await using one = await trigger({ experiment_id: id, event: "schedule.fire_*" });
    await using two = await trigger({ experiment_id: id, event: "schedule.fire_*" });
    await using begin = await trigger({ experiment_id: id, event: "external.bell" });
    await first("bell");
    await play([begin.id, one.id, two.id], nothing);
    await settled();
    const told = await Promise.all([fires(one.id), fires(two.id)]);
    expect(told.flat().length).toBeLessThan(100);
    expect(told.flat().some(({ reason }) => reason === "Loop")).toBe(true);
  });
});
