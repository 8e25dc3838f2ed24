/** Whether a published flow could start its run: each broken link of its way is named, and nothing is started. */
import { experimentDeleted, groupId } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { expect, it } from "vitest";
import type { Bridge } from "../testing/bridge.ts";
import { openBridge } from "../testing/opened-bridge.ts";
import { knownExperiment, type PublishedFlow, publishedFlow } from "../testing/published-flow.ts";

const { ground, bridge } = await openBridge();

const flow = async (): Promise<PublishedFlow> => await publishedFlow(ground, await knownExperiment(ground));
const test = async ({ id }: PublishedFlow, body: object = {}, of: Bridge = bridge) =>
  (await of.ok("testPublication", { params: { publication_id: id }, body })).body;
const failing = ({ checks }: Awaited<ReturnType<typeof test>>) =>
  checks.filter(({ ok }) => !ok).map(({ name, message }) => `${name}: ${message}`);

it("says what would be ordered when every link holds, and starts nothing", async () => {
  const tested = await test(await flow(), { run_date: "2026-03-01", parameters: { lr: "0.1" } });
  expect(failing(tested)).toEqual([]);
  expect(tested.ok).toBe(true);
  expect(tested.checks.map(({ name }) => name)).toEqual([
    "published",
    "address",
    "signature",
    "order",
    "version",
  ]);
  expect(tested.checks.find(({ name }) => name === "order")?.message).toBe(
    "A run of v1 for the date 20260301 with lr=0.1 would be ordered.",
  );
  expect(await ground.startCommands()).toEqual([]);
});

it("names a value that the scheduler left as it was", async () => {
  const tested = await test(await flow(), { parameters: { lr: "${learning_rate}" } });
  expect(tested.ok).toBe(false);
  expect(failing(tested)).toEqual([expect.stringMatching(/^order: \/parameters\/lr: .*learning_rate/)]);
});

it("names an address at which nobody answers", async () => {
  const far = await ground.start({ AIEP_TRIGGER_URL: "http://127.0.0.1:1" });
  const tested = await test(await flow(), {}, far);
  await far.stop();
  expect(failing(tested)).toEqual([expect.stringMatching(/^address: .*cannot be reached.*AIEP_TRIGGER_URL/)]);
});

it("names a secret that is not valid any more", async () => {
  const published = await flow();
  await ground.pool.execute(
    "UPDATE publication_secrets SET valid_until = '2020-01-01' WHERE publication_id = ?",
    [published.id],
  );
  expect(failing(await test(published))).toEqual([expect.stringMatching(/^signature: .*ublish it again/)]);
});

it("names an experiment that was deleted", async () => {
  const published = await flow();
  const data = {
    experiment_id: published.experiment,
    group_id: groupId.parse("vision"),
    name: "x",
    by: "ada",
  };
  await ground.tell(experimentDeleted, { type: "experiment", id: published.experiment }, data);
  await waitFor("its end is known", async () => {
    const rows = await ground.pool.query("SELECT 1 FROM experiments WHERE id = ? AND deleted = 1", [
      published.experiment,
    ]);
    return rows.length === 1;
  });
  expect(failing(await test(published))).toEqual([expect.stringMatching(/^version: .*deleted/)]);
});

it("is for those who may see the publication", async () => {
  const { id } = await flow();
  const params = { publication_id: id };
  expect(await bridge.refused("testPublication", { user: "eve", params })).toMatchObject({
    code: "PUBLICATION_NOT_FOUND",
  });
  expect((await bridge.ok("testPublication", { user: "vera", params })).body.ok).toBe(true);
});
