/** Publications in WTSS, worked off from beginning to end while the server fails in every way it can. */
import { existsSync } from "node:fs";
import { loadConfig, type WtssFault, type WtssServer, waitFor } from "@aiep/dev-servers";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Publication } from "../domain/publication/index.ts";
import { WtssScheduler } from "../schedulers/wtss/adapter.ts";
import { WtssClient } from "../schedulers/wtss/client/client.ts";
import { accessTo, settingsOf, signal, startStandIn } from "../schedulers/wtss/testing/server.ts";
import { layPublishing, type PublishingGround } from "../testing/publishing.ts";

describe.skipIf(!existsSync(loadConfig().wtssServer))("publications in WTSS", () => {
  let ground: PublishingGround;
  let server: WtssServer;
  let client: WtssClient;
  beforeAll(async () => {
    ground = await layPublishing();
    server = await startStandIn({ scanIntervalSeconds: 3600 });
    client = new WtssClient(accessTo(server));
  });
  afterAll(async () => {
    await ground?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
  });
  afterEach(async () => {
    await ground.stop();
    await ground.parts.pool.execute("UPDATE publications SET next_attempt_at = NULL");
    await server.clearFaults();
  });

  const run = ({ timeoutMs = 5_000, account = server.account } = {}) => {
    // A new one each time, so that its login is a request too.
    const settings = settingsOf({ ...accessTo(server, account), timeoutMs });
    const scheduler = new WtssScheduler({ settings, now: () => new Date() });
    ground.run({ scheduler: () => scheduler });
  };
  const nameOf = ({ experimentName, experimentId }: Publication) =>
    `${experimentName}_${experimentId.slice(0, 6)}`;
  const stands = async (publication: Publication) => {
    const { project = "", flow = "", projectId = "", scheduleId } = publication.remote;
    expect(await client.project(project, signal)).toMatchObject({ id: projectId, active: true });
    expect(await client.flows(project, signal)).toEqual([flow]);
    const schedule = await client.fetchSchedule(projectId, flow, signal);
    expect(schedule?.scheduleId).toBe(scheduleId);
    return schedule?.cronExpression;
  };
  const isGone = async (publication: Publication) => {
    const project = await client.project(nameOf(publication), signal);
    expect(project?.active ?? false).toBe(false);
  };
  const waitsFor = async (publication: Publication, reason: string) =>
    await waitFor(`it waits: ${reason}`, async () => {
      const now = await ground.get(publication.id);
      return now.reason === reason ? now : undefined;
    });

  it("are published, updated in their place, renamed without moving, unpublished and published anew", async () => {
    run();
    const first = await ground.atRest(await ground.publish());
    expect(first).toMatchObject({ state: "Published", remote: { project: nameOf(first) } });
    expect(first.steps.map(({ name, attempts }) => `${name} ${attempts}`)).toEqual([
      "log_in 1",
      "find_or_create_project 1",
      "describe_project 1",
      "upload 1",
      "read_back_flows 1",
      "set_schedule 1",
      "read_back_schedule 1",
    ]);
    expect(await stands(first)).toBe("0 30 2 * * ?");
    await ground.update(first, { versionName: "v2", cron: "0 4 * * MON", experimentName: "renamed" });
    const second = await ground.atRest(first);
    expect(second).toMatchObject({
      state: "Published",
      experimentName: "renamed",
      live: { versionName: "v2" },
      remote: { project: nameOf(first), projectId: first.remote.projectId, revision: "2" },
    });
    expect(await stands(second)).toBe("0 0 4 ? * 2");
    await ground.update(second, { cron: null });
    const unscheduled = await ground.atRest(second);
    expect(unscheduled.steps.at(-1)?.name).toBe("remove_schedule");
    await ground.unpublish(unscheduled);
    expect(await ground.atRest(unscheduled)).toMatchObject({ state: "Unpublished", remote: {} });
    await isGone(first);
    await ground.update(unscheduled, { experimentName: "renamed", cron: "30 2 * * *" });
    const again = await ground.atRest(unscheduled);
    expect(again.remote.project).toBe(nameOf(again));
    expect(await stands(again)).toBe("0 30 2 * * ?");
  });

  it("a publish whose schedule is refused is taken back, and one that was there is put back", async () => {
    run();
    const refused = { kind: "error200", ajax: "scheduleCronFlow" } as const;
    await server.fault(refused);
    const failed = await ground.atRest(await ground.publish());
    expect(failed).toMatchObject({
      state: "Failed",
      reason: "scheduler_refused",
      live: null,
      standing: "settled",
    });
    expect(failed.message).toContain("Nothing of it is left there.");
    await isGone(failed);

    const first = await ground.atRest(await ground.publish());
    await server.fault(refused);
    await ground.update(first, { versionName: "v2", cron: "0 4 * * *" });
    const back = await ground.atRest(first);
    expect(back).toMatchObject({ state: "Failed", live: { versionName: "v1" }, standing: "settled" });
    expect(await stands(back)).toBe("0 30 2 * * ?");
  });

  it("another user's project of the same name is left alone, and the publication says so", async () => {
    const publication = await ground.publish();
    const theirs = new WtssClient(accessTo(server, server.otherAccount));
    await theirs.createProject(nameOf(publication), "theirs", signal);
    run();
    const failed = await ground.atRest(publication);
    expect(failed).toMatchObject({ state: "Failed", reason: "name_taken", standing: "settled", remote: {} });
    await ground.unpublish(failed);
    expect(await ground.atRest(failed)).toMatchObject({ state: "Unpublished" });
    expect(await theirs.project(nameOf(publication), signal)).toMatchObject({ active: true });
  });

  it("a wrong password fails at once and says what it is", async () => {
    run({ account: { user: "aiep", password: "wrong-one" } });
    const failed = await ground.atRest(await ground.publish());
    expect(failed).toMatchObject({ state: "Failed", reason: "scheduler_unauthorized", standing: "settled" });
    expect(failed.steps[0]).toMatchObject({ name: "log_in", state: "Failed", attempts: 1 });
    expect(JSON.stringify(await ground.store.history(failed.id))).not.toContain("wrong-one");
  });

  it("a server that is down is waited for, and found again", async () => {
    await server.stop();
    run();
    const publication = await ground.publish();
    const waiting = await waitsFor(publication, "scheduler_unavailable");
    expect(waiting.message).toContain("It is tried again.");
    expect(waiting).toMatchObject({ state: "Publishing" });
    await server.start();
    expect(await stands(await ground.atRest(publication))).toBe("0 30 2 * * ?");
  });

  it("a server that answers nobody for a while is waited for", async () => {
    run({ timeoutMs: 300 });
    await server.pause();
    const publication = await ground.publish();
    try {
      await waitsFor(publication, "scheduler_unavailable");
    } finally {
      await server.resume();
    }
    expect(await stands(await ground.atRest(publication))).toBe("0 30 2 * * ?");
  });

  it("a server killed in the middle of an upload ends with one whole flow", async () => {
    run();
    await server.fault({ kind: "slow", ajax: "upload", seconds: 30 });
    const publication = await ground.publish();
    await waitFor("the upload is under way", async () => {
      const { steps } = await ground.get(publication.id);
      return steps.some(({ name, state }) => name === "upload" && state === "Running");
    });
    await server.kill9();
    await waitsFor(publication, "scheduler_unavailable");
    await server.start();
    expect(await stands(await ground.atRest(publication))).toBe("0 30 2 * * ?");
  });

  /** The n-th request is spoiled: those before it pass through a fault that does nothing. */
  const spoil = async (request: number, kind: WtssFault["kind"]) => {
    await server.clearFaults();
    for (let filler = 1; filler < request; filler += 1) await server.fault({ kind: "slow", seconds: 0 });
    await server.fault({ kind, seconds: 0.01 });
  };
  const wasHit = async () => {
    const left = await server.faultsLeft();
    return Array.isArray(left) && left.length === 0;
  };
  const KINDS = ["html", "500", "session", "error200", "hang", "cut"] as const;

  it.each(KINDS)(
    "%s at any request of a publish: published in the end, or taken back whole",
    async (kind) => {
      const ends = new Set<string>();
      for (let request = 1, hit = true; hit; request += 1) {
        await spoil(request, kind);
        run();
        const end = await ground.atRest(await ground.publish());
        hit = await wasHit();
        await ground.stop();
        await server.clearFaults();
        ends.add(end.state);
        expect([request, end.standing]).toEqual([request, "settled"]);
        if (end.state === "Published") expect(await stands(end)).toBe("0 30 2 * * ?");
        else await isGone(end);
      }
      expect(ends).toContain("Published");
      if (kind !== "error200") expect(ends).toEqual(new Set(["Published"]));
    },
  );

  it.each(["500", "error200", "cut"] as const)(
    "%s at any request of an unpublish: gone in the end, or told to be there",
    async (kind) => {
      for (let request = 1, hit = true; hit; request += 1) {
        run();
        const published = await ground.atRest(await ground.publish());
        await ground.stop();
        await spoil(request, kind);
        await ground.unpublish(published);
        run();
        const end = await ground.atRest(published);
        hit = await wasHit();
        await server.clearFaults();
        if (end.state === "Unpublished") await isGone(end);
        else {
          expect([kind, end.state]).toEqual(["error200", "Failed"]);
          expect(end.message).toContain("Unpublish it again.");
          await ground.unpublish(end);
          expect(await ground.atRest(end)).toMatchObject({ state: "Unpublished" });
          await isGone(end);
        }
        await ground.stop();
      }
    },
  );
});
