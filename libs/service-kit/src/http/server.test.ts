import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { directory, MAX_TOKEN_SECONDS, type Problem, ROUTES, TOKEN_AUDIENCE } from "@aiep/contracts";
import { exportJWK, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createTokenVerifier, type TokenVerifier } from "../auth/token-verifier.ts";
import { DirectoryIndex } from "../directory/directory-index.ts";
import { fixedDirectory } from "../directory/directory-source.ts";
import { createLogger } from "../logging/logger.ts";
import { startTelemetry, type Telemetry } from "../telemetry/telemetry.ts";
import { registerRoute } from "./route.ts";
import { createHttpServer, type HttpLimits, type HttpServer } from "./server.ts";
import { type SseStream, sse } from "./sse.ts";

const people = new DirectoryIndex(
  directory.parse({
    users: [
      { name: "alice", uid: 1001, gid: 1001 },
      { name: "root", uid: 0, gid: 0, roles: ["admin"] },
    ],
    groups: [{ id: "g1", name: "one", admin: "root", members: [{ user: "alice" }] }],
  }),
);

const lines: string[] = [];
const log = createLogger({
  service: "test",
  level: "debug",
  destination: { write: (line) => void lines.push(line) },
});
const ours = generateKeyPairSync("ec", { namedCurve: "P-256" });
const theirs = generateKeyPairSync("ec", { namedCurve: "P-256" });

let folder: string;
let telemetry: Telemetry;
let server: HttpServer;
let tokens: TokenVerifier;
let url: string;
let probeUrl: string;
const streams: SseStream[] = [];

async function token(
  user: string,
  key: KeyObject = ours.privateKey,
  secondsFromNow = 60,
  audience = TOKEN_AUDIENCE,
) {
  const now = Math.floor(Date.now() / 1000);
  return await new SignJWT()
    .setProtectedHeader({ alg: "ES256", kid: "k1" })
    .setSubject(user)
    .setAudience(audience)
    .setIssuedAt(Math.min(now, now + secondsFromNow - 60))
    .setExpirationTime(now + secondsFromNow)
    .sign(key);
}

async function call(path: string, init: RequestInit & { as?: string; token?: string } = {}) {
  const authorization = init.token ?? (init.as === undefined ? undefined : `Bearer ${await token(init.as)}`);
  const { as: _, token: __, ...rest } = init;
  const response = await fetch(`${url}${path}`, {
    ...rest,
    headers: {
      ...(authorization === undefined ? {} : { authorization }),
      ...(init.headers as Record<string, string>),
    },
  });
  const text = await response.text();
  const problem: Problem | undefined = response.headers
    .get("content-type")
    ?.startsWith("application/problem+json")
    ? (JSON.parse(text) as Problem)
    : undefined;
  return { response, text, problem };
}

async function startServer(limits: HttpLimits): Promise<HttpServer> {
  return await createHttpServer({
    service: "test",
    version: "0.1.0",
    host: "127.0.0.1",
    port: 0,
    probePort: 0,
    log,
    telemetry,
    tokens,
    directory: fixedDirectory(people),
    checks: [
      { name: "nothing", check: () => undefined },
      {
        name: "nice to have",
        required: false,
        check: () => {
          throw new Error("away");
        },
      },
    ],
    limits,
  });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "aiep-http-"));
  const jwks = join(folder, "jwks.json");
  await writeFile(
    jwks,
    JSON.stringify({ keys: [{ ...(await exportJWK(ours.publicKey)), kid: "k1", alg: "ES256" }] }),
  );
  telemetry = await startTelemetry({ service: "test", version: "0" });
  tokens = await createTokenVerifier({ jwks, log });
  server = await startServer({ streamsPerUser: 2, bodyBytes: 2048, closeTimeoutMs: 1_000 });
  registerRoute(server.app, ROUTES.whoami, async ({ principal }) => {
    if (principal.user === "root") throw new TypeError("a fault with a secret inside");
    return {
      body: {
        user: principal.user,
        uid: principal.uid,
        gid: 0,
        roles: [],
        proxy_users: [],
        groups: [],
        storage_roots: [],
        images: [],
      },
    };
  });
  registerRoute(server.app, ROUTES.deleteTask, async () => undefined);
  registerRoute(server.app, ROUTES.redriveTaskDeadLetter, async () => {
    throw new Error("not reached by others");
  });
  registerRoute(server.app, ROUTES.listLogNodes, async ({ raw }) => ({
    body: { items: [], next_cursor: raw.id },
  }));
  registerRoute(server.app, ROUTES.createTask, async () => {
    throw new Error("validation comes first");
  });
  registerRoute(server.app, ROUTES.streamTask, async (request, reply) => {
    streams.push(sse(reply, request.raw, { signal: request.signal, maxBufferBytes: 64 * 1024 }));
    return undefined;
  });
  ({ url, probeUrl } = await server.listen());
  server.started();
});

