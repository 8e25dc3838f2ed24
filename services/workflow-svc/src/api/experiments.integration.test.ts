import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chain, startWorkflowApi, type WorkflowApi } from "./testing/workflow-api.ts";

let api: WorkflowApi;
beforeAll(async () => {
  api = await startWorkflowApi();
});
afterAll(async () => {
  await api?.[Symbol.asyncDispose]();
});

const draftOf = async (id: string) => await api.ok("getDraft", { params: { experiment_id: id } });

describe("an experiment", () => {
  it("is created with its definition, found by its first digits, and its event has version 1", async () => {
    const { status, body, headers } = await api.ok("createExperiment", {
      body: { name: "每日训练", definition: chain("a", "b") },
    });
    expect(status).toBe(201);
    expect(headers.get("location")).toBe(`/v1/experiments/${body.id}`);
    expect(body).toMatchObject({
      name: "每日训练",
      group_id: "vision",
      version: 1,
      draft_version: 1,
      draft_changed: true,
      latest_version: null,
      node_count: 2,
      created_by: "ada",
      problems: [],
    });
    const found = await api.ok("getExperiment", { params: { experiment_id: body.id.slice(0, 8) } });
    expect(found.body.definition).toEqual(body.definition);
    const rows = await api.pool.query<{ type: string; aggregate_version: number }>(
      "SELECT type, aggregate_version FROM outbox WHERE aggregate_id = ?",
      [body.id],
    );
    expect(rows).toEqual([{ type: "aiep.workflow.experiment_created.v1", aggregate_version: 1 }]);
  });

  it("of another group does not exist for the caller; a viewer reads and changes nothing", async () => {
    const id = await api.create(chain("a"));
    const params = { experiment_id: id };
    expect((await api.refused("getExperiment", { params, user: "eve" })).code).toBe("EXPERIMENT_NOT_FOUND");
    expect((await api.ok("getExperiment", { params, user: "vera" })).body.id).toBe(id);
    const body = { name: "mine" };
    expect((await api.refused("updateExperiment", { params, body, user: "vera" })).code).toBe("VIEWER_ONLY");
    expect((await api.refused("startRun", { params, user: "vera" })).code).toBe("VIEWER_ONLY");
  });

  it("with faults is refused whole: every one with its node and field, and nothing is kept", async () => {
    const before = await api.ok("listExperiments", { query: { name_prefix: "broken" } });
    const problem = await api.refused("createExperiment", {
      body: {
        name: "broken",
        definition: {
          nodes: [
            { id: "a", name: "a", kind: "noop" },
            { id: "b", name: "b", kind: "no-such-kind" },
            { id: "c", name: "c", kind: "noop", condition: "params.missing > 1" },
          ],
          edges: [
            { source: "a", target: "b" },
            { source: "b", target: "a" },
            { source: "a", target: "nowhere" },
            { source: "c", target: "c" },
          ],
        },
      },
    });
    expect(problem).toMatchObject({ code: "WORKFLOW_INVALID", status: 422 });
    const codes = problem.errors?.map(({ code }) => code) ?? [];
    expect(codes).toEqual(
      expect.arrayContaining(["UNKNOWN_KIND", "CYCLE", "UNKNOWN_NODE", "SELF_EDGE", "UNKNOWN_VARIABLE"]),
    );
    expect(problem["problems"]).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ code: "UNKNOWN_VARIABLE", node: "c", field: "condition" }),
      ]),
    );
    const after = await api.ok("listExperiments", { query: { name_prefix: "broken" } });
    expect(after.body.items).toEqual(before.body.items);
  });

  it("is created once per Idempotency-Key", async () => {
    const headers = { "idempotency-key": "create-once" };
    const body = { name: "once", definition: chain("a") };
    const [one, two] = await Promise.all([
      api.ok("createExperiment", { body, headers }),
      api.ok("createExperiment", { body, headers }),
    ]);
    expect(two.body).toEqual(one.body);
    const { body: list } = await api.ok("listExperiments", { query: { name_prefix: "once" } });
    expect(list.items).toHaveLength(1);
  });

  it("is renamed with its own ETag, copied with its definition, and deleted once nothing of it runs", async () => {
    const id = await api.create(chain("a", "b"));
    const params = { experiment_id: id };
    const renamed = await api.ok("updateExperiment", {
      params,
      body: { name: "新名字" },
      headers: { "if-match": '"v1"' },
    });
    expect(renamed.body).toMatchObject({ name: "新名字", version: 2, draft_version: 1 });
    const stale = await api.refused("updateExperiment", {
      params,
      body: { name: "x" },
      headers: { "if-match": '"v1"' },
    });
    expect(stale.code).toBe("PRECONDITION_FAILED");
    const copy = await api.ok("copyExperiment", { params, body: { name: "copy" } });
    expect(copy.body.definition.nodes.map((node) => node.id)).toEqual(["a", "b"]);
    expect(copy.body.copied_from).toBe(`experiment ${id} draft`);
    await api.ok("startRun", { params });
    expect((await api.refused("deleteExperiment", { params })).code).toBe("EXPERIMENT_RUNNING");
    await api.ok("deleteExperiment", { params: { experiment_id: copy.body.id } });
    expect((await api.refused("getExperiment", { params: { experiment_id: copy.body.id } })).code).toBe(
      "EXPERIMENT_NOT_FOUND",
    );
  });

  it("pages newest first, no one twice and none left out", async () => {
    for (const name of ["page-1", "page-2", "page-3"])
      await api.ok("createExperiment", { body: { name, definition: chain("a") } });
    const query = { name_prefix: "page-", limit: "2" };
    const first = await api.ok("listExperiments", { query });
    expect(first.body.items.map(({ name }) => name)).toEqual(["page-3", "page-2"]);
    const cursor = first.body.next_cursor ?? "";
    const second = await api.ok("listExperiments", { query: { ...query, cursor } });
    expect(second.body.items.map(({ name }) => name)).toEqual(["page-1"]);
    expect((await api.refused("listExperiments", { query: { limit: "2", cursor } })).code).toBe("BAD_CURSOR");
  });
});

