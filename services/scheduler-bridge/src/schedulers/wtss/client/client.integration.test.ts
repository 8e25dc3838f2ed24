import { existsSync } from "node:fs";
import { loadConfig, type WtssServer, waitFor } from "@aiep/dev-servers";
import { zipTextFiles } from "@aiep/service-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SchedulerError } from "../../scheduler.ts";
import { startEcho } from "../testing/echo.ts";
import { accessTo, givenAccess, signal, startStandIn, wholeLog } from "../testing/server.ts";
import { WtssClient } from "./client.ts";
import type { WtssAccess } from "./connection.ts";

/** Every call, against the stand-in or the server that AIEP_WTSS_URL names; faults against the stand-in alone. */

const given = givenAccess();
const hasStandIn = existsSync(loadConfig().wtssServer);
const FINAL = ["SUCCEEDED", "FAILED", "KILLED"];

const kindOf = async (work: Promise<unknown>): Promise<string> =>
  await work.then(
    () => "done",
    (error: unknown) => (error instanceof SchedulerError ? error.kind : String(error)),
  );

const jobZip = (name: string, command: string) =>
  zipTextFiles({ [`${name}.job`]: `type=command\ncommand=${command}\n`, "job.sh": SCRIPT });
const SCRIPT = `echo "a < b & c > d \\"q\\" 实验 😀 é ERROR"
echo "date \${run_date}"
i=0; while [ $i -lt 5 ]; do echo "line $i 训练"; i=$((i+1)); done
`;

describe.skipIf(given === undefined && !hasStandIn)("each call to WTSS", () => {
  const name = `aiep_client_${Date.now().toString(36)}`;
  let server: WtssServer | undefined;
  let access: WtssAccess;
  let client: WtssClient;
  beforeAll(async () => {
    if (given === undefined) server = await startStandIn();
    access = given ?? accessTo(server ?? (await startStandIn()));
    client = new WtssClient(access);
  });
  afterAll(async () => {
    await client.deleteProject(name, signal).catch(() => undefined);
    await server?.[Symbol.asyncDispose]();
  });

  const ended = async (execId: number) =>
    await waitFor(
      `execution ${execId} ends`,
      async () => {
        const execution = await client.execution(execId, signal);
        return execution !== undefined && FINAL.includes(execution.status) ? execution : undefined;
      },
      { timeoutMs: 60_000 },
    );

  it("finds no project, makes one once, and describes it", async () => {
    expect(await client.project(name, signal)).toBeUndefined();
    await client.createProject(name, "first 实验", signal);
    expect(await client.project(name, signal)).toMatchObject({ active: true });
    expect(await client.project(name.toUpperCase(), signal)).toMatchObject({ active: true });
    expect(await kindOf(client.createProject(name, "again", signal))).toBe("refused");
    expect(await kindOf(client.createProject("实验", "no name", signal))).toBe("refused");
    await client.describeProject(name, `实验 ${"述".repeat(300)} & more`, signal);
    expect(await client.flows(name, signal)).toEqual([]);
    expect(await kindOf(client.flows(`${name}_none`, signal))).toBe("refused");
  });

  it("takes an upload, shows its flow, and says what is wrong with a bad one", async () => {
    const first = await client.upload(name, `${name}.zip`, jobZip(name, "sh job.sh"), signal);
    expect(await client.upload(name, `${name}.zip`, jobZip(name, "sh job.sh"), signal)).not.toBe(first);
    expect(await client.flows(name, signal)).toEqual([name]);
    expect(await client.flowNodes(name, name, signal)).toMatchObject([{ id: name, type: "command" }]);
    for (const bad of [Buffer.from("no zip"), zipTextFiles({ "x.txt": "no job" })])
      expect(await kindOf(client.upload(name, `${name}.zip`, bad, signal))).toBe("refused");
    expect(await client.flows(name, signal)).toEqual([name]);
  });

  it("keeps one schedule a flow, changes it, and removes it", async () => {
    const project = await client.project(name, signal);
    const order = { project: name, flow: name, comment: "c" };
    const id = await client.schedule({ ...order, cron: "0 30 2 * * ?" }, signal);
    expect(await client.schedule({ ...order, cron: "0 0 3 1 1 ?" }, signal)).toBe(id);
    const projectId = project?.id ?? "";
    expect(await client.fetchSchedule(projectId, name, signal)).toMatchObject({
      scheduleId: id,
      cronExpression: "0 0 3 1 1 ?",
      nextExecTime: expect.stringMatching(/-01-01 03:00:00$/) as string,
    });
    for (const cron of ["0 0 3 * * *", "no cron", "0 0 0 1 1 ? 1999"])
      expect(await kindOf(client.schedule({ ...order, cron }, signal))).toBe("refused");
    await client.removeSchedule(id, signal);
    expect(await client.fetchSchedule(projectId, name, signal)).toBeUndefined();
    expect(await kindOf(client.removeSchedule(id, signal))).toBe("refused");
  });

  it("runs a flow, follows it, and reads its log, whatever the pages' length", async () => {
    const order = { project: name, flow: name, parameters: { run_date: "20260301" } };
    const execId = await client.execute(order, signal);
    expect(await client.running(name, name, signal)).toEqual([execId]);
    const execution = await ended(execId);
    expect(execution).toMatchObject({
      status: "SUCCEEDED",
      nodes: [{ id: name, status: "SUCCEEDED", attempt: 0 }],
    });
    const update = await client.executionUpdate(execId, 0, signal);
    expect(update).toMatchObject({ status: "SUCCEEDED", nodes: [{ status: "SUCCEEDED" }] });
    expect((await client.executionUpdate(execId, update.updateTime, signal)).nodes).toEqual([]);
    expect(await client.running(name, name, signal)).toEqual([]);
    const log = await wholeLog(client, execId, name);
    expect(log).toContain('a < b & c > d "q" 实验 😀 é ERROR\n');
    expect(log).toContain("date 20260301\n");
    for (const length of [17, 333]) expect(await wholeLog(client, execId, name, length)).toBe(log);
  });

  it("refuses a second run, cancels one, and knows none that never was", async () => {
    await client.upload(name, `${name}.zip`, jobZip(name, "sleep 60"), signal);
    const execId = await client.execute({ project: name, flow: name }, signal);
    expect(await kindOf(client.execute({ project: name, flow: name }, signal))).toBe("refused");
    expect(await kindOf(client.deleteProject(name, signal))).toBe("refused");
    await client.cancel(execId, signal);
    expect((await ended(execId)).status).toBe("KILLED");
    await client.cancel(execId, signal);
    expect(await client.execution(2_000_000_000, signal)).toBeUndefined();
    expect(await kindOf(client.execute({ project: name, flow: "none" }, signal))).toBe("refused");
  });

  it("deletes a project, which then is known but not active", async () => {
    await client.deleteProject(name, signal);
    expect(await client.project(name, signal)).toMatchObject({ active: false });
    await client.deleteProject(name, signal);
  });

  it("lets nobody in with a wrong password, and keeps that to itself", async () => {
    const stranger = new WtssClient({
      ...access,
      password: async () => await Promise.resolve("wr0ng-secret"),
    });
    const failure: unknown = await stranger.logIn(signal).catch((error: unknown) => error);
    expect(failure).toMatchObject({ kind: "unauthorized" });
    expect(JSON.stringify([failure, String(failure)])).not.toContain("wr0ng-secret");
  });
});