afterAll(async () => {
  await server.close();
  await telemetry.shutdown();
  await rm(folder, { recursive: true });
});

describe("who may call", () => {
  it("a refusal and a fault carry the caller's trace, in the answer and in the log", async () => {
    const trace = "0af7651916cd43dd8448eb211c80319c";
    const headers = { traceparent: `00-${trace}-b7ad6b7169203331-01` };
    for (const { as, status } of [
      { as: "nobody", status: 403 },
      { as: "root", status: 500 },
    ]) {
      const before = lines.length;
      const { problem } = await call("/v1/whoami", { as, headers });
      expect(problem).toMatchObject({ status, trace_id: trace });
      const logged = lines
        .slice(before)
        .map((line): { trace_id?: string; request_id?: string } => JSON.parse(line));
      expect(logged.find((line) => line.request_id === problem?.request_id)).toMatchObject({
        trace_id: trace,
      });
    }
  });

  it("a token of the gateway lets a known user in", async () => {
    const { response, text } = await call("/v1/whoami", { as: "alice" });
    expect(response.status).toBe(200);
    expect(JSON.parse(text)).toMatchObject({ user: "alice", uid: 1001 });
  });

  it.each([
    ["none", async () => undefined, 401, "UNAUTHENTICATED"],
    ["of another scheme", async () => "Basic YWxpY2U6eA==", 401, "UNAUTHENTICATED"],
    ["that is garbage", async () => "Bearer abc.def.ghi", 401, "UNAUTHENTICATED"],
    ["that is unsigned", async () => `Bearer ${unsigned()}`, 401, "UNAUTHENTICATED"],
    [
      "signed by a foreign key",
      async () => `Bearer ${await token("alice", theirs.privateKey)}`,
      401,
      "UNAUTHENTICATED",
    ],
    [
      "for another audience",
      async () => `Bearer ${await token("alice", ours.privateKey, 60, "other")}`,
      401,
      "UNAUTHENTICATED",
    ],
    [
      "that has expired",
      async () => `Bearer ${await token("alice", ours.privateKey, -120)}`,
      401,
      "TOKEN_EXPIRED",
    ],
    [
      "that lives too long",
      async () => `Bearer ${await token("alice", ours.privateKey, MAX_TOKEN_SECONDS + 600)}`,
      401,
      "UNAUTHENTICATED",
    ],
    [
      "of a user the directory does not know",
      async () => `Bearer ${await token("mallory")}`,
      403,
      "UNKNOWN_USER",
    ],
  ])("a token %s is refused", async (_, make, status, code) => {
    const authorization = await make();
    const { response, problem } = await call(
      "/v1/whoami",
      authorization === undefined ? {} : { token: authorization },
    );
    expect({ status: response.status, code: problem?.code }).toEqual({ status, code });
    if (status === 401) expect(response.headers.get("www-authenticate")).toContain("Bearer");
    const secret = authorization?.split(" ")[1];
    if (secret !== undefined) expect(lines.join("")).not.toContain(secret);
  });

  it("an admin route is closed to everybody else", async () => {
    const { problem } = await call("/v1/admin/task-svc/dead-letters/1/redrive", {
      as: "alice",
      method: "POST",
    });
    expect(problem?.code).toBe("FORBIDDEN");
  });

  it("a write leaves one audit line that says who", async () => {
    await call("/v1/tasks/abcdef", { as: "alice", method: "DELETE" });
    const audit = lines.map((line) => JSON.parse(line)).filter((line) => line.audit === "deleteTask");
    expect(audit).toHaveLength(1);
    expect(audit[0]).toMatchObject({ user: "alice", result: "done", target: { task_id: "abcdef" } });
  });
});

