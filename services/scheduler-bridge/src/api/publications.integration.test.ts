/** Publications as callers meet them, to our own cron, which needs no other server. */
import { randomUUID } from "node:crypto";
import {
  type ExperimentId,
  experimentDeleted,
  experimentVersionFrozen,
  groupId,
  type PublicationDetail,
  publishWorkflow,
  unpublishWorkflow,
} from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { commandMessage, publishMessage } from "@aiep/service-kit";
import { describe, expect, it } from "vitest";
import { layBridgeGround } from "../testing/bridge.ts";
import { openBridge } from "../testing/opened-bridge.ts";

const { ground, bridge } = await openBridge();

const versionsOf = async (experiment: ExperimentId) =>
  (await ground.pool.query("SELECT 1 FROM experiment_versions WHERE experiment_id = ?", [experiment])).length;

async function experiment(versions = 1, group = "vision"): Promise<ExperimentId> {
  const id = await ground.experiment({ versions, group });
  await waitFor("the experiment is known", async () => {
    const rows = await ground.pool.query("SELECT 1 FROM experiments WHERE id = ?", [id]);
    return rows.length === 1 && (await versionsOf(id)) === versions;
  });
  return id;
}

const body = (experiment_id: ExperimentId, more: object = {}) => ({
  experiment_id,
  scheduler: "local",
  cron: "30 2 * * *",
  ...more,
});

const publish = async (given: object, headers: Record<string, string> = {}) =>
  await bridge.ok("publish", { body: given, headers });

async function atRest(publication_id: string): Promise<PublicationDetail> {
  const params = { publication_id };
  const query = { wait_seconds: "20", until: "terminal" };
  return (await bridge.ok("getPublication", { params, query })).body;
}

const scheduleOf = async (id: string) =>
  (await bridge.ok("listSchedules", { query: { group_id: "vision", limit: "500" } })).body.items.find(
    ({ publication_id }) => publication_id === id,
  );

