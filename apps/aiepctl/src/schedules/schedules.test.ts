import { waitFor } from "@aiep/dev-servers";
import { describe, expect, it } from "vitest";
import { FakePlatform, json } from "../testing/fake-platform.ts";
import { EXPERIMENT, FakePublication, PUBLICATION } from "../testing/fake-publication.ts";
import { Workplace } from "../testing/run.ts";

async function stage() {
  const platform = await FakePlatform.start();
  const place = await Workplace.create(platform.url);
  const publication = new FakePublication(platform);
  const bodyOf = (what: string): unknown => JSON.parse(platform.seen(what)[0]?.body.toString() ?? "null");
  return {
    platform,
    place,
    publication,
    bodyOf,
    async [Symbol.asyncDispose]() {
      await place[Symbol.asyncDispose]();
      await platform[Symbol.asyncDispose]();
    },
  };
}
type Stage = Awaited<ReturnType<typeof stage>>;

const polled = async ({ platform }: Stage) =>
  await waitFor("it is followed", () => platform.seen(`GET /v1/publications/${PUBLICATION}`).length > 0);

describe("workflow publish", () => {
  it("shows steps as they are done on stderr, how it stands on stdout with the address last, and ends with 0", async () => {
    await using at = await stage();
    const running = at.place.run([
      "workflow",
      "publish",
      EXPERIMENT,
      "--version",
      "v3",
      "-p",
      "d=${run_date}",
    ]);
    await polled(at);
    at.publication.step("log_in", "Done", "Logged in as aiep.");
    at.publication.step("upload", "Retrying", "The server answered HTML.", 2);
    await waitFor(
      "the retry is seen",
      () => at.platform.requests.at(-1)?.url.searchParams.get("after_version") === "3",
    );
    at.publication.step("upload", "Done", "Revision 1.", 3);
    at.publication.change({
      state: "Published",
      live_version_name: "v3",
      next_fire_at: "2026-02-01 02:30",
      project: "daily_ab1300",
      url: "http://wtss/manager?project=daily_ab1300",
    });
    const { code, stdout, stderr } = await running;
    expect(stderr).toContain(`Publication ${PUBLICATION} of 每日训练 v3 in wtss\n==> Publishing\n`);
    expect(stderr).toContain("    log_in Done: Logged in as aiep.\n");
    expect(stderr).toContain("    upload Done (attempt 3): Revision 1.\n==> Published\n");
    expect(stdout).toMatch(/^Publication: +c0de.*\nURL: +http:\/\/wtss\/manager\?project=daily_ab1300\n$/s);
    expect(at.bodyOf("POST /v1/publications")).toEqual({
      experiment_id: EXPERIMENT,
      version_name: "v3",
      parameters: { d: "${run_date}" },
    });
    expect(code).toBe(0);
  });

  it("ends with 10 when it failed, with the sentence of the step that stopped it", async () => {
    await using at = await stage();
    const running = at.place.run(["workflow", "publish", EXPERIMENT]);
    await polled(at);
    at.publication.step("create_project", "Failed", "The name belongs to bob there; rename the experiment.");
    at.publication.change({ state: "Failed", reason: "SCHEDULER_REFUSED", message: "It was rolled back." });
    const { code, stdout, stderr } = await running;
    expect(stderr).toContain(
      "It failed at create_project: The name belongs to bob there; rename the experiment.\n",
    );
    expect(stdout).toMatch(/State: +Failed: It was rolled back\./);
    expect(code).toBe(10);
  });

  it("ends with 5 when a newer publish took over", async () => {
    await using at = await stage();
    const running = at.place.run(["workflow", "publish", EXPERIMENT]);
    await polled(at);
    at.publication.change({ generation: 2, owner: "bob", version_name: "v4" });
    expect(await running).toMatchObject({
      code: 5,
      stderr: expect.stringContaining("by bob took over, of v4"),
    });
  });

  it("stops waiting after --timeout with 7; with --no-wait it returns at once", async () => {
    await using at = await stage();
    const late = await at.place.run(["workflow", "publish", EXPERIMENT, "--timeout", "200ms"]);
    expect(late).toMatchObject({ code: 7, stderr: expect.stringContaining("publish-status c0de00000000") });
    const now = await at.place.run(["workflow", "publish", EXPERIMENT, "--no-wait", "-o", "json"]);
    expect(now.code).toBe(0);
    expect(JSON.parse(now.stdout)).toMatchObject({ id: PUBLICATION, state: "Publishing" });
  });

  it("takes times and parameters away when told so, and not both", async () => {
    await using at = await stage();
    await at.place.run(["workflow", "publish", EXPERIMENT, "--no-cron", "--no-params", "--no-wait"]);
    expect(at.bodyOf("POST /v1/publications")).toEqual({
      experiment_id: EXPERIMENT,
      cron: null,
      parameters: {},
    });
    const both = await at.place.run(["workflow", "publish", EXPERIMENT, "--no-cron", "--cron", "* * * * *"]);
    expect(both.code).toBe(2);
  });

  it("is taken away by the id of the experiment or of the publication", async () => {
    await using at = await stage();
    for (const id of [EXPERIMENT, "c0de"]) {
      const { code } = await at.place.run(["workflow", "unpublish", id, "--no-wait"]);
      expect(code).toBe(0);
    }
    expect(at.platform.seen(`DELETE /v1/publications/${PUBLICATION}`)).toHaveLength(2);
    expect(await at.place.run(["workflow", "publish-status", "dead"])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("aiepctl workflow publish dead"),
    });
  });

  it("has a status with steps and the next time, and a list without an id", async () => {
    await using at = await stage();
    at.publication.step("upload", "Done", "Revision 1.");
    at.publication.change({ state: "Published", next_fire_at: "2026-02-01 02:30" });
    const { stdout } = await at.place.run(["workflow", "publish-status", "c0de"]);
    expect(stdout).toMatch(/publish +upload +Done +1 +- +Revision 1\./);
    expect(stdout).toMatch(/Next fire: +2026-02-01 02:30/);
    const list = await at.place.run(["workflow", "publish-status", "-q"]);
    expect(list.stdout).toBe(`${PUBLICATION}\n`);
  });
});

