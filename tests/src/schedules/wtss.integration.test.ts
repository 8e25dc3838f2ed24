/** Publishing to a WTSS server and being triggered by it, with real processes: aiepctl, our services, the server, its jobs (D25–D27). */
import { startWtss, type WtssServer, waitFor } from "@aiep/dev-servers";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { FAILING, holding, NOOP, SchedulesRig } from "./schedules-rig.ts";
import { WtssPerson } from "./wtss-person.ts";

const QUICK = `parameters:
  - { name: day, type: string, default: none }
  - { name: who, type: string, default: nobody }
${holding("1s")}`;

/** A published flow that stopped asking is noticed soon. */
const LEASE = { AIEP_TRIGGER_LEASE_SECONDS: "3" };

/** What stands on what comes first. */
const OURS = ["scheduler-bridge", "workflow-svc", "nats", "database"] as const;

const MODES = [
  { name: "without a shell, killed by SIGTERM", asUser: false },
  { name: "by sh -c, killed by SIGKILL of the tree", asUser: true },
];

describe.each(MODES)("a WTSS that runs commands $name", ({ asUser }) => {
  let wtss: WtssServer | undefined;
  let at: SchedulesRig | undefined;
  beforeAll(async () => {
    wtss = await startWtss({ asUser });
    if (wtss === undefined) return;
    const { user, password } = wtss.account;
    const account = { AIEP_WTSS_USER: user, AIEP_WTSS_PASSWORD: password };
    at = await SchedulesRig.start({ ...LEASE, AIEP_WTSS_URL: wtss.url, ...account });
  });
  afterAll(async () => {
    await at?.[Symbol.asyncDispose]();
    await wtss?.[Symbol.asyncDispose]();
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === "fail") process.stderr.write(`${await at?.rig.tails()}\n`);
  });

  const stage = (skip: (note: string) => never) => {
    if (wtss === undefined || at === undefined)
      return skip("there is no WTSS stand-in; AIEP_WTSS_SERVER names one");
    return { wtss, at, person: new WtssPerson(wtss) };
  };

  it("publish → executed there → an execution record with its origin → the result in the job's log", async ({
    skip,
  }) => {
    const { at, person, wtss } = stage(skip);
    const id = await at.experiment("每日训练 A", QUICK);
    const published = await at.ctl(
      ...["workflow", "publish", id.slice(0, 12), "--param", "day=${run_date-1}"],
      ...["--param", 'who=张三 "x" $HOME', "--timeout", "60s"],
    );
    expect(published.stderr).toMatch(/==> Publishing\n( {4}\S.* Done: .*\n)+==> Published\n/);
    expect(published.code).toBe(0);
    expect(published.stdout.trimEnd().split("\n").at(-1)).toMatch(new RegExp(`^URL: +${wtss.url}/`));
    const { project, url, live_version_name: live } = await at.publish(id);
    expect([live, project.endsWith(id.slice(0, 6)), url?.includes(project)]).toEqual(["v1", true, true]);

    const tested = await at.ctl(
      "trigger",
      "test",
      "--publication",
      id.slice(0, 12),
      "--param",
      "day=20260301",
    );
    expect(tested.stdout.match(/^pass {2}(published|address|signature|order|version): /gm)).toHaveLength(5);
    expect(tested.code).toBe(0);

    const execution = await person.execute(project);
    expect(await person.ended(execution)).toBe("SUCCEEDED");
    const [publication] = (await at.rig.client.call("listPublications")).items;
    const records = await at.runsOf(publication?.id ?? "", "--origin", "trigger");
    expect(records).toHaveLength(1);
    const [run] = records;
    expect(run).toMatchObject({
      state: "Succeeded",
      version_name: "v1",
      created_by: "alice",
      origin: { kind: "trigger", publication_id: publication?.id, external_id: `${execution}.0` },
      parameters: { day: expect.stringMatching(/^\d{8}$/), who: '张三 "x" $HOME' },
    });
    expect(Number(run?.parameters["day"])).toBeLessThan(Number(run?.run_date));
    const log = await person.log(execution, project);
    expect(log).toContain(
      `实验工作流(${run?.id.slice(0, 9)})提交执行成功，请到AI工程化平台查看执行详情: http://127.0.0.1:`,
    );
    expect(log).toContain(
      `/#/train/workflow/orchestrator/${id}?version=v1&exp_run_id=${run?.id}&view-only=Y`,
    );
    expect(log).toMatch(/hold/);
  });

  it("a run that fails fails the flow there, and its log says why", async ({ skip }) => {
    const { at, person } = stage(skip);
    const { project, id } = await at.publish(await at.experiment("failing", FAILING));
    const execution = await person.execute(project);
    expect(await person.ended(execution)).toBe("FAILED");
    const run = await at.runOf(id, execution);
    expect(run.state).toBe("Failed");
    expect(await person.log(execution, project)).toContain(`Run ${run.id} ended as Failed`);
  });

  it("killed there, the run is cancelled, and says by whom (I9)", async ({ skip }) => {
    const { at, person } = stage(skip);
    const { project, id } = await at.publish(await at.experiment("killed", holding("10m")));
    const execution = await person.execute(project);
    const { id: run } = await at.runOf(id, execution);
    await at.runInState(run, "Running");
    await person.kill(execution);
    expect(await person.ended(execution)).toBe("KILLED");
    const { message } = await at.runInState(run, "Cancelled");
    expect(message).toMatch(/published flow|execution/i);
    expect(await at.runsOf(id)).toHaveLength(1);
  });

  it("everything of ours killed in the middle changes nothing: one run each, and the flows there succeed (I2)", async ({
    skip,
  }) => {
    const { at, person } = stage(skip);
    const { project, id } = await at.publish(await at.experiment("restart", holding("8s")));
    const executions = [await person.execute(project), await person.execute(project)];
    for (const execution of executions) await at.runInState((await at.runOf(id, execution)).id, "Running");
    for (const name of OURS) await at.rig.kill9(name);
    for (const name of OURS.toReversed()) await at.rig.start(name);
    for (const execution of executions) expect(await person.ended(execution)).toBe("SUCCEEDED");
    const records = await at.runsOf(id);
    expect(records.map(({ state, origin }) => `${origin.external_id} ${state}`).sort()).toEqual(
      executions.map((execution) => `${execution}.0 Succeeded`).sort(),
    );
  });

  it("what we are down for while a flow starts there, it makes up for: one run", async ({ skip }) => {
    const { at, person } = stage(skip);
    const { project, id } = await at.publish(await at.experiment("down", holding("1s")));
    await at.rig.kill9("scheduler-bridge");
    const execution = await person.execute(project);
    await at.rig.start("scheduler-bridge");
    expect(await person.ended(execution)).toBe("SUCCEEDED");
    expect(await at.runsOf(id)).toHaveLength(1);
  });

  it("the scheduler's restart ends its jobs: their runs are cancelled with that reason, and publishing goes on", async ({
    skip,
  }) => {
    const { at, person, wtss } = stage(skip);
    const experiment = await at.experiment("cut", holding("10m"));
    const { project, id } = await at.publish(experiment);
    const execution = await person.execute(project);
    const { id: run } = await at.runOf(id, execution);
    await at.runInState(run, "Running");
    await wtss.stop();
    await wtss.start();
    expect(await person.status(execution)).toBe("FAILED");
    await at.runInState(run, "Cancelled");
    const again = await at.publish(experiment, "--cron", "0/2 * * * * ?");
    expect(again).toMatchObject({ state: "Published", project });
  });

  it("the scheduler killed in the middle: a job that lives on keeps its run, and no run is left behind (I10)", async ({
    skip,
  }) => {
    const { at, person, wtss } = stage(skip);
    const { project, id } = await at.publish(await at.experiment("killed-server", holding("6s")));
    const execution = await person.execute(project);
    const { id: run } = await at.runOf(id, execution);
    await at.runInState(run, "Running");
    await wtss.kill9();
    await wtss.start();
    expect(await person.status(execution)).toBe("FAILED");
    const ended = await waitFor(
      "its run ended",
      async () => (await at.runsOf(id)).find(({ finished_at: end }) => end !== null),
      { timeoutMs: 40_000, intervalMs: 300 },
    );
    // What it prints goes nowhere: a job that was just printing ends by it, and its run with it.
    expect(["Succeeded", "Cancelled"]).toContain(ended.state);
    expect(await at.runsOf(id)).toHaveLength(1);
  });

  it("its own cron fires a run each; without the cron none; unpublished, nothing is left there (I10)", async ({
    skip,
  }) => {
    const { at, person } = stage(skip);
    const experiment = await at.experiment("cron", NOOP);
    const { project, id } = await at.publish(experiment, "--cron", "0/2 * * * * ?");
    const fired = await Promise.all([1, 2].map(async (count) => await atLeast(at, id, count)));
    const executions = fired.at(-1)?.map(({ origin }) => origin.external_id) ?? [];
    expect(new Set(executions).size).toBe(executions.length);
    await at.publish(experiment, "--no-cron");
    expect(await person.flowsOf(project)).toEqual([project]);
    const gone = await at.ctl("workflow", "unpublish", experiment, "--timeout", "60s");
    expect(gone.stderr).toContain("==> Unpublished");
    expect(gone.code).toBe(0);
    expect(await person.flowsOf(project)).toBeUndefined();
    const status = await at.ctl("workflow", "publish-status", experiment);
    expect(status.stdout).toMatch(/State: +Unpublished/);
  });
});

async function atLeast(at: SchedulesRig, source: string, count: number) {
  return await waitFor(
    `${count} runs of ${source}`,
    async () => {
      const runs = (await at.runsOf(source)).filter(({ state }) => state === "Succeeded");
      return runs.length >= count ? runs : undefined;
    },
    { timeoutMs: 40_000, intervalMs: 500 },
  );
}
