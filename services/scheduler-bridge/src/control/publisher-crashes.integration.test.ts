/** kill -9 around every step of a publication (D26): whoever publishes next does the step again, and nothing is doubled or left. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { loadConfig, type WtssServer } from "@aiep/dev-servers";
import { createLogger, NO_FAILPOINTS } from "@aiep/service-kit";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Publication } from "../domain/publication/index.ts";
import { createLocalScheduler } from "../schedulers/local/scheduler.ts";
import type { Scheduler } from "../schedulers/scheduler.ts";
import { WtssScheduler } from "../schedulers/wtss/adapter.ts";
import { WtssClient } from "../schedulers/wtss/client/client.ts";
import { accessTo, settingsOf, signal, startStandIn } from "../schedulers/wtss/testing/server.ts";
import { Experiments } from "../store/experiments.ts";
import { FireStore } from "../store/fire-store.ts";
import { layPublishing, type PublishingGround } from "../testing/publishing.ts";
import { createScheduling } from "./scheduling.ts";

const PROGRAM = join(import.meta.dirname, "../testing/publisher-process.ts");

let ground: PublishingGround;
beforeAll(async () => {
  ground = await layPublishing();
});
afterAll(async () => await ground?.[Symbol.asyncDispose]());
afterEach(async () => {
  await ground.stop();
  await ground.parts.pool.execute("UPDATE publications SET next_attempt_at = NULL");
});

/** Around each of these steps. */
const around = (...steps: string[]) =>
  steps.flatMap((step) => ["before", "done-not-saved"].map((point) => `publish.${step}.${point}`));

/** A publisher that kills itself there. */
async function killedAt(failpoint: string, wtss?: WtssServer): Promise<void> {
  const child = spawn(process.execPath, ["--conditions=aiep:source", PROGRAM], {
    stdio: ["pipe", "inherit", "inherit"],
  });
  const server = wtss === undefined ? {} : { wtss: { url: wtss.url, ...wtss.account } };
  child.stdin.end(JSON.stringify({ database_url: ground.url, failpoints: failpoint, ...server }));
  try {
    const ended = await once(child, "exit", { signal: AbortSignal.timeout(30_000) });
    expect(ended).toEqual([null, "SIGKILL"]);
  } finally {
    child.kill("SIGKILL");
  }
}

describe("kill -9 of a publisher to our own cron", () => {
  const adapter = (): Scheduler => {
    const scheduling = createScheduling({
      ...ground.parts,
      fires: new FireStore(ground.parts),
      experiments: new Experiments(ground.parts.pool),
      clock: () => new Date(),
      failpoints: NO_FAILPOINTS,
      log: createLogger({ service: "crash-test", level: "silent" }),
    });
    return createLocalScheduler(scheduling.localSchedules);
  };
  const goOn = (scheduler = adapter()) => ground.run({ scheduler: () => scheduler });
  const schedulesOf = async ({ id }: Publication) =>
    await ground.parts.pool.query<{ cron: string; version_name: string }>(
      "SELECT cron, version_name FROM schedules WHERE publication_id = ? AND deleted = 0",
      [id],
    );

  it.each(around("set-schedule", "read-back-schedule"))(
    "at %s: published, with one schedule",
    async (point) => {
      const publication = await ground.publish({ scheduler: "local" });
      await killedAt(`${point}=kill`);
      goOn();
      expect(await ground.atRest(publication)).toMatchObject({ state: "Published", standing: "settled" });
      expect(await schedulesOf(publication)).toEqual([{ cron: "30 2 * * *", version_name: "v1" }]);
    },
  );

  it.each(around("remove-schedule", "read-back-removed"))("at %s: unpublished, with none", async (point) => {
    goOn();
    const published = await ground.atRest(await ground.publish({ scheduler: "local" }));
    await ground.stop();
    await ground.unpublish(published);
    await killedAt(`${point}=kill`);
    goOn();
    expect(await ground.atRest(published)).toMatchObject({ state: "Unpublished" });
    expect(await schedulesOf(published)).toEqual([]);
  });
});