describe("publishing over HTTP", () => {
  it("is accepted at once, and ends with the newest frozen version standing there, each step recorded", async () => {
    const id = await experiment(3);
    const { status, headers, body: accepted } = await publish(body(id, { parameters: { lr: "0.1" } }));
    expect(status).toBe(202);
    expect(headers.get("location")).toBe(`/v1/publications/${accepted.id}`);
    expect(accepted).toMatchObject({
      state: "Publishing",
      version_name: "v3",
      live_version_name: null,
      owner: "ada",
      generation: 1,
    });
    const published = await atRest(accepted.id);
    expect(published).toMatchObject({
      state: "Published",
      live_version_name: "v3",
      cron: "30 2 * * *",
      time_zone: "Asia/Shanghai",
      next_fire_at: expect.stringMatching(/T18:30:00.000Z$/),
    });
    expect(published.steps.map(({ name, state }) => `${name} ${state}`)).toEqual([
      "set_schedule Done",
      "read_back_schedule Done",
    ]);
    expect(await scheduleOf(accepted.id)).toMatchObject({
      experiment_id: id,
      version_name: "v3",
      cron: "30 2 * * *",
      parameters: { lr: "0.1" },
      owner: "ada",
    });
    const history = await bridge.ok("getPublicationHistory", { params: { publication_id: accepted.id } });
    expect(history.body.items.map(({ version }) => version)).toEqual(
      Array.from({ length: published.version }, (_, n) => n + 1),
    );
    expect(history.text).not.toContain("whsec_");
  });

  it("again with nothing new changes nothing; with a newer version updates the same schedule", async () => {
    const id = await experiment(1);
    const first = await atRest((await publish(body(id))).body.id);
    expect((await publish({ experiment_id: id, scheduler: "local" })).body).toEqual(first);
    const schedule = await scheduleOf(first.id);
    await ground.tell(
      experimentVersionFrozen,
      { type: "experiment", id },
      {
        experiment_id: id,
        group_id: groupId.parse("vision"),
        name: "每日训练",
        by: "ada",
        version_name: "v2",
        description: "",
      },
    );
    await waitFor("v2 is known", async () => (await versionsOf(id)) === 2);
    const second = await atRest((await publish({ experiment_id: id, scheduler: "local" })).body.id);
    expect(second).toMatchObject({
      id: first.id,
      generation: 2,
      live_version_name: "v2",
      cron: "30 2 * * *",
    });
    expect(await scheduleOf(first.id)).toMatchObject({ id: schedule?.id, version_name: "v2" });
    const back = await atRest((await publish(body(id, { version_name: "v1", cron: "0 4 * * *" }))).body.id);
    expect(back).toMatchObject({ live_version_name: "v1", cron: "0 4 * * *" });
  });

  it("I2: one Idempotency-Key is one order, and twenty at once are one publication", async () => {
    const id = await experiment();
    const key = { "idempotency-key": randomUUID() };
    const one = await publish(body(id), key);
    const again = await publish(body(id), key);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect(again.body).toEqual(one.body);
    expect(
      (await bridge.refused("publish", { body: body(id, { cron: "0 5 * * *" }), headers: key })).code,
    ).toBe("IDEMPOTENCY_KEY_REUSED");
    const other = await experiment();
    const all = await Promise.all(Array.from({ length: 20 }, async () => await publish(body(other))));
    expect(new Set(all.map(({ body: { id: each } }) => each)).size).toBe(1);
    expect(await atRest(all[0]?.body.id ?? "")).toMatchObject({ state: "Published", generation: 1 });
  });

  it("hands the runs to whoever published last", async () => {
    const id = await experiment();
    const first = await atRest((await publish(body(id))).body.id);
    await bridge.ok("publish", { body: body(id), user: "bob" });
    expect(await atRest(first.id)).toMatchObject({ owner: "bob", generation: 2 });
    expect(await scheduleOf(first.id)).toMatchObject({ owner: "bob" });
  });

  it("refuses what cannot be published, before anything is written", async () => {
    const id = await experiment();
    const unfrozen = await experiment(0);
    const gone = await experiment();
    const group = groupId.parse("vision");
    await ground.tell(
      experimentDeleted,
      { type: "experiment", id: gone },
      { experiment_id: gone, group_id: group, name: "每日训练", by: "ada" },
    );
    await waitFor("it is known to be deleted", async () => {
      const rows = await ground.pool.query("SELECT 1 FROM experiments WHERE id = ? AND deleted = 1", [gone]);
      return rows.length === 1;
    });
    const cases: [object, string, string?][] = [
      [body("0".repeat(32) as ExperimentId), "EXPERIMENT_NOT_FOUND"],
      [body(gone), "EXPERIMENT_NOT_FOUND"],
      [body(await experiment(1, "speech")), "EXPERIMENT_NOT_FOUND"],
      [body(unfrozen), "VERSION_NOT_FOUND"],
      [body(id, { version_name: "v9" }), "VERSION_NOT_FOUND"],
      [body(id, { version_name: "draft" }), "VALIDATION_FAILED"],
      [body(id, { scheduler: "wtss" }), "SCHEDULER_NOT_CONFIGURED"],
      [body(id, { scheduler: "airflow" }), "VALIDATION_FAILED"],
      [body(id, { cron: null }), "CRON_INVALID"],
      [body(id, { cron: "61 2 * * *" }), "CRON_INVALID"],
      [body(id, { cron: "0 0 30 2 *" }), "CRON_INVALID"],
      [body(id, { time_zone: "Mars/Olympus" }), "VALIDATION_FAILED"],
      [body(id), "VIEWER_ONLY", "vera"],
      [body(id), "EXPERIMENT_NOT_FOUND", "eve"],
      [body(id), "NOT_A_MEMBER", "root"],
    ];
    for (const [given, code, user = "ada"] of cases) {
      const problem = await bridge.refused("publish", { body: given, user });
      expect([problem.code, given]).toEqual([code, given]);
    }
    const found = await bridge.refused("publish", { body: body(unfrozen) });
    expect(found.detail).toContain("aiepctl workflow");
    expect((await bridge.ok("listPublications", { query: { experiment_id: id } })).body.items).toEqual([]);
  });
});

