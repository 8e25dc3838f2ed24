import {
  eventSubject,
  groupId,
  historyEntry,
  page,
  runtimeView,
  type TaskId,
  taskCreated,
  taskId,
  taskView,
  whoamiView,
} from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTask } from "../domain/life-cycle.ts";
import { factsOf, TASK_FILE } from "../testing/tasks.ts";
import { finish, run } from "./testing/progress.ts";
import {
  detailOf,
  type Ground,
  layGround,
  problemOf,
  startTaskApi,
  submission,
  submitted,
  type TaskApi,
} from "./testing/task-api.ts";

let ground: Ground;
let api: TaskApi;
beforeAll(async () => {
  ground = await layGround();
  api = await startTaskApi(ground);
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await ground[Symbol.asyncDispose]();
});

describe("submitting", () => {
  test("answers 201 with the task, its place and its version, and the event is published", async () => {
    const answer = await api.call("ada", "POST", "/v1/tasks", {
      body: {
        ...submission({ metadata: { labels: [{ key: "team", value: "a" }] } }),
        set_envs: { PASSWORD: "hunter2" },
      },
    });
    const task = detailOf(answer);
    expect(answer.status).toBe(201);
    expect(answer.headers.get("location")).toBe(`/v1/tasks/${task.id}`);
    expect(answer.headers.get("etag")).toBe('"v1"');
    expect(task).toMatchObject({
      name: "train",
      group_id: "vision",
      state: "Initializing",
      reason: "Submitting",
      version: 1,
      created_by: "ada",
      labels: { team: "a" },
      set_envs: { PASSWORD: "hunter2" },
    });
    const history = await api.call("bob", "GET", `/v1/tasks/${task.id}/history`);
    const [created] = page(historyEntry).parse(history.body).items;
    expect(created).toMatchObject({ version: 1, type: taskCreated.type, by: "ada" });
    expect(created?.data["env_names"]).toEqual(["PASSWORD"]);
    expect(JSON.stringify(history.body)).not.toContain("hunter2");
    expect(api.logLines.join("")).not.toContain("hunter2");
    const subject = eventSubject(taskCreated, { env: "test", groupId: task.group_id, aggregateId: task.id });
    await waitFor("the created event on the bus", async () => await api.lastMessage("TASK", subject));
  });

  test("as a dry run checks everything and creates nothing", async () => {
    const before = await api.count("tasks");
    const good = await api.call("ada", "POST", "/v1/tasks?dry_run=true", { body: submission() });
    expect(good.status).toBe(200);
    expect(detailOf(good).state).toBe("Initializing");
    const bad = await api.call("ada", "POST", "/v1/tasks?dry_run=true", {
      body: submission({ image_info: { name: "ghost" } }),
    });
    expect(problemOf(bad)).toMatchObject({ status: 422, code: "IMAGE_UNKNOWN" });
    expect(await api.count("tasks")).toBe(before);
  });
});

describe("reading", () => {
  test("a task is found by its first digits; several that begin alike are listed", async () => {
    const id = await submitted(api);
    expect(detailOf(await api.call("bob", "GET", `/v1/tasks/${id.slice(0, 20)}`)).id).toBe(id);
    const pair = ["beef".padEnd(32, "0"), "beef".padEnd(32, "1")].map((each) => taskId.parse(each));
    for (const twin of pair) {
      const facts = factsOf({ id: twin, groupId: groupId.parse("vision") });
      const asked = { taskConfig: TASK_FILE, setEnvs: {}, warnings: [] };
      await api.store.insert(createTask(facts, { envNames: [] }), asked);
    }
    const answer = await api.call("ada", "GET", "/v1/tasks/beef");
    expect(answer.status).toBe(409);
    const { code, candidates } = problemOf(answer);
    expect(code).toBe("AMBIGUOUS_ID");
    expect(candidates).toEqual(
      expect.arrayContaining(pair.map((each) => expect.objectContaining({ id: each, name: "train" }))),
    );
  });

  test("a task of another group does not exist, whole or by prefix, for reading and writing", async () => {
    const id = await submitted(api);
    const calls: [string, string, unknown?][] = [
      ["GET", `/v1/tasks/${id}`],
      ["GET", `/v1/tasks/${id.slice(0, 20)}`],
      ["GET", `/v1/tasks/${id}/history`],
      ["GET", `/v1/tasks/${id}/events`],
      ["POST", `/v1/tasks/${id}/stop`, {}],
      ["POST", `/v1/tasks/${id}/copy`, {}],
      ["DELETE", `/v1/tasks/${id}`],
    ];
    for (const [method, path, body] of calls) {
      const answer = await api.call("eve", method, path, body === undefined ? {} : { body });
      expect([path, problemOf(answer).code]).toEqual([path, "TASK_NOT_FOUND"]);
    }
    expect(
      (await api.call("root", "GET", `/v1/tasks/${id}`)).status,
      "an administrator reads every group",
    ).toBe(200);
  });

  test("lists page newest first without loss, and only the caller's groups", async () => {
    const ids = [await submitted(api), await submitted(api), await submitted(api)];
    const first = page(taskView).parse((await api.call("vera", "GET", "/v1/tasks?limit=2")).body);
    const second = page(taskView).parse(
      (
        await api.call(
          "vera",
          "GET",
          `/v1/tasks?limit=2&cursor=${encodeURIComponent(first.next_cursor ?? "")}`,
        )
      ).body,
    );
    expect([...first.items, ...second.items].map(({ id }) => id).slice(0, 3)).toEqual(ids.toReversed());
    expect(page(taskView).parse((await api.call("eve", "GET", "/v1/tasks")).body).items).toEqual([]);
    const misused = await api.call(
      "vera",
      "GET",
      `/v1/tasks?limit=2&state=Failed&cursor=${encodeURIComponent(first.next_cursor ?? "")}`,
    );
    expect(problemOf(misused).code).toBe("BAD_CURSOR");
    expect(
      (await api.call("vera", "GET", "/v1/tasks?sate=Failed")).status,
      "a misspelt filter",
    ).toBeGreaterThanOrEqual(400);
  });

  test("an unchanged task is answered 304", async () => {
    const id = await submitted(api);
    const first = await api.call("ada", "GET", `/v1/tasks/${id}`);
    const etag = first.headers.get("etag") ?? "";
    const again = await api.call("ada", "GET", `/v1/tasks/${id}`, { headers: { "if-none-match": etag } });
    expect([again.status, again.body]).toEqual([304, ""]);
    expect(again.headers.get("etag")).toBe(etag);
  });

  test("the runtime's checks are told, of namespaces the caller's own only", async () => {
    const view = async (user: string) => runtimeView.parse((await api.call(user, "GET", "/v1/runtime")).body);
    expect(await view("ada")).toEqual({
      kind: "local",
      checks: [{ name: "machine", status: "pass", message: "fine" }],
    });
    expect((await view("eve")).checks.map(({ name }) => name)).toEqual(["machine", "speech"]);
    expect((await view("root")).checks.map(({ name }) => name)).toEqual(["machine", "speech"]);
  });

  test("whoami says what the caller may use", async () => {
    const view = whoamiView.parse((await api.call("ada", "GET", "/v1/whoami")).body);
    expect(view).toMatchObject({
      user: "ada",
      uid: 1001,
      proxy_users: [{ name: "hduser" }],
      groups: [{ id: "vision", role: "member", namespaces: [{ name: "ns-vision", quota: { cpu: 8 } }] }],
      storage_roots: [{ path: "/data/ada", owner: "ada" }],
      images: [{ name: "python" }],
    });
  });

  test("the API description is served as committed", async () => {
    const answer = await api.call("ada", "GET", "/openapi.json");
    expect(answer.body).toMatchObject({ openapi: "3.1.0", info: { title: "AIEP" } });
  });
});

