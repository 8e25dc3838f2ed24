import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chain, startWorkflowApi, type WorkflowApi } from "./testing/workflow-api.ts";

let api: WorkflowApi;
beforeAll(async () => {
  api = await startWorkflowApi();
});
afterAll(async () => {
  await api?.[Symbol.asyncDispose]();
});

const parameters = [
  { name: "lr", type: "number", default: 0.1 },
  { name: "city", type: "string", enum: ["深圳", "上海"] },
];

async function started(definition: unknown = chain("a", "b"), body: object = {}) {
  const id = await api.create(definition);
  return (await api.ok("startRun", { params: { experiment_id: id }, body })).body;
}

const requestsOf = async (runId: string) =>
  (
    await api.pool.query<{ request: string }>(
      "SELECT request FROM run_requests WHERE run_id = ? ORDER BY id",
      [runId],
    )
  ).map(({ request }): unknown => JSON.parse(request));

describe("starting a run", () => {
  it("freezes a changed draft in the same transaction, and an unchanged one is not frozen again", async () => {
    const params = { experiment_id: await api.create(chain("a", "b")) };
    const first = await api.ok("startRun", { params });
    expect(first.status).toBe(201);
    expect(first.headers.get("location")).toBe(`/v1/runs/${first.body.id}`);
    expect(first.body).toMatchObject({ state: "Created", version_name: "v1", node_count: 2, version: 1 });
    expect((await api.ok("startRun", { params })).body.version_name).toBe("v1");
    await api.ok("putDraft", { params, headers: { "if-match": '"v1"' }, body: { definition: chain("a") } });
    expect((await api.ok("startRun", { params })).body.version_name).toBe("v2");
    const old = await api.ok("startRun", { params, body: { version_name: "v1" } });
    expect(old.body).toMatchObject({ version_name: "v1", node_count: 2 });
    const { body } = await api.ok("listVersions", { params });
    expect(body.items.map((each) => each.version_name)).toEqual(["v2", "v1"]);
  });

  it("of a changed draft, ten at once, freezes it once", async () => {
    const params = { experiment_id: await api.create(chain("a")) };
    const runs = await Promise.all(
      Array.from({ length: 10 }, async () => await api.ok("startRun", { params })),
    );
    expect(new Set(runs.map(({ body }) => body.version_name))).toEqual(new Set(["v1"]));
    expect(new Set(runs.map(({ body }) => body.id)).size).toBe(10);
    expect((await api.ok("listVersions", { params })).body.items).toHaveLength(1);
  });

  it("twice with one Idempotency-Key is one run (I2)", async () => {
    const params = { experiment_id: await api.create(chain("a")) };
    const headers = { "idempotency-key": "run-once" };
    const runs = await Promise.all([1, 2, 3].map(async () => await api.ok("startRun", { params, headers })));
    expect(new Set(runs.map(({ body }) => body.id)).size).toBe(1);
    const { body } = await api.ok("listRuns", { query: params });
    expect(body.items).toHaveLength(1);
    const other = await api.refused("startRun", { params, headers, body: { run_date: "20260101" } });
    expect(other.code).toBe("IDEMPOTENCY_KEY_REUSED");
  });

  it("freezes parameters with their defaults and the business date", async () => {
    const definition = { ...chain("a"), parameters };
    const run = await started(definition, { parameters: { city: "深圳", lr: "0.5" }, run_date: "20260131" });
    expect(run).toMatchObject({ parameters: { city: "深圳", lr: 0.5 }, run_date: "20260131" });
    const yesterday = await started();
    expect(yesterday.run_date).toMatch(/^\d{8}$/);
  });

  it("with wrong parameters names all of them and creates nothing", async () => {
    const params = { experiment_id: await api.create({ ...chain("a"), parameters }) };
    const problem = await api.refused("startRun", {
      params,
      body: { parameters: { lr: "fast", city: "${city}", other: 1 } },
    });
    expect(problem.code).toBe("RUN_PARAMETERS_INVALID");
    expect(problem.errors?.map(({ pointer, code }) => `${pointer} ${code}`).sort()).toEqual([
      "/parameters/city UNRESOLVED_VALUE",
      "/parameters/lr WRONG_TYPE",
      "/parameters/other UNKNOWN_PARAMETER",
    ]);
    expect((await api.refused("startRun", { params })).code).toBe("RUN_PARAMETERS_INVALID");
    const day = await api.refused("startRun", {
      params,
      body: { run_date: "20260231", parameters: { city: "上海" } },
    });
    expect(day.errors?.[0]?.pointer).toBe("/run_date");
    expect((await api.ok("listRuns", { query: params })).body.items).toEqual([]);
    expect((await api.ok("listVersions", { params })).body.items).toEqual([]);
  });

  it("with a choice of nodes that makes no sense is refused with what to do", async () => {
    const params = { experiment_id: await api.create(chain("a", "b")) };
    const refused = async (body: object) => (await api.refused("startRun", { params, body })).code;
    expect(await refused({ mode: "single", nodes: ["nope"] })).toBe("RUN_REFUSED");
    expect(await refused({ mode: "single", nodes: [] })).toBe("RUN_REFUSED");
    expect(await refused({ mode: "from_failed" })).toBe("RUN_REFUSED");
    expect(await refused({ version_name: "v9" })).toBe("VERSION_NOT_FOUND");
    const single = await api.ok("startRun", { params, body: { mode: "single", nodes: ["b"] } });
    expect(single.body).toMatchObject({ mode: "single", selected: ["b"], node_count: 1 });
    const until = await api.ok("startRun", { params, body: { mode: "until", nodes: ["a"] } });
    expect(until.body.node_count).toBe(1);
    const base = { mode: "from_node", nodes: ["b"], base_run_id: single.body.id };
    expect(await refused(base)).toBe("RUN_REFUSED");
  });

  it("of an imported flow with a kind that cannot run is refused by its name, but kept", async () => {
    const flow = {
      edges: [],
      nodes: [
        {
          key: "k",
          id: "k",
          title: "lr",
          jobType: "linkis.appconn.mlflow.LogisticRegression",
          jobContent: {},
        },
      ],
      type: "flow",
    };
    const { body } = await api.ok("createExperiment", { body: { name: "old", flowjson: flow } });
    expect(body.problems).toEqual([expect.objectContaining({ severity: "warning", node: "k" })]);
    const problem = await api.refused("startRun", { params: { experiment_id: body.id } });
    expect(problem).toMatchObject({ code: "WORKFLOW_INVALID" });
    expect(problem.detail).toContain("LogisticRegression");
  });
});