describe("a publication that stands", () => {
  it("is found by prefix, listed to its group alone, and shown with an ETag", async () => {
    const { id } = await atRest((await publish(body(await experiment()))).body.id);
    const params = { publication_id: id.slice(0, 10) };
    const shown = await bridge.ok("getPublication", { params });
    expect(shown.body.id).toBe(id);
    const etag = shown.headers.get("etag") ?? "";
    expect(etag).toBe(`"v${shown.body.version}"`);
    const unchanged = await fetch(`${bridge.url}/v1/publications/${id}`, {
      headers: { authorization: `Bearer ${ground.token("ada")}`, "if-none-match": etag },
    });
    expect(unchanged.status).toBe(304);
    expect(await bridge.refused("getPublication", { params, user: "eve" })).toMatchObject({
      code: "PUBLICATION_NOT_FOUND",
    });
    expect((await bridge.ok("listPublications", { user: "eve" })).body.items).toEqual([]);
    const listed = await bridge.ok("listPublications", {
      user: "vera",
      query: { scheduler: "local", state: "Published", limit: "1" },
    });
    expect(listed.body.items).toHaveLength(1);
    expect(await bridge.refused("unpublish", { params, user: "vera" })).toMatchObject({
      code: "VIEWER_ONLY",
    });
  });

  it("is taken away once; what is unpublished stays so until it is published again", async () => {
    const experimentOfIt = await experiment();
    const { id } = await atRest((await publish(body(experimentOfIt))).body.id);
    const params = { publication_id: id };
    const going = await bridge.ok("unpublish", { params });
    expect(going.status).toBe(202);
    const gone = await atRest(id);
    expect(gone).toMatchObject({ state: "Unpublished", live_version_name: null, next_fire_at: null });
    expect(gone.steps.map(({ purpose, name }) => `${purpose} ${name}`)).toEqual([
      "unpublish remove_schedule",
      "unpublish read_back_removed",
    ]);
    expect(await scheduleOf(id)).toBeUndefined();
    expect((await bridge.ok("unpublish", { params })).body).toEqual(gone);
    expect(await bridge.refused("rotatePublicationSecret", { params, body: {} })).toMatchObject({
      code: "PUBLICATION_NOT_LIVE",
    });
    await publish({ experiment_id: experimentOfIt, scheduler: "local" });
    expect(await atRest(id)).toMatchObject({ state: "Published", cron: "30 2 * * *" });
    expect(await scheduleOf(id)).toBeDefined();
  });

  it("gets a new secret, published anew", async () => {
    const { id } = await atRest((await publish(body(await experiment()))).body.id);
    const params = { publication_id: id };
    const { body: rotating } = await bridge.ok("rotatePublicationSecret", { params, body: {} });
    expect(rotating).toMatchObject({ state: "Publishing", generation: 2 });
    await atRest(id);
    const secrets = await ground.pool.query<{ number: number; ended: number }>(
      "SELECT number, valid_until IS NOT NULL AS ended FROM publication_secrets WHERE publication_id = ? ORDER BY number",
      [id],
    );
    expect(secrets).toEqual([
      { number: 1, ended: 1 },
      { number: 2, ended: 0 },
    ]);
  });

  it("is waited for: the next change, the end, or time", async () => {
    const { id, version } = await atRest((await publish(body(await experiment()))).body.id);
    const params = { publication_id: id };
    const late = await bridge.ok("getPublication", { params, query: { wait_seconds: "1" } });
    expect(late.body.version).toBe(version);
    const changed = bridge.ok("getPublication", { params, query: { wait_seconds: "20" } });
    await bridge.ok("unpublish", { params });
    expect((await changed).body.version).toBeGreaterThan(version);
  });
});

describe("schedulers", () => {
  it("are told with what is configured, and whether it can be used", async () => {
    const { items } = (await bridge.ok("listSchedulers")).body;
    expect(items).toEqual([
      { kind: "wtss", configured: false, checks: [] },
      { kind: "local", configured: true, checks: [expect.objectContaining({ ok: true })] },
    ]);
  });
});