describe("schedules and triggers on the command line", () => {
  /** Answers one path, and everything else as the platform does. */
  const answering = (at: Stage, path: string, status: number, body: object) => {
    at.platform.intercept = ({ url }, response) => {
      if (url.pathname !== path) return undefined;
      json(response, status, body);
      return true;
    };
  };
  const ID = "5c0e".padEnd(32, "0");
  const schedule = {
    id: ID,
    group_id: "g1",
    name: "nightly",
    experiment_id: EXPERIMENT,
    experiment_name: "每日训练",
    version_name: null,
    cron: "* * * * *",
    time_zone: "UTC",
    parameters: {},
    misfire: "run_once",
    max_catch_up: 10,
    overlap: "skip",
    max_queued: 100,
    starts_at: null,
    ends_at: null,
    paused: false,
    next_fire_at: "2026-02-01T00:00:00Z",
    publication_id: null,
    version: 1,
    owner: "alice",
    created_at: "2026-01-31T08:00:00Z",
    updated_at: "2026-01-31T08:00:00Z",
    next_fires: ["2026-02-01T00:00:00Z"],
  };

  it("a schedule says only what was written", async () => {
    await using at = await stage();
    answering(at, "/v1/schedules", 201, schedule);
    const argv = ["schedule", "create", "--workflow", EXPERIMENT, "--cron", "* * * * *"];
    const made = await at.place.run([
      ...argv,
      "--overlap",
      "queue",
      "--param",
      "rows=[1,2]",
      "--max-queued",
      "3",
    ]);
    expect(made.code).toBe(0);
    expect(made.stdout).toMatch(/Next: +Sun 2026-02-01 00:00:00 GMT\+0\n/);
    expect(at.bodyOf("POST /v1/schedules")).toEqual({
      experiment_id: EXPERIMENT,
      cron: "* * * * *",
      overlap: "queue",
      max_queued: 3,
      parameters: { rows: [1, 2] },
      paused: false,
    });
  });

  it("an update takes away what is called none or newest, and is sent for the version that was seen", async () => {
    await using at = await stage();
    answering(at, `/v1/schedules/${ID}`, 200, schedule);
    const argv = ["schedule", "update", ID, "--version", "newest", "--ends-at", "none", "--if-version", "4"];
    expect((await at.place.run(argv)).code).toBe(0);
    expect(at.bodyOf(`PATCH /v1/schedules/${ID}`)).toEqual({ version_name: null, ends_at: null });
    expect(at.platform.seen(`PATCH /v1/schedules/${ID}`)[0]?.headers["if-match"]).toBe('"v4"');
  });

  it("a preview shows each time also by the clock there", async () => {
    await using at = await stage();
    const preview = {
      cron: "30 2 * * *",
      time_zone: "Asia/Shanghai",
      quartz: "0 30 2 * * ?",
      next_fires: ["2026-01-31T18:30:00Z"],
    };
    answering(at, "/v1/schedules/preview", 200, preview);
    const { stdout } = await at.place.run([
      "schedule",
      "preview",
      "30 2 * * *",
      "--time-zone",
      "Asia/Shanghai",
    ]);
    expect(stdout).toContain("  2026-01-31T18:30:00Z  Sun 2026-02-01 02:30:00 GMT+8\n");
    expect(stdout).toMatch(/Quartz: +0 30 2 \* \* \?/);
  });

  it("a back-fill is followed to its end, and fails with 10", async () => {
    await using at = await stage();
    const view = {
      id: "91d2".padEnd(32, "0"),
      schedule_id: ID,
      group_id: "g1",
      from: "20260101",
      to: "20260103",
      parallelism: 1,
      reverse: false,
      stop_on_failure: false,
      message: null,
      total: 3,
      created_by: "alice",
      created_at: "2026-01-31T08:00:00Z",
    };
    const begun = { state: "Running", started: 1, succeeded: 0, failed: 0, version: 1, finished_at: null };
    const ended = {
      state: "Failed",
      started: 3,
      succeeded: 2,
      failed: 1,
      version: 5,
      finished_at: view.created_at,
    };
    at.platform.intercept = ({ method }, response) => {
      json(response, method === "POST" ? 201 : 200, { ...view, ...(method === "POST" ? begun : ended) });
      return true;
    };
    const argv = ["schedule", "backfill", ID, "--from", "2026-01-01", "--to", "20260103", "--wait"];
    const { code, stderr } = await at.place.run(argv);
    expect(stderr).toContain("==> Failed: 2 succeeded, 1 failed, 3 of 3 started");
    expect(code).toBe(10);
    expect((await at.place.run(["schedule", "backfill", ID, "--from", "x", "--to", "y"])).code).toBe(2);
  });

  it("an event trigger is tried with an event from a file, stdin or the command line", async () => {
    await using at = await stage();
    const path = `/v1/event-triggers/${ID}/test`;
    answering(at, path, 200, {
      fires: false,
      message: "The condition is false.",
      parameters: {},
      run_date: null,
    });
    await at.place.write("event.json", '{"type": "task.succeeded"}');
    const test = ["trigger", "test", ID];
    expect((await at.place.run([...test, "--event", "event.json"])).stdout).toMatch(/Fires: +no\n/);
    await at.place.run([...test, "--event", "-"], { stdin: '{"type": "task.failed"}' });
    await at.place.run([...test, "--type", "task.stopped", "--data", '{"name": "a"}']);
    expect(at.platform.seen(`POST ${path}`).map(({ body }): unknown => JSON.parse(body.toString()))).toEqual([
      { event: { type: "task.succeeded" } },
      { event: { type: "task.failed" } },
      { event: { type: "task.stopped", data: { name: "a" } } },
    ]);
    expect((await at.place.run([...test, "--type", "a", "--data", "{"])).code).toBe(2);
  });

  it("deleting asks first, and in a script needs --yes", async () => {
    await using at = await stage();
    for (const noun of ["schedule", "trigger"])
      expect(await at.place.run([noun, "delete", ID])).toMatchObject({
        code: 2,
        stderr: expect.stringContaining("--yes"),
      });
    expect(at.platform.requests).toEqual([]);
  });
});