describe("the draft", () => {
  it("is replaced with If-Match alone, and a stale one changes nothing", async () => {
    const id = await api.create(chain("a"));
    const params = { experiment_id: id };
    const body = { definition: chain("a", "b") };
    expect((await api.refused("putDraft", { params, body })).code).toBe("PRECONDITION_REQUIRED");
    const { headers } = await draftOf(id);
    const put = await api.ok("putDraft", {
      params,
      body,
      headers: { "if-match": headers.get("etag") ?? "" },
    });
    expect(put.headers.get("etag")).toBe('"v2"');
    const stale = await api.refused("putDraft", {
      params,
      body: { definition: chain("z") },
      headers: { "if-match": '"v1"' },
    });
    expect(stale).toMatchObject({ code: "PRECONDITION_FAILED", status: 412 });
    expect((await draftOf(id)).body.definition.nodes).toHaveLength(2);
  });

  it("of two editors at once keeps one and tells the other", async () => {
    const params = { experiment_id: await api.create(chain("a")) };
    const headers = { "if-match": '"v1"' };
    const outcomes = await Promise.allSettled(
      ["x", "y"].map(
        async (id) => await api.ok("putDraft", { params, headers, body: { definition: chain(id) } }),
      ),
    );
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  it("freezes as v1, v2, …; an unchanged one has its version already; a version never changes", async () => {
    const params = { experiment_id: await api.create(chain("a")) };
    const first = await api.ok("freezeVersion", { params, body: { description: "first" } });
    expect([first.status, first.body.version_name]).toEqual([201, "v1"]);
    const again = await api.ok("freezeVersion", { params });
    expect([again.status, again.body.version_name]).toEqual([200, "v1"]);
    await api.ok("putDraft", {
      params,
      headers: { "if-match": '"v1"' },
      body: { definition: chain("a", "b") },
    });
    expect((await api.refused("freezeVersion", { params, body: { version_name: "v7" } })).code).toBe(
      "VERSION_CONFLICT",
    );
    const second = await api.ok("freezeVersion", { params, body: { version_name: "v2" } });
    expect(second.body.version_name).toBe("v2");
    const { body: versions } = await api.ok("listVersions", { params });
    expect(versions.items.map((each) => [each.version_name, each.node_count])).toEqual([
      ["v2", 2],
      ["v1", 1],
    ]);
    const v1 = await api.ok("getVersion", { params: { ...params, version_name: "v1" } });
    expect(v1.body.definition.nodes).toHaveLength(1);
    const { body: diff } = await api.ok("diffVersions", { params, query: { from: "v1", to: "v2" } });
    expect(diff.changes).toEqual([
      expect.objectContaining({ change: "added", what: "node", key: "b" }),
      expect.objectContaining({ change: "added", what: "edge" }),
    ]);
    expect((await api.refused("getVersion", { params: { ...params, version_name: "v9" } })).code).toBe(
      "VERSION_NOT_FOUND",
    );
  });
});

describe("templates", () => {
  it("of a group are seen by it alone, those for all by everybody, and an experiment is made from one", async () => {
    const id = await api.create(chain("a", "b"));
    const body = { experiment_id: id, name: "two steps" };
    expect((await api.refused("createTemplate", { body })).code).toBe("VERSION_NOT_FOUND");
    await api.ok("freezeVersion", { params: { experiment_id: id } });
    const own = await api.ok("createTemplate", { body });
    const all = await api.ok("createTemplate", { body: { ...body, name: "for all", scope: "all" } });
    const seen = await api.ok("listTemplates", { user: "eve" });
    expect(seen.body.items.map((each) => each.name)).toEqual(["for all"]);
    const params = { template_id: own.body.id };
    expect((await api.refused("getTemplate", { params, user: "eve" })).code).toBe("TEMPLATE_NOT_FOUND");
    const made = await api.ok("createExperiment", { user: "eve", body: { template_id: all.body.id } });
    expect(made.body).toMatchObject({ name: "for all", group_id: "speech", node_count: 2 });
    expect(
      (await api.refused("deleteTemplate", { params: { template_id: all.body.id }, user: "eve" })).code,
    ).toBe("NOT_A_MEMBER");
    await api.ok("deleteTemplate", { params });
    expect((await api.refused("getTemplate", { params })).code).toBe("TEMPLATE_NOT_FOUND");
  });
});

describe("node kinds", () => {
  it("carry the JSON Schema of their manifest and a form in both languages", async () => {
    const { body } = await api.ok("listComponents");
    const kinds = body.items.map(({ kind }) => kind);
    expect(kinds).toEqual(expect.arrayContaining(["general-training", "python", "approval", "wait", "noop"]));
    for (const component of body.items) {
      expect(component.manifest_schema["type"], component.kind).toBe("object");
      const groups = component.form.groups.map(({ id }) => id);
      for (const field of component.form.fields) expect(groups).toContain(field.group);
    }
    const one = await api.ok("getComponent", { params: { kind: "noop" } });
    expect(one.body.kind).toBe("noop");
    expect((await api.refused("getComponent", { params: { kind: "nope" } })).code).toBe(
      "COMPONENT_NOT_FOUND",
    );
  });
});