describe("stopping", () => {
  const stop = (id: TaskId, headers: Record<string, string> = {}) =>
    api.call("bob", "POST", `/v1/tasks/${id}/stop`, { body: { grace_seconds: 5 }, headers });

  test("twice, at once and one after the other, is one stop", async () => {
    const id = await submitted(api);
    await run(api, id);
    const answers = await Promise.all([stop(id), stop(id), stop(id)]);
    answers.push(await stop(id));
    for (const answer of answers) {
      expect(answer.status).toBe(202);
      expect(taskView.parse(answer.body)).toMatchObject({
        state: "Running",
        reason: "Stopping",
        stop_requested_by: "bob",
      });
    }
    const { body } = await api.call("bob", "GET", `/v1/tasks/${id}/history`);
    const types = page(historyEntry)
      .parse(body)
      .items.map(({ type }) => type);
    expect(types.filter((type) => type.includes("stop_requested"))).toHaveLength(1);
  });

  test("before the start ends the task, and after the end changes nothing", async () => {
    const id = await submitted(api);
    expect(taskView.parse((await stop(id)).body).state).toBe("Stopped");
    const after = await stop(id);
    expect([after.status, taskView.parse(after.body).version]).toEqual([202, 3]);
  });

  test("honours If-Match", async () => {
    const id = await submitted(api);
    const refused = await stop(id, { "if-match": '"v7"' });
    expect(problemOf(refused)).toMatchObject({ status: 412, code: "PRECONDITION_FAILED" });
    expect((await stop(id, { "if-match": '"v1"' })).status).toBe(202);
  });

  test("is refused to a viewer", async () => {
    const id = await submitted(api);
    const answer = await api.call("vera", "POST", `/v1/tasks/${id}/stop`, { body: {} });
    expect(problemOf(answer)).toMatchObject({ status: 403, code: "VIEWER_ONLY" });
    expect(problemOf(answer).hint).toContain("ada");
  });
});

describe("copying and deleting", () => {
  test("a copy is a new task like the old one, with the changes asked for", async () => {
    const body = { ...submission(), set_envs: { A: "1" } };
    const original = detailOf(await api.call("ada", "POST", "/v1/tasks", { body }));
    const copied = await api.call("bob", "POST", `/v1/tasks/${original.id}/copy`, {
      body: { name: "again" },
    });
    expect(copied.status).toBe(201);
    const copy = detailOf(copied);
    expect(copy).toMatchObject({
      name: "again",
      copied_from: original.id,
      created_by: "bob",
      set_envs: { A: "1" },
    });
    expect(copy.id).not.toBe(original.id);
    expect(copy.task_config.code_info).toEqual(original.task_config.code_info);
  });

  test("only an ended task can be deleted; then it is gone", async () => {
    const id = await submitted(api);
    const early = await api.call("ada", "DELETE", `/v1/tasks/${id}`);
    expect(problemOf(early)).toMatchObject({ status: 409, code: "TASK_NOT_TERMINAL" });
    await run(api, id);
    await finish(api, id);
    const deleted = await api.call("ada", "DELETE", `/v1/tasks/${id}`);
    expect([deleted.status, deleted.body]).toEqual([204, ""]);
    for (const method of ["GET", "DELETE"])
      expect(problemOf(await api.call("ada", method, `/v1/tasks/${id}`)).code).toBe("TASK_NOT_FOUND");
  });
});
