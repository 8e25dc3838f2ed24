import { experimentVersionFrozen, groupId } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { randomHex } from "@aiep/service-kit";
import { describe, expect, it } from "vitest";
import { newWebhookSecret } from "../domain/webhook/index.ts";
import { openBridge } from "../testing/opened-bridge.ts";
import { knownExperiment, type PublishedFlow, publishedFlow } from "../testing/published-flow.ts";

const { ground, bridge } = await openBridge();

const flow = async (): Promise<PublishedFlow> => await publishedFlow(ground, await knownExperiment(ground));
const execution = () => String(Number.parseInt(randomHex(4), 16));
const order = (more: object = {}) => ({ execution: execution(), attempt: 0, version_name: "v1", ...more });
const deliveries = async (publication: string) =>
  (await bridge.ok("listDeliveries", { user: "root", query: { publication_id: publication } })).body.items;
const startsOf = async (publication: string) =>
  (await ground.startCommands()).filter(({ data }) => data.origin?.publication_id === publication);

describe("a signed trigger", () => {
  it("orders the run of its version with date, parameters and origin, and answers with all that a script needs", async () => {
    const published = await flow();
    const asked = order({ run_date: "2026-03-01", parameters: { lr: "0.1", month: "${run_mon_end}" } });
    const { status, values } = await published.trigger(bridge, asked);
    expect(status).toBe(201);
    const run = String(values["run_id"]);
    const link = `http://127.0.0.1:7480/#/train/workflow/orchestrator/${published.experiment}?version=v1&exp_run_id=${run}&view-only=Y`;
    expect(values).toMatchObject({
      state: "Ordered",
      wait_url: `${bridge.url}/v1/fires/${String(values["fire_id"])}/wait`,
      link,
      message: `实验工作流(${run.slice(0, 9)})提交执行成功，请到AI工程化平台查看执行详情: ${link}`,
    });
    const [start] = await startsOf(published.id);
    expect(start?.data).toMatchObject({
      experiment_id: published.experiment,
      version_name: "v1",
      parameters: { lr: "0.1" },
      run_date: "20260301",
      origin: { kind: "trigger", publication_id: published.id, external_id: `${asked.execution}.0` },
      requested_by: "ada",
    });
  });

  it("is answered in lines for a shell script", async () => {
    const published = await flow();
    const headers = { accept: "text/plain" };
    const { text, values } = await published.trigger(bridge, order(), { headers });
    expect(text).toMatch(/^run_id [0-9a-f]{32}$/m);
    expect(text).toMatch(/^fire_id [0-9a-f]{32}$/m);
    expect(text).toMatch(/^wait_token [A-Za-z0-9_-]{43}$/m);
    expect(values["message"]).toContain("提交执行成功");
  });

  it("I2: asked for by twenty at once over two replicas, one execution has one run", async () => {
    const published = await flow();
    await using other = await ground.start();
    const asked = order();
    const shared = randomHex(16);
    const answers = await Promise.all(
      Array.from({ length: 20 }, async (_, index) =>
        published.trigger(index % 2 === 0 ? bridge : other, asked, index < 10 ? { webhookId: shared } : {}),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
    expect(new Set(answers.map(({ values }) => values["run_id"])).size).toBe(1);
    expect(new Set(answers.map(({ values }) => values["wait_token"])).size).toBe(1);
    expect(await startsOf(published.id)).toHaveLength(1);
  });

  it("of another attempt is another run", async () => {
    const published = await flow();
    const asked = order();
    const first = await published.trigger(bridge, asked);
    const second = await published.trigger(bridge, { ...asked, attempt: 1 });
    expect(second.values["run_id"]).not.toBe(first.values["run_id"]);
  });

  it("is accepted with the secret before until its time, and no longer", async () => {
    const published = await flow();
    const fresh = newWebhookSecret(Buffer.alloc(32, 9));
    await ground.pool.execute(
      "INSERT INTO publication_secrets (publication_id, number, secret) VALUES (?, 2, ?)",
      [published.id, fresh],
    );
    const until = async (seconds: number) =>
      await ground.pool.execute(
        "UPDATE publication_secrets SET valid_until = NOW(3) + INTERVAL ? SECOND WHERE publication_id = ? AND number = 1",
        [seconds, published.id],
      );
    await until(3600);
    expect((await published.trigger(bridge, order())).status).toBe(201);
    expect((await published.trigger(bridge, order(), { secret: fresh })).status).toBe(201);
    await until(-1);
    expect((await published.trigger(bridge, order())).values["code"]).toBe("WEBHOOK_UNSIGNED");
    expect((await published.trigger(bridge, order(), { secret: fresh })).status).toBe(201);
  });
});

describe("a trigger that is refused", () => {
  it.each([
    ["forged", { secret: newWebhookSecret(Buffer.alloc(32, 7)) }, 401, "WEBHOOK_UNSIGNED"],
    ["stale", { now: new Date(Date.now() - 310_000) }, 400, "WEBHOOK_STALE"],
    ["from the future", { now: new Date(Date.now() + 310_000) }, 400, "WEBHOOK_STALE"],
    ["changed on the way", { sent: Buffer.from('{"execution":"2"}') }, 401, "WEBHOOK_UNSIGNED"],
    ["without its time", { headers: { "webhook-timestamp": "" } }, 401, "WEBHOOK_UNSIGNED"],
  ])("since it is %s starts nothing and leaves nothing", async (_, options, status, code) => {
    const published = await flow();
    const answer = await published.trigger(bridge, order(), options);
    expect([answer.status, answer.values["code"]]).toEqual([status, code]);
    expect(await startsOf(published.id)).toEqual([]);
    expect(await deliveries(published.id)).toEqual([]);
    expect(answer.text).not.toContain("whsec_");
  });

  it.each([
    ["cut short", '{"execution":"4711","attempt":0,"version_na', "MALFORMED_JSON", ""],
    ["left with a variable", order({ run_date: "${run_date}" }), "UNRESOLVED_VALUE", "/run_date"],
    ["given no day", order({ run_date: "20260230" }), "INVALID", "/run_date"],
    ["unknown in a field", order({ version: "v1" }), "INVALID", ""],
  ])("since it is %s says where, and is recorded", async (_, body, code, pointer) => {
    const published = await flow();
    const answer = await published.trigger(bridge, body);
    expect(answer.status).toBe(422);
    expect(answer.values).toMatchObject({
      code: "WEBHOOK_INVALID",
      errors: [expect.objectContaining({ code, pointer })],
    });
    expect(await startsOf(published.id)).toEqual([]);
    expect(await deliveries(published.id)).toMatchObject([{ outcome: "WEBHOOK_INVALID", fire_id: null }]);
  });

  it("since it is larger than 64 KiB is not read", async () => {
    const published = await flow();
    const answer = await published.trigger(bridge, order({ parameters: { x: "y".repeat(70_000) } }));
    expect([answer.status, answer.values["code"]]).toEqual([413, "PAYLOAD_TOO_LARGE"]);
    expect(await deliveries(published.id)).toEqual([]);
  });

  it("since nobody published it is not found", async () => {
    const published = await flow();
    await ground.pool.execute("UPDATE publications SET id = ? WHERE id = ?", [randomHex(16), published.id]);
    const answer = await published.trigger(bridge, order());
    expect([answer.status, answer.values["code"]]).toEqual([404, "PUBLICATION_NOT_FOUND"]);
  });

  it("since its publication was taken back starts nothing; one that it had started is still answered", async () => {
    const published = await flow();
    const asked = order();
    const before = await published.trigger(bridge, asked);
    await ground.pool.execute("UPDATE publications SET state = 'Unpublished' WHERE id = ?", [published.id]);
    const after = await published.trigger(bridge, order());
    expect([after.status, after.values["code"]]).toEqual([409, "PUBLICATION_NOT_LIVE"]);
    expect((await published.trigger(bridge, asked)).values["run_id"]).toBe(before.values["run_id"]);
  });

  it("since its experiment was deleted says so", async () => {
    const published = await flow();
    await ground.pool.execute("UPDATE experiments SET deleted = 1 WHERE id = ?", [published.experiment]);
    const answer = await published.trigger(bridge, order());
    expect([answer.status, answer.values["code"]]).toEqual([404, "VERSION_NOT_FOUND"]);
    expect(await startsOf(published.id)).toEqual([]);
  });

  it("since its id came with another body changes nothing of the first; with the same body it is answered alike", async () => {
    const published = await flow();
    const webhookId = randomHex(16);
    const asked = order();
    const first = await published.trigger(bridge, asked, { webhookId });
    const replayed = await published.trigger(bridge, order(), { webhookId });
    expect([replayed.status, replayed.values["code"]]).toEqual([409, "WEBHOOK_REUSED"]);
    const again = await published.trigger(bridge, asked, { webhookId, now: new Date(Date.now() + 20_000) });
    expect(again.values).toEqual(first.values);
    expect(await startsOf(published.id)).toHaveLength(1);
  });

  it("is handled again by an administrator once its cause is gone", async () => {
    const published = await flow();
    const refused = await published.trigger(bridge, order({ version_name: "v2" }));
    expect(refused.values["code"]).toBe("VERSION_NOT_FOUND");
    const [kept] = await deliveries(published.id);
    expect(kept).toMatchObject({ outcome: "VERSION_NOT_FOUND", fire_id: null });
    const replay = { params: { id: kept?.id ?? "" } };
    expect((await bridge.refused("replayDelivery", replay)).code).toBe("FORBIDDEN");
    expect((await bridge.refused("replayDelivery", { ...replay, user: "root" })).code).toBe(
      "VERSION_NOT_FOUND",
    );
    await ground.tell(
      experimentVersionFrozen,
      { type: "experiment", id: published.experiment },
      {
        experiment_id: published.experiment,
        group_id: groupId.parse("vision"),
        name: "每日训练",
        by: "ada",
        version_name: "v2",
        description: "",
      },
    );
    await waitFor("it goes through", async () => {
      const [answer] = await Promise.allSettled([bridge.ok("replayDelivery", { ...replay, user: "root" })]);
      return answer?.status === "fulfilled" && answer.value.body.outcome === "accepted";
    });
    expect(await startsOf(published.id)).toHaveLength(1);
    await bridge.ok("replayDelivery", { ...replay, user: "root" });
    expect(await startsOf(published.id)).toHaveLength(1);
  });
});

describe("the time", () => {
  it("is told to whoever asks, as digits alone", async () => {
    const response = await fetch(`${bridge.url}/v1/time`);
    expect(await response.text()).toMatch(/^\d{10}\n$/);
  });
});
