import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Answer,
  detailOf,
  type Ground,
  layGround,
  problemOf,
  startTaskApi,
  submission,
} from "./testing/task-api.ts";

/** I2: one submit, one task. */
let ground: Ground;
beforeAll(async () => {
  ground = await layGround();
});
afterAll(async () => {
  await ground[Symbol.asyncDispose]();
});

const withKey = (key: string, body: unknown = submission()) => ({
  body,
  headers: { "idempotency-key": `"${key}"` },
});
const idsOf = (answers: readonly Answer[]) => [...new Set(answers.map((answer) => detailOf(answer).id))];

describe("the same Idempotency-Key", () => {
  test("at once from two clients, at two replicas, gives one task and the same answer", async () => {
    await using one = await startTaskApi(ground);
    await using two = await startTaskApi(ground);
    const before = await one.count("tasks");
    const answers = await Promise.all(
      Array.from(
        { length: 20 },
        async (_, index) =>
          await (index % 2 === 0 ? one : two).call("ada", "POST", "/v1/tasks", withKey("k-at-once")),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
    expect(idsOf(answers)).toHaveLength(1);
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    expect(answers.filter(({ headers }) => headers.get("idempotent-replayed") !== "true")).toHaveLength(1);
    expect(await one.count("tasks")).toBe(before + 1);
  });

  test("after a restart gives the first answer again", async () => {
    const first = await (async () => {
      await using api = await startTaskApi(ground);
      return await api.call("ada", "POST", "/v1/tasks", withKey("k-restart"));
    })();
    await using api = await startTaskApi(ground);
    const again = await api.call("ada", "POST", "/v1/tasks", withKey("k-restart"));
    expect([again.status, again.body]).toEqual([first.status, first.body]);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect(again.headers.get("location")).toBe(first.headers.get("location"));
  });

  test("with a different body is refused, and creates nothing", async () => {
    await using api = await startTaskApi(ground);
    await api.call("ada", "POST", "/v1/tasks", withKey("k-body"));
    const before = await api.count("tasks");
    const other = await api.call(
      "ada",
      "POST",
      "/v1/tasks",
      withKey("k-body", submission({ metadata: { name: "other" } })),
    );
    expect(problemOf(other)).toMatchObject({ status: 422, code: "IDEMPOTENCY_KEY_REUSED" });
    expect(await api.count("tasks")).toBe(before);
  });

  test("of another user is another key, and a refusal does not use one up", async () => {
    await using api = await startTaskApi(ground);
    const refused = await api.call(
      "ada",
      "POST",
      "/v1/tasks",
      withKey("k-user", submission({ image_info: { name: "ghost" } })),
    );
    expect(refused.status).toBe(422);
    const answers = [
      await api.call("ada", "POST", "/v1/tasks", withKey("k-user")),
      await api.call("bob", "POST", "/v1/tasks", withKey("k-user")),
    ];
    expect(idsOf(answers)).toHaveLength(2);
  });

  test("copies once", async () => {
    await using api = await startTaskApi(ground);
    const { id } = detailOf(await api.call("ada", "POST", "/v1/tasks", { body: submission() }));
    const copy = () => api.call("ada", "POST", `/v1/tasks/${id}/copy`, withKey("k-copy", {}));
    expect(idsOf(await Promise.all([copy(), copy(), copy()]))).toHaveLength(1);
  });

  test("that is no key is refused", async () => {
    await using api = await startTaskApi(ground);
    const answer = await api.call("ada", "POST", "/v1/tasks", withKey("x".repeat(300)));
    expect(problemOf(answer).code).toBe("IDEMPOTENCY_KEY_INVALID");
  });
});