describe("a WTSS that is not there", () => {
  it("refuses crons that it could not take, waits with what it was asked, and says why", async () => {
    await using other = await layBridgeGround();
    await using replica = await other.start({
      AIEP_WTSS_URL: "http://127.0.0.1:9",
      AIEP_WTSS_USER: "aiep",
      AIEP_WTSS_PASSWORD: "not-told",
    });
    const id = await other.experiment();
    await waitFor("the version is known", async () => {
      const rows = await other.pool.query("SELECT 1 FROM experiment_versions WHERE experiment_id = ?", [id]);
      return rows.length === 1;
    });
    for (const settings of [{ cron: "0 0 1 * 1" }, { cron: "0 1 * * *", time_zone: "Europe/Berlin" }]) {
      const refused = await replica.refused("publish", { body: { experiment_id: id, ...settings } });
      expect(refused).toMatchObject({ code: "CRON_INVALID", errors: [{ pointer: "/cron" }] });
    }
    const { body: accepted } = await replica.ok("publish", { body: { experiment_id: id } });
    const params = { publication_id: accepted.id };
    const waiting = await waitFor("it waits", async () => {
      const { body: now } = await replica.ok("getPublication", { params });
      return now.reason === "scheduler_unavailable" ? now : undefined;
    });
    expect(waiting).toMatchObject({
      state: "Publishing",
      message: expect.stringMatching(/^At log_in: .* It is tried again\.$/),
    });
    expect(waiting.steps[0]).toMatchObject({ name: "log_in", state: "Retrying" });
    const { items } = (await replica.ok("listSchedulers")).body;
    expect(items[0]).toMatchObject({ kind: "wtss", configured: true, checks: [{ ok: false }] });
    const history = await replica.ok("getPublicationHistory", { params });
    expect(history.text).not.toContain("not-told");
  });
});

describe("commands", () => {
  const send = async (definition: Parameters<typeof commandMessage>[0]["definition"], data: object) => {
    const id = randomUUID();
    await publishMessage(
      ground.bus,
      commandMessage({
        definition,
        id,
        data,
        groupId: "vision",
        env: "test",
        source: "/test",
        now: new Date(),
      }),
    );
    return id;
  };
  const rejected = async (command: string) => {
    const found = async () =>
      await ground.pool.query<{ payload: string }>(
        "SELECT payload FROM outbox WHERE aggregate_type = 'command' AND aggregate_id = ?",
        [command],
      );
    await waitFor("it is refused", async () => (await found()).length === 1);
    const [row] = await found();
    return JSON.parse(row?.payload ?? "{}") as unknown;
  };

  it("publish and unpublish as HTTP does, once however often they are delivered", async () => {
    const id = await experiment();
    await send(publishWorkflow, { ...body(id), requested_by: "bob" });
    const published = async () =>
      (await bridge.ok("listPublications", { query: { experiment_id: id, state: "Published" } })).body.items;
    await waitFor("it is published", async () => (await published()).length === 1);
    const [publication] = await published();
    expect(publication).toMatchObject({ owner: "bob", generation: 1 });
    const again = await send(publishWorkflow, { ...body(id), requested_by: "bob" });
    await waitFor("what stands already is told again", async () => {
      const [now] = await published();
      return now !== undefined && now.version > (publication?.version ?? 0);
    });
    const told = await ground.pool.query<{ headers: string; type: string }>(
      "SELECT headers, type FROM outbox WHERE aggregate_id = ? ORDER BY aggregate_version DESC LIMIT 1",
      [publication?.id ?? ""],
    );
    expect(told[0]?.type).toBe("aiep.schedule.publication_published.v1");
    expect(told[0]?.headers).toContain(again);
    expect((await published())[0]).toMatchObject({ generation: 1 });
    await send(unpublishWorkflow, { publication_id: publication?.id, requested_by: "ada" });
    await waitFor("it is unpublished", async () => (await published()).length === 0);
    expect(await atRest(publication?.id ?? "")).toMatchObject({ state: "Unpublished" });
  });

  it("are refused as an event with code and sentence", async () => {
    const id = await experiment(0);
    expect(await rejected(await send(publishWorkflow, { ...body(id), requested_by: "ada" }))).toMatchObject({
      group_id: "vision",
      command: "publish",
      code: "VERSION_NOT_FOUND",
      detail: expect.stringContaining("aiepctl"),
    });
    const unknown = { publication_id: "0".repeat(32), requested_by: "ada" };
    expect(await rejected(await send(unpublishWorkflow, unknown))).toMatchObject({
      code: "PUBLICATION_NOT_FOUND",
    });
    expect(
      await rejected(await send(publishWorkflow, { ...body(id), requested_by: "nobody" })),
    ).toMatchObject({ code: "UNKNOWN_USER" });
  });
});