describe("every refusal is a problem document", () => {
  it.each([
    ["/v1/nowhere", {}, 404, "ROUTE_NOT_FOUND"],
    ["/v1/tasks/abcdef", { method: "PUT", as: "alice" }, 405, "METHOD_NOT_ALLOWED"],
    ["/v1/whoami?colour=red", { as: "alice" }, 422, "VALIDATION_FAILED"],
    [
      "/v1/tasks",
      { method: "POST", as: "alice", body: "{", headers: { "content-type": "application/json" } },
      400,
      "MALFORMED_JSON",
    ],
    [
      "/v1/tasks",
      { method: "POST", as: "alice", body: "<x/>", headers: { "content-type": "text/xml" } },
      415,
      "UNSUPPORTED_MEDIA_TYPE",
    ],
    [
      "/v1/tasks",
      {
        method: "POST",
        as: "alice",
        body: JSON.stringify({ pad: "x".repeat(4096) }),
        headers: { "content-type": "application/json" },
      },
      413,
      "PAYLOAD_TOO_LARGE",
    ],
    ["/v1/tasks/%zz", { as: "alice" }, 404, "ROUTE_NOT_FOUND"],
  ])("%s %j → %i %s", async (path, init, status, code) => {
    const { response, problem } = await call(path, init);
    expect({ status: response.status, code: problem?.code }).toEqual({ status, code });
    expect(problem?.request_id).toMatch(/^[A-Za-z0-9_-]{8,}$/);
    expect(problem?.hint).not.toBe("");
  });

  it("a wrong method says which are right", async () => {
    const { response } = await call("/v1/tasks/abcdef", { method: "PUT", as: "alice" });
    expect(response.headers.get("allow")).toBe("DELETE");
  });

  it("all problems of a body come at once, each with its pointer", async () => {
    const body = JSON.stringify({ task_config: { metadata: { name: "", surprise: 1 } }, also: true });
    const { problem } = await call("/v1/tasks", {
      method: "POST",
      as: "alice",
      body,
      headers: { "content-type": "application/json" },
    });
    const pointers = problem?.errors?.map((field) => field.pointer);
    expect(pointers).toEqual(
      expect.arrayContaining([
        "/also",
        "/task_config/metadata/name",
        "/task_config/metadata/surprise",
        "/task_config/image_info",
        "/task_config/code_info",
      ]),
    );
  });

  it("a body of brackets is refused, and never the end of the stack", async () => {
    const { problem } = await call("/v1/tasks", {
      method: "POST",
      as: "alice",
      headers: { "content-type": "application/json", "idempotency-key": "deep" },
      body: `{"task_config":${"[".repeat(300)}${"]".repeat(300)}}`,
    });
    expect(problem).toMatchObject({ code: "VALIDATION_FAILED", errors: [{ code: "TOO_DEEP" }] });
  });

  it("a fault here shows no cause, but logs it under the same request id", async () => {
    const { response, problem, text } = await call("/v1/whoami", {
      as: "root",
      headers: { "x-request-id": "my-request-1" },
    });
    expect(response.status).toBe(500);
    expect(text).not.toContain("secret inside");
    expect(problem?.request_id).toBe("my-request-1");
    expect(lines.findLast((line) => line.includes("secret inside"))).toContain("my-request-1");
  });

  it("bytes that are no HTTP get a problem too, and the connection ends", async () => {
    const { port, hostname } = new URL(url);
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => socket.write("NOT HTTP AT ALL\r\n\r\n"));
      let text = "";
      socket.on("data", (chunk) => (text += String(chunk)));
      socket.on("close", () => resolve(text));
      socket.on("error", reject);
    });
    expect(answer).toContain("400 Bad Request");
    expect(answer).toContain("MALFORMED_REQUEST");
  });
});

describe("event streams", () => {
  async function open() {
    const abort = new AbortController();
    const response = await fetch(`${url}/v1/tasks/abcdef/events`, {
      headers: { authorization: `Bearer ${await token("alice")}` },
      signal: abort.signal,
    });
    return { response, abort };
  }

  it("carry events as they are sent, are counted per user, and end on request", async () => {
    const first = await open();
    expect(first.response.headers.get("content-type")).toContain("text/event-stream");
    const stream = streams.at(-1);
    stream?.send({ event: "status", id: "7", data: { text: "线\nline" } });
    stream?.end({ state: "Succeeded" });
    const text = await first.response.text();
    expect(text).toContain('id: 7\nevent: status\ndata: {"text":"线\\nline"}\n\n');
    expect(text.endsWith('event: end\ndata: {"state":"Succeeded"}\n\n')).toBe(true);
    expect(stream?.closed.aborted).toBe(true);
  });

  it("beyond the limit of a user are refused until one closes", async () => {
    const [one, two] = [await open(), await open()];
    const third = await call("/v1/tasks/abcdef/events", { as: "alice" });
    expect(third.problem?.code).toBe("TOO_MANY_STREAMS");
    expect(third.response.headers.get("retry-after")).not.toBeNull();
    streams.at(-1)?.end();
    await two.response.text();
    const again = await open();
    expect(again.response.status).toBe(200);
    one.abort.abort();
    again.abort.abort();
  });

  it("let a reader go who does not read, and tell it where to resume", async () => {
    const slow = await open();
    const stream = streams.at(-1);
    const data = "x".repeat(16 * 1024);
    let sent = 0;
    while (stream?.send({ event: "line", id: String(sent), data }) === true && sent < 10_000) sent += 1;
    expect(sent).toBeLessThan(10_000);
    expect(stream?.closed.aborted).toBe(true);
    const text = await slow.response.text();
    expect(text).toContain(`event: overflow\ndata: {"resume_after":"${sent - 1}"}`);
  });
});

