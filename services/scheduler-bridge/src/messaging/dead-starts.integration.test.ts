import { cancelRun, type FireView, runId, runIdOfCommand, startRun } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { newOutboxCommand, publishMessage } from "@aiep/service-kit";
import { afterAll, describe, expect, it } from "vitest";
import { type Bridge, type BridgeGround, layBridgeGround } from "../testing/bridge.ts";
import { failingWorkflowSvc, isSettled, WHY } from "../testing/failing-workflow-svc.ts";
import { openBridge } from "../testing/opened-bridge.ts";
import { knownExperiment, publishedFlow, send } from "../testing/published-flow.ts";
import { toldRun } from "../testing/told-run.ts";

/** Deliveries are spaced, and the machine may do much else. */
const PATIENT = { timeoutMs: 60_000 };

const { ground, bridge } = await openBridge();
const workflowSvc = failingWorkflowSvc(ground);
afterAll(async () => await workflowSvc[Symbol.asyncDispose]());

async function schedule(overlap: string, [on, of]: [Bridge, BridgeGround] = [bridge, ground]) {
  const body = { experiment_id: await knownExperiment(of), cron: "0 0 1 1 *", overlap };
  return (await on.ok("createSchedule", { body })).body;
}
type Schedule = Awaited<ReturnType<typeof schedule>>;

const trigger = async ({ id }: Schedule, on: Bridge = bridge): Promise<FireView> =>
  (await on.ok("triggerSchedule", { params: { schedule_id: id }, body: {} })).body;
const fireNow = async ({ id }: Pick<FireView, "id">): Promise<FireView> =>
  (await bridge.ok("getFire", { params: { fire_id: id } })).body;

async function reached(fire: Pick<FireView, "id">, state: FireView["state"]): Promise<FireView> {
  await waitFor(`it is ${state}`, async () => (await fireNow(fire)).state === state, PATIENT);
  return await fireNow(fire);
}

const runOf = ({ run_id, experiment_id: experiment }: FireView) =>
  toldRun(ground, { id: runId.parse(run_id), experiment });

const startsOf = async ({ run_id }: FireView) =>
  (await ground.startCommands()).filter(({ id }) => runIdOfCommand(id) === run_id);
const cancelsOf = async ({ run_id }: FireView) =>
  await ground.pool.query("SELECT 1 FROM outbox WHERE type = ? AND payload LIKE ?", [
    cancelRun.type,
    `%${String(run_id)}%`,
  ]);

