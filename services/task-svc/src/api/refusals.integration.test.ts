import { type ErrorCode, TOKEN_AUDIENCE } from "@aiep/contracts";
import { createTokenSigner, unsignedToken } from "@aiep/dev-servers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Ground,
  layGround,
  problemOf,
  startTaskApi,
  submission,
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

async function expectNothingCreated(perform: () => Promise<void>): Promise<void> {
  const counts = async () => [
    await api.count("tasks"),
    await api.count("outbox"),
    await api.count("idempotency"),
  ];
  const before = await counts();
  await perform();
  expect(await counts()).toEqual(before);
}

describe("a submission that breaks the schema", () => {
  test("is refused with every problem at once, each with its pointer", async () => {
    const body = submission({ metadata: { nam: "x", name: 7 }, code_info: {} });
    await expectNothingCreated(async () => {
      const answer = await api.call("ada", "POST", "/v1/tasks", { body });
      expect(answer.headers.get("content-type")).toContain("application/problem+json");
      const { status, code, errors } = problemOf(answer);
      expect([status, code]).toEqual([422, "VALIDATION_FAILED"]);
      const pointers = errors?.map(({ pointer }) => pointer);
      expect(pointers).toContain("/task_config/metadata/name");
      expect(pointers).toContain("/task_config/code_info/command");
      expect(JSON.stringify(errors)).toContain("nam");
    });
  });

  test("is refused when it is not JSON, or not said to be", async () => {
    const raw = new TextEncoder().encode("{ no json");
    const json = await api.call("ada", "POST", "/v1/tasks", {
      raw,
      headers: { "content-type": "application/json" },
    });
    expect(problemOf(json)).toMatchObject({ status: 400, code: "MALFORMED_JSON" });
    const text = await api.call("ada", "POST", "/v1/tasks", {
      raw,
      headers: { "content-type": "text/plain" },
    });
    expect(problemOf(text)).toMatchObject({ status: 415, code: "UNSUPPORTED_MEDIA_TYPE" });
  });
});

describe("a submission against the directory's rules", () => {
  const compute = (change: object) => ({
    compute_resource_info: {
      model: "Standalone",
      namespace: "ns-vision",
      node_info: { worker: { nums: 1, cpu_num: 1, memory: 1 } },
      ...change,
    },
  });
  const data = (root: string) => ({ data_info: [{ mlss_platform_parent_dir: root }] });
  test.each<[string, number, ErrorCode, string, Parameters<typeof submission>[0], string]>([
    ["not a member", 403, "NOT_A_MEMBER", "eve", { metadata: { group_id: "vision" } }, "ada"],
    ["only a viewer", 403, "VIEWER_ONLY", "vera", {}, "ada"],
    [
      "namespace of another group",
      403,
      "NAMESPACE_NOT_BOUND",
      "ada",
      compute({ namespace: "ns-speech" }),
      "root",
    ],
    [
      "more than the whole quota",
      422,
      "QUOTA_EXCEEDED",
      "ada",
      compute({ node_info: { worker: { nums: 1, cpu_num: 9, memory: 1 } } }),
      "root",
    ],
    ["foreign storage root", 403, "STORAGE_NOT_OWNED", "ada", data("/data/bob"), "root"],
    ["unknown image", 422, "IMAGE_UNKNOWN", "ada", { image_info: { url: "evil/image" } }, "root"],
    ["unknown proxy user", 403, "PROXY_USER_UNKNOWN", "bob", { metadata: { proxy_user: "hduser" } }, "root"],
    [
      "a field of the platform's",
      403,
      "RESERVED_FIELD",
      "ada",
      { metadata: { experiment_run_id: "r" } },
      "Correct",
    ],
  ])("%s: %i %s, which says who can change it", async (_, status, code, user, change, who) => {
    await expectNothingCreated(async () => {
      const answer = await api.call(user, "POST", "/v1/tasks", {
        body: submission(change),
        headers: { "idempotency-key": '"refused"' },
      });
      const refusal = problemOf(answer);
      expect(refusal).toMatchObject({ status, code, retryable: false });
      expect(refusal.hint).toContain(who);
      expect(answer.status).toBe(status);
    });
  });
});

describe("a token", () => {
  const now = Math.floor(Date.now() / 1000);
  test.each<[string, () => string | undefined, ErrorCode]>([
    ["that is missing", () => undefined, "UNAUTHENTICATED"],
    [
      "that has expired",
      () => ground.signer.token("ada", { iat: now - 600, exp: now - 400 }),
      "TOKEN_EXPIRED",
    ],
    ["of a foreign key", () => createTokenSigner(TOKEN_AUDIENCE).token("ada"), "UNAUTHENTICATED"],
    [
      "of a foreign key with another id",
      () => createTokenSigner(TOKEN_AUDIENCE, "other").token("ada"),
      "UNAUTHENTICATED",
    ],
    ["without a signature", () => unsignedToken(TOKEN_AUDIENCE, "ada"), "UNAUTHENTICATED"],
    ["for somebody else's API", () => ground.signer.token("ada", { aud: "elsewhere" }), "UNAUTHENTICATED"],
    ["that lives too long", () => ground.signer.token("ada", { exp: now + 86_400 }), "UNAUTHENTICATED"],
    ["that is garbage", () => "not.a.token", "UNAUTHENTICATED"],
  ])("%s is refused, and not logged", async (_, make, code) => {
    const token = make();
    const authorization = token === undefined ? "" : `Bearer ${token}`;
    await expectNothingCreated(async () => {
      const answer = await api.call("ada", "POST", "/v1/tasks", {
        body: submission(),
        headers: { authorization },
      });
      expect(problemOf(answer)).toMatchObject({ status: 401, code });
      expect(answer.headers.get("www-authenticate")).toContain("Bearer");
      if (token !== undefined) expect(JSON.stringify(answer.body)).not.toContain(token);
    });
    const secrets = token?.split(".").filter((part) => part.length > 10) ?? [];
    for (const secret of secrets) expect(api.logLines.some((line) => line.includes(secret))).toBe(false);
  });

  test("of somebody the directory does not know is refused with 403", async () => {
    const answer = await api.call("nobody", "GET", "/v1/tasks");
    expect(problemOf(answer)).toMatchObject({ status: 403, code: "UNKNOWN_USER" });
  });

  test("of a person does not open the administrators' doors", async () => {
    expect(problemOf(await api.call("ada", "GET", "/v1/admin/task-svc/dead-letters")).code).toBe("FORBIDDEN");
    const answer = await api.call("root", "GET", "/v1/admin/task-svc/dead-letters");
    expect([answer.status, answer.body]).toEqual([200, { items: [], next_cursor: null }]);
  });
});