describe("probes", () => {
  it("live on a port of their own, with metrics by route template", async () => {
    const metrics = await (await fetch(`${probeUrl}/metrics`)).text();
    expect(metrics).toContain('route="/v1/whoami"');
    expect(metrics).not.toContain("abcdef");
    expect((await fetch(`${probeUrl}/livez`)).status).toBe(200);
    const ready = await fetch(`${probeUrl}/readyz`);
    expect(ready.status).toBe(200);
    // What is not required is named, and turns nobody away.
    expect(await ready.json()).toEqual({
      status: "ready",
      checks: [
        { name: "nothing", problem: null },
        { name: "nice to have", problem: "away" },
      ],
    });
  });

  it("readiness turns red as soon as intake stops, liveness does not", async () => {
    server.stopIntake();
    expect((await fetch(`${probeUrl}/readyz`)).status).toBe(503);
    expect((await fetch(`${probeUrl}/livez`)).status).toBe(200);
    const { problem } = await call("/v1/tasks/abcdef/events", { as: "alice" });
    expect(problem?.code).toBe("SHUTTING_DOWN");
  });
});

describe("shutdown", () => {
  it("answers requests that wait, and neither they nor silent connections hold it up", async () => {
    await using closing = await startServer({ closeTimeoutMs: 60_000 });
    const waiting = Promise.withResolvers<void>();
    registerRoute(closing.app, ROUTES.listLogNodes, async ({ signal }) => {
      waiting.resolve();
      await once(signal, "abort");
      return { body: { items: [], next_cursor: null } };
    });
    const { url: address } = await closing.listen();
    const silent = connect(Number(new URL(address).port), "127.0.0.1");
    await once(silent, "connect");
    const answer = fetch(`${address}/v1/tasks/abcdef/logs/nodes`, {
      headers: { authorization: `Bearer ${await token("alice")}` },
    });
    await waiting.promise;
    closing.stopIntake();
    expect((await answer).status).toBe(200);
    await Promise.all([once(silent, "close"), closing.close()]);
  });

  it("lets a write that runs come to its end", async () => {
    await using closing = await startServer({ closeTimeoutMs: 60_000 });
    const [running, finish] = [Promise.withResolvers<AbortSignal>(), Promise.withResolvers<void>()];
    registerRoute(closing.app, ROUTES.deleteTask, async ({ signal }) => {
      running.resolve(signal);
      await finish.promise;
      return undefined;
    });
    const { url: address } = await closing.listen();
    const answer = fetch(`${address}/v1/tasks/abcdef`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${await token("alice")}` },
    });
    const signal = await running.promise;
    closing.stopIntake();
    expect(signal.aborted).toBe(false);
    finish.resolve();
    expect((await answer).status).toBe(204);
  });

  it("is not held up by the connection of an answer that is sent while it closes", async () => {
    await using closing = await startServer({ closeTimeoutMs: 60_000 });
    const [running, finish] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    registerRoute(closing.app, ROUTES.deleteTask, async () => {
      running.resolve();
      await finish.promise;
      return undefined;
    });
    const { url: address } = await closing.listen();
    const answer = fetch(`${address}/v1/tasks/abcdef`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${await token("alice")}` },
    });
    await running.promise;
    const closed = closing.close();
    await vi.waitFor(() => expect(closing.app.server.listening).toBe(false));
    finish.resolve();
    expect((await answer).status).toBe(204);
    await closed;
  });
});

function unsigned(): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  return `${part({ alg: "none" })}.${part({ sub: "alice", aud: TOKEN_AUDIENCE, iat: now, exp: now + 60 })}.`;
}