describe.skipIf(!hasStandIn)("when WTSS misbehaves", () => {
  let server: WtssServer;
  let client: WtssClient;
  beforeAll(async () => {
    server = await startStandIn();
    client = new WtssClient({ ...accessTo(server), timeoutMs: 5_000 });
    await client.createProject("faults", "of the server", signal);
    await client.upload("faults", "faults.zip", jobZip("faults", "true"), signal);
  });
  afterAll(async () => await server[Symbol.asyncDispose]());

  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    getProjectId: async () => await client.project("faults", signal),
    changeDescription: async () => await client.describeProject("faults", "d", signal),
    upload: async () => await client.upload("faults", "faults.zip", jobZip("faults", "true"), signal),
    fetchprojectflows: async () => await client.flows("faults", signal),
    fetchflowgraph: async () => await client.flowNodes("faults", "faults", signal),
    scheduleCronFlow: async () =>
      await client.schedule({ project: "faults", flow: "faults", cron: "0 0 3 * * ?", comment: "" }, signal),
    fetchSchedule: async () => await client.fetchSchedule("1", "faults", signal),
    getRunning: async () => await client.running("faults", "faults", signal),
    executeFlow: async () => await client.execute({ project: "faults", flow: "faults" }, signal),
    fetchexecflow: async () => await client.execution(1, signal),
    fetchexecflowupdate: async () => await client.executionUpdate(1, 0, signal),
    fetchExecJobLogs: async () => await wholeLog(client, 1, "faults"),
    cancelFlow: async () => await client.cancel(1, signal),
    removeSched: async () => await client.removeSchedule("1", signal),
  };

  it.each(Object.keys(calls))("%s fails in the way that the fault means, or is made again", async (ajax) => {
    const call = calls[ajax] ?? (async () => await Promise.reject(new Error("no such call")));
    const outcomes: [string, string][] = [];
    for (const kind of ["session", "html", "500", "error200", "execid-1", "hang"] as const) {
      await server.fault({ kind, ajax, seconds: 0.02 });
      outcomes.push([kind, await kindOf(call())]);
      expect(await server.faultsLeft()).toEqual([]);
    }
    expect(Object.fromEntries(outcomes)).toEqual({
      session: "done",
      html: "done",
      "500": "unavailable",
      error200: "refused",
      "execid-1": ajax === "executeFlow" ? "busy" : "unavailable",
      hang: "unavailable",
      // What was done for the fault before: the schedule is gone, the flow may still run.
      ...(ajax === "removeSched" ? { html: "refused" } : {}),
      ...(ajax === "executeFlow" ? { html: expect.stringMatching(/done|refused/) as string } : {}),
    });
  });

  it("half an answer counts for nothing, slow ones are waited for", async () => {
    await server.fault({ kind: "cut" });
    expect(await kindOf(client.flows("faults", signal))).toBe("unavailable");
    await server.fault({ kind: "slow", seconds: 0.1 });
    expect(await client.flows("faults", signal)).toEqual(["faults"]);
  });

  it("silence is bounded, and left when the caller leaves", async () => {
    const hurried = new WtssClient({ ...accessTo(server), timeoutMs: 200 });
    await hurried.logIn(signal);
    await server.fault({ kind: "slow", seconds: 2, times: 2 });
    await expect(hurried.flows("faults", signal)).rejects.toThrow("it did not answer within 0.2 s");
    const leaver = new AbortController();
    const asked = client.flows("faults", leaver.signal);
    leaver.abort(new Error("stopped"));
    await expect(asked).rejects.toThrow("stopped");
    await server.clearFaults();
  });

  it("a login that fails is tried by the next caller, in every shape of failure", async () => {
    for (const kind of ["html", "500", "session", "cut", "hang", "execid-1"] as const) {
      const fresh = new WtssClient(accessTo(server));
      await server.fault({ kind, path: "/checkin", seconds: 0.02 });
      expect([kind, await kindOf(fresh.flows("faults", signal))]).toEqual([kind, "unavailable"]);
      expect(await fresh.flows("faults", signal)).toEqual(["faults"]);
    }
  });

  it("a session that is lost twice is told, not looped on", async () => {
    await server.fault({ kind: "session", ajax: "fetchprojectflows", times: 2 });
    await expect(client.flows("faults", signal)).rejects.toThrow("also after a new login");
    expect(await server.faultsLeft()).toEqual([]);
  });

  it("callers at the same moment go on over a restart that lost their session", async () => {
    await client.logIn(signal);
    await server.kill9();
    expect(await kindOf(client.flows("faults", signal))).toBe("unavailable");
    await server.start();
    const answers = await Promise.all(
      Array.from({ length: 12 }, async () => await client.flows("faults", signal)),
    );
    expect(answers).toEqual(Array.from({ length: 12 }, () => ["faults"]));
    expect(await client.upload("faults", "faults.zip", jobZip("faults", "true"), signal)).toMatch(/^\d+$/);
  });

  it("password and session are in no message, even when the server says them", async () => {
    const chatty = await startEcho();
    try {
      const failures: unknown[] = [];
      const access = {
        url: chatty.url,
        user: "aiep",
        password: async () => await Promise.resolve("pa55-word"),
      };
      const echoing = new WtssClient(access);
      failures.push(await echoing.flows("pa55-word s3ss-ion", signal).catch((error: unknown) => error));
      chatty.refuseLogin = true;
      failures.push(await new WtssClient(access).logIn(signal).catch((error: unknown) => error));
      expect(failures.map((error) => error instanceof SchedulerError)).toEqual([true, true]);
      expect(failures.map(String).join()).toContain("***");
      expect(failures.map(String).join()).not.toMatch(/pa55|s3ss/);
      expect(JSON.stringify(failures)).not.toMatch(/pa55|s3ss/);
    } finally {
      chatty.close();
    }
  });
});

describe.skipIf(!hasStandIn)("a WTSS that holds back", () => {
  it("says so: a full queue is busy, a schedule without application information refused", async () => {
    await using server = await startStandIn({ queueFull: true, businessCheck: true });
    const client = new WtssClient(accessTo(server));
    await client.createProject("held", "back", signal);
    await client.upload("held", "held.zip", jobZip("held", "true"), signal);
    expect(await kindOf(client.execute({ project: "held", flow: "held" }, signal))).toBe("busy");
    const order = { project: "held", flow: "held", cron: "0 0 3 * * ?", comment: "" };
    expect(await kindOf(client.schedule(order, signal))).toBe("refused");
  });
});
