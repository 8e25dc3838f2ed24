/** Causes told again from outside after their fires went: with the real bus, and rows made old. */
import { type CloudEventBody, type FireView, runId } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { createLogger, publishMessage, randomHex } from "@aiep/service-kit";
import { describe, expect, it } from "vitest";
import { tidyUp } from "../control/retention.ts";
import { OldRows } from "../store/old-rows.ts";
import { openBridge } from "../testing/opened-bridge.ts";
import { knownExperiment, publishedFlow } from "../testing/published-flow.ts";
import { toldRun } from "../testing/told-run.ts";

const DAY_MS = 86_400_000;
const { ground, bridge } = await openBridge();
const log = createLogger({ service: "retention-test", level: "silent" });

const tidy = async () =>
  await tidyUp(
    {
      rows: new OldRows(ground.pool),
      keep: { fireMs: 31 * DAY_MS, deliveryMs: 7 * DAY_MS, historyMs: 30 * DAY_MS },
      clock: () => new Date(),
      log,
    },
    new AbortController().signal,
  );

const firesOf = async (source: string): Promise<readonly FireView[]> =>
  (await bridge.ok("listFires", { query: { source_id: source } })).body.items;

/** Its run ended, a hundred days ago. */
async function longOver({ id, run_id, experiment_id: experiment }: FireView): Promise<void> {
  const run = toldRun(ground, { id: runId.parse(run_id), experiment });
  await run.created();
  await run.becomes("Succeeded");
  await waitFor("it ended", async () => {
    const { state } = (await bridge.ok("getFire", { params: { fire_id: id } })).body;
    return state === "Succeeded";
  });
  await ground.pool.multi([
    `UPDATE fires SET created_at = NOW(3) - INTERVAL 100 DAY, finished_at = NOW(3) - INTERVAL 100 DAY,
       last_wait_at = last_wait_at - INTERVAL 100 DAY WHERE id = '${id}'`,
    `UPDATE run_lineage SET created_at = NOW(3) - INTERVAL 100 DAY WHERE fire_id = '${id}'`,
  ]);
}

describe("I2: after its fire went", () => {
  it("a webhook that was signed then starts nothing; while it may be replayed by hand its fire does not go", async () => {
    const flow = await publishedFlow(ground, await knownExperiment(ground));
    const order = { execution: "7", version_name: "v1" };
    const webhookId = randomHex(16);
    const then = new Date(Date.now() - 4 * 60_000);
    expect((await flow.trigger(bridge, order, { webhookId, now: then })).status).toBe(201);
    const [fire] = await firesOf(flow.id);
    if (fire === undefined) throw new Error("it was made");
    await longOver(fire);
    await tidy();
    expect(await firesOf(flow.id)).toHaveLength(1);
    const [delivery] = (
      await bridge.ok("listDeliveries", { user: "root", query: { publication_id: flow.id } })
    ).body.items;
    const replay = { user: "root", params: { id: delivery?.id ?? "" } };
    await bridge.ok("replayDelivery", replay);
    expect((await ground.startCommands()).length).toBe(1);
    await ground.pool.execute("UPDATE deliveries SET received_at = received_at - INTERVAL 8 DAY");
    await tidy();
    expect(await firesOf(flow.id)).toEqual([]);
    expect((await bridge.refused("replayDelivery", replay)).code).toBe("DEAD_LETTER_NOT_FOUND");
    const old = { webhookId, now: new Date(Date.now() - 100 * DAY_MS) };
    expect(await flow.trigger(bridge, order, old)).toMatchObject({
      status: 400,
      values: { code: "WEBHOOK_STALE" },
    });
    expect((await ground.startCommands()).length).toBe(1);
  });

  it("an event that a stream is filled with again starts nothing: its version was applied, and it is too old", async () => {
    const body = {
      ...{ name: "when", experiment_id: await knownExperiment(ground), event: "external.data.arrived" },
    };
    const { id: source } = (await bridge.ok("createEventTrigger", { body })).body;
    const event = { specversion: "1.0", id: "42", source: "/etl", type: "data.arrived" } as CloudEventBody;
    await bridge.ok("receiveEvent", { params: { group_id: "vision" }, body: event });
    await waitFor("it fired", async () => (await firesOf(source)).length === 1);
    const [fire] = await firesOf(source);
    if (fire === undefined) throw new Error("it was made");
    await longOver(fire);
    await tidy();
    expect(await firesOf(source)).toEqual([]);
    const [row] = await ground.pool.query<{ subject: string; headers: string; payload: string }>(
      "SELECT subject, headers, payload FROM outbox WHERE type LIKE '%external%'",
    );
    if (row === undefined) throw new Error("it was told");
    const applied = async () =>
      await ground.pool.query("SELECT 1 FROM consumer_versions WHERE aggregate_type = 'external-event'");
    const tellAgain = async (time: Date) => {
      await ground.pool.execute("DELETE FROM consumer_versions WHERE aggregate_type = 'external-event'");
      const headers = { ...JSON.parse(row.headers), "ce-time": time.toISOString() };
      await publishMessage(ground.bus, { ...row, headers, stream: "SCHEDULE", id: randomHex(8) });
      await waitFor("it was handled", async () => (await applied()).length === 1);
    };
    await tellAgain(new Date(Date.now() - 31 * DAY_MS));
    expect(await firesOf(source)).toEqual([]);
    await tellAgain(new Date()); // the same event, were it new: its age is what it was passed over for
    expect(await firesOf(source)).toHaveLength(1);
  });
});

it("the leader removes what is old, and the history of what was unpublished long ago; what stands keeps its own", async () => {
  const [gone, stands] = [await knownExperiment(ground), await knownExperiment(ground)];
  const flows = [await publishedFlow(ground, gone), await publishedFlow(ground, stands)];
  await ground.pool.multi([
    `UPDATE publications SET state = 'Unpublished', updated_at = NOW(3) - INTERVAL 32 DAY WHERE experiment_id = '${gone}'`,
    "UPDATE publications SET updated_at = NOW(3) - INTERVAL 32 DAY",
    "UPDATE outbox SET published_at = NOW(3) - INTERVAL 40 DAY WHERE aggregate_type = 'publication'",
    "INSERT INTO external_events (event_key, received_at) VALUES ('old', NOW(3) - INTERVAL 8 DAY)",
  ]);
  await bridge.stop();
  await ground.start({ AIEP_FIRE_KEEP_DAYS: "31" });
  const historyOf = async (id: string | undefined) =>
    await ground.pool.query("SELECT 1 FROM outbox WHERE aggregate_id = ?", [id ?? ""]);
  await waitFor("its history went", async () => (await historyOf(flows[0]?.id)).length === 0, {
    timeoutMs: 30_000,
  });
  await waitFor(
    "old events went",
    async () =>
      (await ground.pool.query("SELECT 1 FROM external_events WHERE event_key = 'old'")).length === 0,
    { timeoutMs: 30_000 },
  );
  expect(await historyOf(flows[1]?.id)).toHaveLength(1);
});
