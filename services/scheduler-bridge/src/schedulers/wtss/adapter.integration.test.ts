import { existsSync } from "node:fs";
import { experimentId } from "@aiep/contracts";
import { loadConfig, type WtssServer } from "@aiep/dev-servers";
import { zipTextFiles } from "@aiep/service-kit";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { SchedulerError } from "../scheduler.ts";
import { WtssScheduler } from "./adapter.ts";
import { WtssClient } from "./client/client.ts";
import { decodeWtssName } from "./names.ts";
import { Publication } from "./testing/publish.ts";
import { accessTo, settingsOf, signal, startStandIn } from "./testing/server.ts";

const NOW = new Date("2026-11-21T00:00:00Z");
let id = 0xab13c7;

describe.skipIf(!existsSync(loadConfig().wtssServer))("a publication in WTSS", () => {
  let server: WtssServer;
  let scheduler: WtssScheduler;
  let client: WtssClient;
  beforeAll(async () => {
    server = await startStandIn({ scanIntervalSeconds: 3600 });
    client = new WtssClient(accessTo(server));
  });
  afterAll(async () => await server[Symbol.asyncDispose]());
  beforeEach(() => {
    scheduler = new WtssScheduler({ settings: settingsOf(accessTo(server)), now: () => NOW });
  });

  /** Of an experiment of its own. */
  const publication = (more: ConstructorParameters<typeof Publication>[1] = {}) => {
    id += 1;
    const own = { experimentId: experimentId.parse(`${id.toString(16)}${"0".repeat(26)}`), ...more };
    return new Publication(scheduler, own);
  };
  const failureOf = async (work: Promise<unknown>): Promise<SchedulerError> => {
    const error: unknown = await work.then(
      () => "nothing",
      (thrown: unknown) => thrown,
    );
    if (error instanceof SchedulerError) return error;
    throw new Error(`not a SchedulerError: ${String(error)}`);
  };

  it("is a project and a flow named after the experiment, described, with its schedule read back", async () => {
    const published = publication({ cron: "30 2 * * MON" });
    await published.publish();
    const { remote } = published;
    expect(remote).toMatchObject({
      flow: remote.project,
      created: true,
      revision: "1",
      nextFireAt: expect.stringMatching(/^\d{4}-\d\d-\d\d 02:30:00$/) as string,
      url: `${server.url}/manager?project=${remote.project}`,
    });
    expect(decodeWtssName(remote.project ?? "")).toMatchObject({ name: "训练 demo", complete: true });
    expect(published.messages).toHaveLength(7);
    expect(await client.flows(remote.project ?? "", signal)).toEqual([remote.flow]);
  });

  it("is brought to another version and cron in its place, also under another name of the experiment", async () => {
    const published = publication({ cron: "0 1 * * *" });
    await published.publish();
    const { project, scheduleId } = published.remote;
    published.target = {
      ...published.target,
      versionName: "v4",
      cron: "0 2 * * *",
      experimentName: "renamed",
    };
    await published.publish();
    expect(published.remote).toMatchObject({ project, scheduleId, revision: "2" });
    published.target = { ...published.target, cron: null };
    await published.publish();
    const found = await client.project(project ?? "", signal);
    expect(await client.fetchSchedule(found?.id ?? "", project ?? "", signal)).toBeUndefined();
  });

  it("is taken away with all that was made, and nothing happens when it is gone", async () => {
    const published = publication({ cron: "0 1 * * *" });
    await published.publish();
    await published.unpublish();
    expect(await client.project(published.remote.project ?? "", signal)).toMatchObject({ active: false });
    await published.unpublish();
    await published.publish();
    expect(published.remote.revision).toBe("1");
    await publication().unpublish();
  });

  it("leaves a project of somebody else alone", async () => {
    const published = publication({ experimentName: "theirs" });
    const name = `theirs_${published.target.experimentId.slice(0, 6)}`;
    const theirs = new WtssClient(accessTo(server, server.otherAccount));
    await theirs.createProject(name, "theirs", signal);
    const failure = await failureOf(published.publish());
    expect(failure).toMatchObject({ kind: "taken", message: expect.stringContaining(name) as string });
    await published.unpublish();
    expect(await theirs.project(name, signal)).toMatchObject({ active: true });
  });

  it("leaves a project of the same account alone that runs something else", async () => {
    const published = publication({ experimentName: "other" });
    const name = `other_${published.target.experimentId.slice(0, 6)}`;
    await client.createProject(name, "other", signal);
    const zip = zipTextFiles({ "backup.job": "type=command\ncommand=true\n" });
    await client.upload(name, "backup.zip", zip, signal);
    expect(await failureOf(published.publish())).toMatchObject({ kind: "taken" });
    await published.unpublish();
    expect(await client.flows(name, signal)).toEqual(["backup"]);
  });

  it.each([
    ["a cron that Quartz cannot say", { cron: "0 0 1 * 1" }, "means either"],
    ["a cron for other clocks", { cron: "0 1 * * *", timeZone: "Europe/Berlin" }, "fires in Asia/Shanghai"],
    ["a value nobody can fill in", { parameters: { day: "${run date}" } }, "day"],
  ])("with %s is refused before anything is made", async (_what, more, part) => {
    const published = publication(more);
    const failure = await failureOf(published.publish());
    expect(failure).toMatchObject({ kind: "refused", message: expect.stringContaining(part) as string });
    expect(published.messages).toHaveLength(1);
    const problem = scheduler.cronProblem(published.target);
    expect(problem).toBe("cron" in more ? failure.message : undefined);
  });

  it("takes another zone whose clocks show the same", async () => {
    await publication({ cron: "0 1 * * *", timeZone: "Asia/Taipei" }).publish();
  });

  it("with a cron that never fires again is refused by WTSS, and taken away", async () => {
    const published = publication({ cron: "0 0 1 1 1 ? 2020" });
    expect(await failureOf(published.publish())).toMatchObject({ kind: "refused" });
    expect(published.messages).toHaveLength(5);
    await published.unpublish();
  });

  it("notices an upload, a schedule or a deletion that others undid", async () => {
    const published = publication({ cron: "0 1 * * *" });
    await published.publish();
    const name = published.remote.project ?? "";
    await client.schedule({ project: name, flow: name, cron: "0 0 5 * * ?", comment: "" }, signal);
    expect(await failureOf(published.step("read_back_schedule"))).toMatchObject({ kind: "refused" });
    published.target = { ...published.target, versionName: "v9" };
    expect(await failureOf(published.step("read_back_flows"))).toMatchObject({ kind: "refused" });
    expect(await failureOf(published.step("read_back_deleted"))).toMatchObject({ kind: "refused" });
    await client.deleteProject(name, signal);
    for (const step of ["read_back_flows", "read_back_schedule", "set_schedule", "upload"])
      expect(await failureOf(published.step(step))).toMatchObject({ kind: "refused" });
  });

  it("is not deleted while it runs, and then it is", async () => {
    const published = publication();
    await published.publish();
    const name = published.remote.project ?? "";
    const execId = await client.execute({ project: name, flow: name }, signal);
    expect(await scheduler.execution(`${execId}.0`, signal)).toBe("running");
    expect(await failureOf(published.unpublish())).toMatchObject({
      kind: "busy",
      message: expect.stringContaining(String(execId)) as string,
    });
    await client.cancel(execId, signal);
    await expect
      .poll(async () => await scheduler.execution(String(execId), signal), { timeout: 15_000 })
      .toBe("killed");
    await published.unpublish();
  });

  it("knows executions, and those that are none", async () => {
    expect(await scheduler.execution("2000000000", signal)).toBe("unknown");
    expect(await scheduler.execution("abc", signal)).toBe("unknown");
    await server.fault({ kind: "500" });
    expect(await failureOf(scheduler.execution("1", signal))).toMatchObject({ kind: "unavailable" });
  });

  it("is checked read-only, with the reason of what fails", async () => {
    expect(await scheduler.checks(signal)).toMatchObject([{ ok: true }, { ok: true }, { ok: true }]);
    const closed = new WtssScheduler({
      settings: { ...settingsOf(accessTo(server)), url: "http://127.0.0.1:9" },
      now: () => NOW,
    });
    expect(await closed.checks(signal)).toMatchObject([{ name: "wtss-reachable", ok: false }]);
    const account = { user: "aiep", password: "wr0ng" };
    const stranger = new WtssScheduler({ settings: settingsOf(accessTo(server, account)), now: () => NOW });
    expect(await stranger.checks(signal)).toMatchObject([{ ok: true }, { name: "wtss-login", ok: false }]);
    const page = await scheduler.checks(signal);
    expect(page.map(({ message }) => message).join()).not.toContain("aiep-pass");
  });

  it("has no other steps", async () =>
    expect(await failureOf(publication().step("toString"))).toMatchObject({ kind: "refused" }));
});