describe("reading runs", () => {
  it("shows nodes in the order of the graph, with those that nothing happened to yet", async () => {
    const run = await started(chain("first", "second", "third"));
    const params = { run_id: run.id.slice(0, 12) };
    const { body } = await api.ok("listRunNodes", { params, query: { limit: "2" } });
    expect(body.items.map(({ key, state }) => [key, state])).toEqual([
      ["first", "Waiting"],
      ["second", "Waiting"],
    ]);
    const rest = await api.ok("listRunNodes", {
      params,
      query: { limit: "2", cursor: body.next_cursor ?? "" },
    });
    expect(rest.body).toMatchObject({ items: [{ key: "third" }], next_cursor: null });
    const node = await api.ok("getRunNode", { params: { ...params, node_key: "second" } });
    expect(node.body).toMatchObject({ key: "second", attempts: [], links: { task: null } });
    const unknown = await api.refused("getRunNode", { params: { ...params, node_key: "nope" } });
    expect(unknown.code).toBe("RUN_NODE_NOT_FOUND");
  });

  it("lists execution records by their filters, and of one's own groups alone", async () => {
    const id = await api.create(chain("a"));
    const body = { run_date: "20260101" };
    const { body: run } = await api.ok("startRun", { params: { experiment_id: id }, body });
    const query = { experiment_id: id, run_date: "20260101", state: "Created", version_name: "v1" };
    expect((await api.ok("listRuns", { query })).body.items.map((each) => each.id)).toEqual([run.id]);
    const none = await api.ok("listRuns", { query: { ...query, state: "Failed" } });
    expect(none.body.items).toEqual([]);
    expect((await api.ok("listRuns", { query, user: "eve" })).body.items).toEqual([]);
    expect((await api.refused("getRun", { params: { run_id: run.id }, user: "eve" })).code).toBe(
      "RUN_NOT_FOUND",
    );
    expect((await api.refused("listRuns", { query: { stat: "x" } })).code).toBe("VALIDATION_FAILED");
  });

  it("gives its events as history and as a stream that starts with the first one", async () => {
    const run = await started();
    const params = { run_id: run.id };
    const { body } = await api.ok("getRunHistory", { params });
    expect(body.items.map(({ version, type }) => [version, type])).toEqual([
      [1, "aiep.workflow.run_created.v1"],
    ]);
    const controller = new AbortController();
    const response = await fetch(`${api.url}/v1/runs/${run.id}/events`, {
      headers: { authorization: `Bearer ${api.token("ada")}` },
      signal: controller.signal,
    });
    expect(response.headers.get("content-type")).toContain("text/event-stream");
    let text = "";
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString();
      if (text.includes("event: status")) break;
    }
    controller.abort();
    expect(text).toContain("id: 1");
    expect(text).toContain("run_created");
  });

  it("a long poll answers at once for a version that is over, and when time is up otherwise", async () => {
    const run = await started();
    const params = { run_id: run.id };
    const past = await api.ok("getRun", { params, query: { wait_seconds: "30", after_version: "0" } });
    expect(past.body.version).toBe(1);
    const waited = await api.ok("getRun", { params, query: { wait_seconds: "1" } });
    expect(waited.body.state).toBe("Created");
  });
});

