import type { RunNodeState } from "@aiep/contracts";
import { principalOf } from "@aiep/service-kit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RunOrder, startRun } from "../operations/start-run.ts";
import { endRun } from "../testing/ended-run.ts";
import { chain, startWorkflowApi, type WorkflowApi } from "./testing/workflow-api.ts";

let api: WorkflowApi;
beforeAll(async () => {
  api = await startWorkflowApi();
});
afterAll(async () => {
  await api?.[Symbol.asyncDispose]();
});

async function started(...nodes: string[]) {
  const experiment = await api.create(chain(...nodes));
  return (await api.ok("startRun", { params: { experiment_id: experiment } })).body;
}

const end = async (
  { id }: Awaited<ReturnType<typeof started>>,
  nodes: Readonly<Record<string, RunNodeState>> = {},
) => await endRun({ store: api.runs, owned: api.owned }, id, { nodes });

/** 204 has no body to read. */
async function remove(id: string, given: { readonly user?: string; readonly ifMatch?: string } = {}) {
  const { user = "ada", ifMatch } = given;
  const response = await fetch(`${api.url}/v1/runs/${id}`, {
    method: "DELETE",
    headers: {
      authorization: `Bearer ${api.token(user)}`,
      ...(ifMatch === undefined ? {} : { "if-match": ifMatch }),
    },
  });
  return { status: response.status, text: await response.text() };
}

test("a run that ended is deleted by a unique prefix; then it is not found, by nobody and for nothing", async () => {
  const run = await started("a", "b");
  await end(run);
  expect(await remove(run.id.slice(0, 12), { user: "bob" })).toEqual({ status: 204, text: "" });
  const params = { run_id: run.id };
  for (const name of ["getRun", "listRunNodes", "getRunHistory", "cancelRun", "rerun", "deleteRun"] as const)
    expect((await api.refused(name, { params })).code).toBe("RUN_NOT_FOUND");
  const query = { experiment_id: run.experiment_id };
  expect((await api.ok("listRuns", { query })).body.items).toEqual([]);
  expect((await api.ok("getExperiment", { params: query })).body.latest_version).toBe("v1");
});

test("a run that lives is not deleted; the answer says what to do first", async () => {
  const { id } = await started("a");
  const problem = await api.refused("deleteRun", { params: { run_id: id } });
  expect(problem).toMatchObject({ status: 409, code: "RUN_NOT_ENDED" });
  expect(problem.hint).toContain("aiepctl workflow runs cancel");
  expect((await api.ok("getRun", { params: { run_id: id } })).body.state).toBe("Created");
});

test("who may cancel a run may delete it: members, not viewers, not other groups", async () => {
  const run = await started("a");
  await end(run);
  const params = { run_id: run.id };
  expect((await api.refused("deleteRun", { params, user: "vera" })).code).toBe("VIEWER_ONLY");
  expect((await api.refused("deleteRun", { params, user: "root" })).code).toBe("NOT_A_MEMBER");
  expect((await api.refused("deleteRun", { params, user: "eve" })).code).toBe("RUN_NOT_FOUND");
  const stale = await api.refused("deleteRun", { params, headers: { "if-match": '"v1"' } });
  expect(stale.code).toBe("PRECONDITION_FAILED");
  expect((await remove(run.id, { ifMatch: '"v2"' })).status).toBe(204);
});

test("two who delete it at the same moment are both told that it is gone, in one event", async () => {
  const run = await started("a");
  await end(run);
  const answers = await Promise.all(
    ["ada", "bob", "ada", "bob"].map(async (user) => await remove(run.id, { user })),
  );
  for (const { status } of answers) expect([204, 404]).toContain(status);
  expect(answers.map(({ status }) => status)).toContain(204);
  const rows = await api.pool.query(
    "SELECT aggregate_version AS version FROM outbox WHERE aggregate_id = ? AND type = 'aiep.workflow.run_deleted.v1'",
    [run.id],
  );
  expect(rows).toEqual([{ version: 3 }]);
});

test("the base of a live rerun stays; of one that ended it may go, and the rerun still shows its nodes", async () => {
  const base = await started("a", "b", "c");
  await end(base, { b: "Failed", c: "UpstreamFailed" });
  const { body: rerun } = await api.ok("rerun", {
    params: { run_id: base.id },
    body: { mode: "from_failed" },
  });
  const problem = await api.refused("deleteRun", { params: { run_id: base.id } });
  expect(problem).toMatchObject({ status: 409, code: "RUN_NEEDED" });
  expect(problem.detail).toContain(rerun.id);
  const nodes = async () =>
    (await api.ok("listRunNodes", { params: { run_id: rerun.id } })).body.items.map(({ key, state }) => [
      key,
      state,
    ]);
  await end(rerun, { a: "Succeeded" });
  const before = await nodes();
  expect((await remove(base.id)).status).toBe(204);
  expect(await nodes()).toEqual(before);
  expect(before.map(([key]) => key)).toEqual(["a", "b", "c"]);
});

test("a start command that comes once more after its run was deleted starts nothing (I2)", async () => {
  const experiment = await api.create(chain("a"));
  const ada = principalOf(api.operations.directory.current(), "ada");
  const order: RunOrder = { mode: "all", nodes: [], parameters: {} };
  const start = async () =>
    await startRun(api.operations, ada, experiment, order, { commandId: "0199-once" });
  const { id } = await start();
  await endRun({ store: api.runs, owned: api.owned }, id);
  expect((await remove(id)).status).toBe(204);
  expect((await start()).id).toBe(id);
  expect((await api.ok("listRuns", { query: { experiment_id: experiment } })).body.items).toEqual([]);
});