describe("a start command that workflow-svc gives up on", () => {
  it("ends its fire with the reason and the way to have it handled again; its schedule goes on", async () => {
    const each = await schedule("skip");
    const dead = await reached(await trigger(each), "Failed");
    expect(dead).toMatchObject({ reason: "DeadLetter" });
    expect(dead.message).toContain(`MESSAGE_INVALID: ${WHY}`);
    expect(dead.message).toMatch(/POST \/v1\/admin\/workflow-svc\/dead-letters\/\d+\/redrive/);
    expect((await trigger(each)).state).toBe("Ordered");
  });

  it("lets the next of a queue go", async () => {
    const each = await schedule("queue");
    const [first, second] = await workflowSvc.rest(async () => [await trigger(each), await trigger(each)]);
    expect(second?.state).toBe("Queued");
    await reached(first, "Failed");
    expect(await reached(second, "Failed")).toMatchObject({ reason: "DeadLetter" }); // ordered, it died too
  });

  it("counts as failed for its back-fill, which goes on to its end", async () => {
    const params = { schedule_id: (await schedule("skip")).id };
    const body = { from: "20260101", to: "20260103", parallelism: 1 };
    const { id } = (await bridge.ok("createBackfill", { params, body })).body;
    const now = async () => (await bridge.ok("getBackfill", { params: { backfill_id: id } })).body;
    await waitFor("it is over", async () => (await now()).state === "Failed", PATIENT);
    expect(await now()).toMatchObject({ started: 3, failed: 3 });
  });

  it("I2: starts its run late when it is handled again, the same run, once", async () => {
    const dead = await reached(await trigger(await schedule("skip")), "Failed");
    await workflowSvc.redriveAll();
    const run = runOf(dead);
    await run.created();
    expect(await reached(dead, "Running")).toMatchObject({ reason: "StartedLate", finished_at: null });
    await run.becomes("Running");
    await run.becomes("Succeeded");
    expect(await reached(dead, "Succeeded")).toMatchObject({ reason: "StartedLate", run_id: dead.run_id });
    const [start, ...more] = await startsOf(dead);
    expect(more).toEqual([]);
    expect(workflowSvc.handled.filter((id) => id === start?.id)).toHaveLength(1);
    expect((await workflowSvc.letters.list({ limit: 100 })).items).toEqual([]);
  });

  it("counts for its schedule's overlap from when its run started late", async () => {
    const each = await schedule("skip");
    const dead = await reached(await trigger(each), "Failed");
    await runOf(dead).created();
    await reached(dead, "Running");
    expect(await trigger(each)).toMatchObject({ state: "Skipped", reason: "Overlap" });
  });

  it("I9: had it been cancelled, its fire is Cancelled, and the run is cancelled should it start after all", async () => {
    const published = await publishedFlow(ground, await knownExperiment(ground));
    const fire = await workflowSvc.rest(async () => {
      const { values } = await published.trigger(bridge, { execution: "1", version_name: "v1" });
      const headers = { "aiep-wait-token": String(values["wait_token"]) };
      const { id } = (await bridge.ok("getFire", { params: { fire_id: String(values["fire_id"]) } })).body;
      await send(`${bridge.url}/v1/fires/${id}/cancel`, { method: "POST", headers });
      return await fireNow({ id });
    });
    expect(await reached(fire, "Cancelled")).toMatchObject({ reason: "DeadLetter" });
    await workflowSvc.redriveAll();
    await runOf(fire).created();
    expect(await reached(fire, "Running")).toMatchObject({ reason: "Cancelling" });
    await waitFor("it is cancelled again", async () => (await cancelsOf(fire)).length === 2);
  });

  it("changes nothing when its run was seen before the letter", async () => {
    const fire = await workflowSvc.rest(async () => {
      const made = await trigger(await schedule("skip"));
      await runOf(made).created();
      return await reached(made, "Running");
    });
    await workflowSvc.settled();
    await isSettled(ground, "scheduleDeadStarts");
    expect(await fireNow(fire)).toMatchObject({ state: "Running", reason: null });
  });

  it("I12: is passed over when it is somebody else's, and so is a letter that cannot be read", async () => {
    const command = newOutboxCommand({
      definition: startRun,
      id: "0198c0de-0000-7000-8000-000000000001",
      data: { experiment_id: await knownExperiment(ground), requested_by: "ada" },
      ...{ aggregateType: "x", aggregateId: "x", aggregateVersion: 1, groupId: "vision" },
      ...{ env: "test", source: "/else", now: new Date() },
    });
    await publishMessage(ground.bus, { ...command, id: command.eventId });
    await publishMessage(ground.bus, {
      ...command,
      id: "garbage",
      headers: { "ce-id": "%ZZ" },
      payload: "?",
    });
    await reached(await trigger(await schedule("skip")), "Failed");
    await workflowSvc.settled();
    await isSettled(ground, "scheduleDeadStarts");
    expect((await bridge.ok("listScheduleDeadLetters", { user: "root" })).body.items).toEqual([]);
  });
});

it("I1: killed between the fire's end and what follows from it, the next of its queue goes with another replica", async () => {
  await using own = await layBridgeGround();
  const first = await own.start();
  const each = await schedule("queue", [first, own]);
  await trigger(each, first);
  await trigger(each, first);
  const states = async () => {
    const rows = await own.pool.query<{ state: string }>("SELECT state FROM fires ORDER BY seq");
    return rows.map(({ state }) => state);
  };
  expect(await states()).toEqual(["Ordered", "Queued"]);
  const waiting = async () => await own.pool.query("SELECT id FROM outbox WHERE published_at IS NULL");
  await waitFor("the order is on the bus", async () => (await waiting()).length === 0, PATIENT);
  await first.stop();
  await using dying = failingWorkflowSvc(own);
  const letters = async () => (await dying.letters.list({ limit: 2 })).items;
  await waitFor("the order died", async () => (await letters()).length === 1, PATIENT);
  await dying[Symbol.asyncDispose]();
  expect(await own.startProcess({ AIEP_FAILPOINTS: "fire.given-up-not-told=kill" })).toBe("SIGKILL");
  expect(await states()).toEqual(["Failed", "Queued"]);
  await own.start();
  await waitFor("the next is ordered", async () => (await states())[1] === "Ordered", PATIENT);
});
