import { existsSync } from "node:fs";
import { loadConfig, type WtssServer, waitFor } from "@aiep/dev-servers";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { WtssScheduler } from "./adapter.ts";
import { WtssClient } from "./client/client.ts";
import { Publication } from "./testing/publish.ts";
import { packageOptions } from "./testing/script.ts";
import { accessTo, jobProcesses, settingsOf, signal, startStandIn, wholeLog } from "./testing/server.ts";
import { MESSAGE, TriggerServer } from "./testing/trigger-server.ts";

/** A published flow, executed by the scheduler as processes, in both of its command modes. */
const MODES = [
  { mode: "without a shell, stopped by SIGTERM", asUser: false },
  { mode: "by /bin/sh -c, stopped by SIGKILL", asUser: true },
];

describe.skipIf(!existsSync(loadConfig().wtssServer)).each(MODES)(
  "a published flow, run $mode",
  ({ asUser }) => {
    let server: WtssServer;
    let triggers: TriggerServer;
    let scheduler: WtssScheduler;
    let client: WtssClient;
    beforeAll(async () => {
      server = await startStandIn({ asUser });
      triggers = await TriggerServer.open(packageOptions);
      scheduler = new WtssScheduler({
        settings: settingsOf(accessTo(server), triggers.url),
        now: () => new Date(),
      });
      client = new WtssClient(accessTo(server));
    });
    afterAll(async () => {
      await server[Symbol.asyncDispose]();
      await triggers[Symbol.asyncDispose]();
    });
    beforeEach(() => {
      triggers.fires.clear();
      triggers.refusals.length = 0;
      triggers.atOnce = undefined;
    });
    afterEach(() => {
      for (const fire of triggers.fires.values()) fire.end ??= "failed The test is over.";
    });

    const publish = async (more: ConstructorParameters<typeof Publication>[1] = {}) => {
      const published = new Publication(scheduler, more);
      await published.publish();
      return { published, name: published.remote.project ?? "" };
    };
    const ended = async (execId: number) =>
      await waitFor(`execution ${execId} ends`, async () => {
        const state = await scheduler.execution(`${execId}.0`, signal);
        return state === "running" ? undefined : state;
      });
    const fired = async () => await waitFor("the trigger came", () => triggers.only);

    it("its cron fires, the trigger comes with the day before, and the run's end is the execution's", async () => {
      triggers.atOnce = {
        lines: ["prepare Succeeded", "训练 Succeeded"],
        end: "succeeded The run succeeded.",
      };
      const { published, name } = await publish({ cron: "* * * * * ?" });
      const { body } = await fired();
      await published.step("remove_schedule");
      const dayBefore = new Date(Date.now() + 8 * 3_600_000 - 86_400_000).toISOString().slice(0, 10);
      expect(body).toEqual({
        execution: expect.stringMatching(/^\d+$/) as string,
        attempt: 0,
        version_name: "v3",
        run_date: dayBefore.replaceAll("-", ""),
      });
      const execId = Number(body["execution"]);
      expect(await ended(execId)).toBe("succeeded");
      const log = await wholeLog(client, execId, name);
      for (const line of [MESSAGE, "prepare Succeeded", "训练 Succeeded", "[aiep] The run succeeded."])
        expect(log).toContain(`${line}\n`);
      expect(log).not.toContain("token-");
    });

    it("takes dates and values from who executes it, and fails when the run does", async () => {
      triggers.atOnce = { lines: [], end: "failed Node train failed." };
      const parameters = {
        from: "${run_date-1}",
        what: 'it\'s "${what}" & <more>',
        month: "${run_mon_end}x",
      };
      const { name } = await publish({ parameters: { ...parameters, month: "1" } });
      const given = { run_date: "20240301", what: "a b; echo $HOME \\ 实验" };
      const execId = await client.execute({ project: name, flow: name, parameters: given }, signal);
      expect(await ended(execId)).toBe("failed");
      expect(triggers.only?.body).toMatchObject({
        run_date: "20240301",
        parameters: { from: "20240229", what: `it's "${given.what}" & <more>`, month: "1" },
      });
    });

    it("with a day that is none is refused by us, saying so in the scheduler's log", async () => {
      const { name } = await publish({ parameters: { from: "${run_date-1}" } });
      const parameters = { run_date: "2024-03-01" };
      const execId = await client.execute({ project: name, flow: name, parameters }, signal);
      expect(await ended(execId)).toBe("failed");
      expect(triggers.fires.size).toBe(0);
      expect(await wholeLog(client, execId, name)).toContain("AIEP refuses the trigger (HTTP 422)");
    });

    it("killed there, it cancels its run if it can, leaves no process, and the scheduler says killed", async () => {
      const { name } = await publish();
      const execId = await client.execute({ project: name, flow: name }, signal);
      const fire = await fired();
      await waitFor("it waits", () => fire.waits > 0);
      expect(jobProcesses(server)).not.toEqual([]);
      await client.cancel(execId, signal);
      expect(await ended(execId)).toBe("killed");
      await waitFor("nothing of the job is left", () => jobProcesses(server).length === 0);
      expect(fire.cancelled).toBe(!asUser);
    });

    it("runs twice at once, each execution with a run of its own", async () => {
      const { name } = await publish();
      const order = { project: name, flow: name, concurrentOption: "ignore" } as const;
      const execIds = [await client.execute(order, signal), await client.execute(order, signal)];
      const fires = await waitFor(
        "both triggers came",
        () => triggers.fires.size === 2 && [...triggers.fires.values()],
      );
      const [one, other] = fires;
      if (one === undefined || other === undefined) throw new Error("two fires were there");
      one.end = "succeeded One.";
      other.end = "failed Other.";
      const states = new Map(
        await Promise.all(execIds.map(async (each) => [String(each), await ended(each)] as const)),
      );
      expect(states.get(String(one.body["execution"]))).toBe("succeeded");
      expect(states.get(String(other.body["execution"]))).toBe("failed");
    });

    it("goes on over our restart in the middle", async () => {
      const { name } = await publish();
      const execId = await client.execute({ project: name, flow: name }, signal);
      const fire = await fired();
      await waitFor("it waits", () => fire.waits > 0);
      await triggers.down();
      fire.lines.push("train Succeeded");
      fire.end = "succeeded Done.";
      await triggers.up();
      expect(await ended(execId)).toBe("succeeded");
      expect(
        (await wholeLog(client, execId, name)).match(/^train Succeeded$|train Succeeded$/gm),
      ).toHaveLength(1);
      expect(triggers.fires.size).toBe(1);
    });

    it("the scheduler killed in the middle: after its restart we are let in again, and it says that the execution failed", async () => {
      const { published, name } = await publish({ cron: "0 0 1 1 * ?" });
      const execId = await client.execute({ project: name, flow: name }, signal);
      const fire = await fired();
      await waitFor("it waits", () => fire.waits > 0);
      await server.kill9();
      await expect(scheduler.execution(String(execId), signal)).rejects.toMatchObject({
        kind: "unavailable",
      });
      await server.start();
      expect(await scheduler.execution(String(execId), signal)).toBe("failed");
      published.target = { ...published.target, versionName: "v4" };
      await published.publish();
      expect(published.remote.nextFireAt).toMatch(/01:00:00$/);
      await published.unpublish();
    });
  },
);