describe("steering a run", () => {
  it("leaves a request for whoever owns it, in the order it was asked", async () => {
    const { id } = await started();
    const params = { run_id: id };
    for (const name of ["pauseRun", "resumeRun"] as const)
      expect((await api.ok(name, { params })).status).toBe(202);
    await api.ok("cancelRun", { params, user: "bob", body: { reason: "enough" } });
    expect(await requestsOf(id)).toEqual([
      { kind: "start" },
      { kind: "pause", by: "ada" },
      { kind: "resume", by: "ada" },
      { kind: "cancel", by: "bob", reason: "enough" },
    ]);
    expect((await api.refused("cancelRun", { params, user: "vera" })).code).toBe("VIEWER_ONLY");
    expect((await api.refused("pauseRun", { params, user: "eve" })).code).toBe("RUN_NOT_FOUND");
  });

  it("a node that asks for nothing cannot be approved", async () => {
    const { id } = await started();
    const params = { run_id: id, node_key: "a" };
    expect((await api.refused("approveNode", { params })).code).toBe("NOT_AWAITING_APPROVAL");
    expect((await api.refused("rejectNode", { params: { run_id: id, node_key: "zz" } })).code).toBe(
      "RUN_NODE_NOT_FOUND",
    );
  });

  it("an approval is answered by those whom the node names, in the attempt that asks", async () => {
    const { id } = await started({
      nodes: [
        { id: "ask", name: "ask", kind: "approval", manifest: { message: "go?", allowed_users: ["bob"] } },
      ],
    });
    const params = { run_id: id, node_key: "ask" };
    const { links: _, attempts: __, ...view } = (await api.ok("getRunNode", { params })).body;
    const suspended = { ...view, state: "Suspended", attempt: 2, message: "go?" };
    const remembered = { allowed_users: ["bob"], allowed_roles: [], message: "go?" };
    await api.pool.execute(
      "INSERT INTO run_nodes (run_id, node_key, state, view, executor) VALUES (?, 'ask', 'Suspended', ?, ?)",
      [id, JSON.stringify(suspended), JSON.stringify(remembered)],
    );
    const body = { comment: "fine", values: { until: "noon" } };
    for (const user of ["ada", "vera"])
      expect((await api.refused("approveNode", { params, body, user })).code).toBe("NOT_AN_APPROVER");
    expect((await api.refused("approveNode", { params, body, user: "eve" })).code).toBe("RUN_NOT_FOUND");
    expect((await api.ok("approveNode", { params, body, user: "bob" })).status).toBe(202);
    expect((await requestsOf(id)).at(-1)).toEqual({
      kind: "decide",
      by: "bob",
      node: "ask",
      attempt: 2,
      approved: true,
      comment: "fine",
      values: { until: "noon" },
    });
  });
});