/** Which ends each fault may have: made again by itself, or the error that fits. */
const OUTCOMES: Readonly<
  Record<"html" | "500" | "session" | "error200" | "execid-1" | "hang" | "cut" | "slow", readonly string[]>
> = {
  html: ["done", "unavailable"], // the login itself cannot be made again
  session: ["done", "unavailable"],
  slow: ["done"],
  "500": ["unavailable"],
  hang: ["unavailable"],
  cut: ["unavailable"],
  "execid-1": ["unavailable"],
  error200: ["refused", "unauthorized", "done"], // a no after which all is as wanted
};
const KINDS = Object.keys(OUTCOMES) as (keyof typeof OUTCOMES)[]; // its own keys

describe.skipIf(!existsSync(loadConfig().wtssServer))(
  "a step of a publication, hit by a fault at any of its requests",
  () => {
    let server: WtssServer;
    beforeAll(async () => {
      server = await startStandIn({ scanIntervalSeconds: 3600 });
    });
    afterAll(async () => await server[Symbol.asyncDispose]());

    /** What has to be there, and what not, for a step to have something to do. */
    const before: Readonly<Record<string, readonly string[]>> = {
      log_in: [],
      find_or_create_project: ["delete_project"],
      describe_project: ["find_or_create_project"],
      upload: ["find_or_create_project"],
      read_back_flows: ["find_or_create_project", "upload"],
      set_schedule: [],
      read_back_schedule: ["set_schedule"],
      remove_schedule: ["set_schedule"],
      delete_project: ["find_or_create_project", "upload", "set_schedule"],
      read_back_deleted: ["delete_project"],
    };

    it.each(Object.keys(before))(
      "%s: is done after all, or fails as the fault means, and is done when tried again",
      async (step) => {
        const target = { cron: "0 1 * * *" };
        const settings = settingsOf({ ...accessTo(server), timeoutMs: 5_000 });
        const steady = new Publication(new WtssScheduler({ settings, now: () => NOW }), target);
        const reach = async (): Promise<void> => {
          for (const each of before[step] ?? []) await steady.step(each);
        };
        for (let request = 1, hit = true; hit; request++) {
          for (const kind of KINDS) {
            await reach();
            // A new one each time, so that its login is a request too.
            const published = new Publication(new WtssScheduler({ settings, now: () => NOW }), target);
            published.remote = steady.remote;
            for (let filler = 1; filler < request; filler++) await server.fault({ kind: "slow", seconds: 0 });
            await server.fault({ kind, seconds: 0.01 });
            const outcome = await published.step(step).then(
              () => "done",
              (error: unknown) => (error instanceof SchedulerError ? error.kind : String(error)),
            );
            const left = await server.faultsLeft();
            await server.clearFaults();
            hit = Array.isArray(left) && left.length === 0;
            if (!hit) break;
            expect([request, kind, outcome]).toEqual([request, kind, expect.toBeOneOf([...OUTCOMES[kind]])]);
            await published.step(step);
          }
        }
        await steady.publish();
      },
    );
  },
);