describe.skipIf(!existsSync(loadConfig().wtssServer))("kill -9 of a publisher to WTSS", () => {
  let server: WtssServer;
  let client: WtssClient;
  beforeAll(async () => {
    server = await startStandIn({ scanIntervalSeconds: 3600 });
    client = new WtssClient(accessTo(server));
  });
  afterAll(async () => await server?.[Symbol.asyncDispose]());
  afterEach(async () => await server.clearFaults());

  const goOn = () => {
    const scheduler = new WtssScheduler({ settings: settingsOf(accessTo(server)), now: () => new Date() });
    ground.run({ scheduler: () => scheduler });
  };
  const publishedBefore = async (): Promise<Publication> => {
    goOn();
    const published = await ground.atRest(await ground.publish());
    expect(published.state).toBe("Published");
    await ground.stop();
    return published;
  };
  /** One project with one flow and one schedule, as the publication knows it. */
  const stands = async ({ remote }: Publication) => {
    const { project = "", flow = "", projectId = "", scheduleId } = remote;
    expect(await client.project(project, signal)).toMatchObject({ id: projectId, active: true });
    expect(await client.flows(project, signal)).toEqual([flow]);
    const schedule = await client.fetchSchedule(projectId, flow, signal);
    expect(schedule?.scheduleId).toBe(scheduleId);
    return schedule?.cronExpression;
  };
  const isGone = async ({ experimentName, experimentId }: Publication) => {
    const project = await client.project(`${experimentName}_${experimentId.slice(0, 6)}`, signal);
    expect(project?.active ?? false).toBe(false);
  };

  const PUBLISHING = around(
    "log-in",
    "find-or-create-project",
    "describe-project",
    "upload",
    "read-back-flows",
    "set-schedule",
    "read-back-schedule",
  );
  const TAKING_AWAY = around("log-in", "remove-schedule", "delete-project", "read-back-deleted");

  it.each(PUBLISHING)("publishing, at %s: published, one project, one schedule", async (point) => {
    const publication = await ground.publish();
    await killedAt(`${point}=kill`, server);
    goOn();
    const published = await ground.atRest(publication);
    expect(published).toMatchObject({ state: "Published", live: { versionName: "v1" }, standing: "settled" });
    expect(await stands(published)).toBe("0 30 2 * * ?");
  });

  it.each(PUBLISHING.filter((point) => point.endsWith("not-saved")))(
    "updating, at %s: the newer version and cron in the same project",
    async (point) => {
      const before = await publishedBefore();
      await ground.update(before, { versionName: "v2", cron: "0 4 * * *" });
      await killedAt(`${point}=kill`, server);
      goOn();
      const published = await ground.atRest(before);
      expect(published).toMatchObject({ state: "Published", live: { versionName: "v2" } });
      expect(published.remote.projectId).toBe(before.remote.projectId);
      expect(await stands(published)).toBe("0 0 4 * * ?");
    },
  );

  it.each(TAKING_AWAY)("unpublishing, at %s: nothing is left", async (point) => {
    const before = await publishedBefore();
    await ground.unpublish(before);
    await killedAt(`${point}=kill`, server);
    goOn();
    expect(await ground.atRest(before)).toMatchObject({ state: "Unpublished", remote: {} });
    await isGone(before);
  });

  it.each(TAKING_AWAY)("rolling back a refused publish, at %s: nothing is left", async (point) => {
    await server.fault({ kind: "error200", ajax: "scheduleCronFlow" });
    const publication = await ground.publish();
    await killedAt(`${point}=kill${point.includes("log-in") ? "#2" : ""}`, server);
    goOn();
    const failed = await ground.atRest(publication);
    expect(failed).toMatchObject({ state: "Failed", reason: "scheduler_refused", standing: "settled" });
    await isGone(publication);
  });
});
