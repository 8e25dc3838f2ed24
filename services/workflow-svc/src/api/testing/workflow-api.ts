/**
 * workflow-svc's HTTP side on a real database and a real bus, for tests: everything but the engine, so that a test of the API
 * decides itself what becomes of a run. Requests to the engine stay where the engine would find them.
 */
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CONSUMERS,
  type DirectoryInput,
  directory as directorySchema,
  fillPath,
  type Problem,
  problem,
  ROUTES,
  type RouteDefinition,
  type RouteName,
  STREAMS,
  TOKEN_AUDIENCE,
} from "@aiep/contracts";
import { createTokenSigner, startNats } from "@aiep/dev-servers";
import {
  applyTopology,
  changesOnBus,
  connectBus,
  createDeadLetters,
  createHttpServer,
  createIdempotency,
  createLogger,
  createOutboxRelay,
  createTokenVerifier,
  DirectoryIndex,
  fixedDirectory,
  type SqlPool,
  startTelemetry,
} from "@aiep/service-kit";
import type * as z from "zod";
import { createRegistry } from "../../components/registry.ts";
import type { RunControl } from "../../control/run-control.ts";
import { bundleKeysOf } from "../../operations/bundle-keys.ts";
import type { RunStore } from "../../store/run-store.ts";
import { createExperimentStore } from "../../store/sql-experiment-store.ts";
import { openTestStore } from "../../testing/database.ts";
import { registerApi } from "../api.ts";

export const TEST_DIRECTORY: DirectoryInput = {
  users: [
    { name: "ada", uid: 1001, gid: 100, proxy_users: ["hduser"] },
    { name: "bob", uid: 1002, gid: 100 },
    { name: "vera", uid: 1003, gid: 100 },
    { name: "eve", uid: 1004, gid: 100 },
    { name: "root", uid: 0, gid: 0, roles: ["admin"] },
  ],
  proxy_users: [{ id: "p1", name: "hduser", uid: 5001, gid: 500 }],
  groups: [
    {
      id: "vision",
      name: "Vision",
      admin: "ada",
      members: [{ user: "ada" }, { user: "bob" }, { user: "vera", role: "viewer" }],
      namespaces: ["ns-vision"],
    },
    { id: "speech", name: "Speech", admin: "eve", members: [{ user: "eve" }], namespaces: ["ns-speech"] },
  ],
  namespaces: [
    { name: "ns-vision", quota: { cpu: 8, memory_gb: 32 } },
    { name: "ns-speech", quota: { cpu: 8, memory_gb: 32 } },
  ],
  storage_roots: [{ path: "/data/ada", owner: "ada" }],
  images: [{ name: "python", url: "reg/python:3", default_for_python: true }],
};

type BodyOf<Name extends RouteName> = (typeof ROUTES)[Name] extends {
  readonly response: infer Schema extends z.ZodType;
}
  ? z.output<Schema>
  : undefined;

export interface WorkflowApi extends AsyncDisposable {
  readonly url: string;
  readonly pool: SqlPool;
  readonly runs: RunStore;
  token(user: string): string;
  /** Calls a route as ada, unless somebody else is named; anything but success fails the test. */
  ok<Name extends RouteName>(name: Name, options?: CallOptions): Promise<Answer<BodyOf<Name>>>;
  /** The problem that it answers. */
  refused(name: RouteName, options?: CallOptions): Promise<Problem>;
  /** An experiment with this definition; its id. */
  create(definition: unknown): Promise<string>;
}

interface CallOptions {
  readonly user?: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  /** Text is sent as it is. */
  readonly body?: unknown;
  readonly zip?: Uint8Array<ArrayBuffer>;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer<Body> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
  readonly text: string;
}

export async function startWorkflowApi(directory: DirectoryInput = TEST_DIRECTORY): Promise<WorkflowApi> {
  await using opened = new AsyncDisposableStack();
  const log = createLogger({ service: "workflow-svc", level: "silent" });
  const { pool, commits, store: runs } = opened.use(await openTestStore());
  const nats = opened.use(await startNats());
  const bus = opened.use(await connectBus({ url: nats.url, name: "workflow-svc", log }));
  await applyTopology(bus, { streams: Object.values(STREAMS), consumers: Object.values(CONSUMERS) });
  const relay = createOutboxRelay({ service: "workflow-svc", pool, bus, log });
  opened.defer(async () => await relay.stop());
  const telemetry = await startTelemetry({ service: "workflow-svc", version: "test" });
  opened.defer(async () => await telemetry.shutdown());
  const dir = await mkdtemp(join(tmpdir(), "aiep-workflow-api-"));
  opened.defer(async () => await rm(dir, { recursive: true, force: true }));
  const signer = createTokenSigner(TOKEN_AUDIENCE);
  await writeFile(join(dir, "jwks.json"), signer.jwks);
  const source = fixedDirectory(new DirectoryIndex(directorySchema.parse(directory)));
  const changes = opened.use(changesOnBus(bus, { env: "test", context: "workflow" }));
  const http = opened.use(
    await createHttpServer({
      service: "workflow-svc",
      version: "test",
      host: "127.0.0.1",
      port: 0,
      probePort: 0,
      log,
      telemetry,
      tokens: await createTokenVerifier({ jwks: join(dir, "jwks.json"), log }),
      directory: source,
      checks: [],
    }),
  );
  registerApi(http.app, {
    experiments: createExperimentStore({
      pool,
      commits,
      address: { env: "test", source: "/aiep/workflow-svc" },
    }),
    runs,
    control: engineless(runs),
    registry: createRegistry({
      python: { defaultImage: () => "python" },
      http: { allow: [], secrets: new Map() },
      dataChecker: { linkis: undefined, sqlSources: new Map(), now: Date.now },
    }),
    directory: source,
    changes,
    clock: () => new Date(),
    timeZone: "Asia/Shanghai",
    pools: () => undefined,
    environment: "test",
    bundleKeys: bundleKeysOf(
      generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    ),
    runnerImage: "aiep/node-runner:test",
    idempotency: createIdempotency({ pool }),
    deadLetters: createDeadLetters({ bus, service: "workflow-svc", env: "test", consumers: [] }),
  });
  const { url } = await http.listen();
  http.started();
  relay.start();
  const send = async (name: RouteName, { user = "ada", ...options }: CallOptions = {}) =>
    await request(url, ROUTES[name], { ...options, authorization: `Bearer ${signer.token(user)}` });
  const ok: WorkflowApi["ok"] = async <Name extends RouteName>(name: Name, options?: CallOptions) => {
    const { response, text } = await send(name, options);
    if (!response.ok) throw new Error(`${name} answered ${response.status}: ${text}`);
    const route: RouteDefinition = ROUTES[name];
    // The route's own schema checked it; TypeScript cannot follow from the name to the schema's output.
    const body = route.response?.parse(route.produces === "text" ? text : JSON.parse(text)) as BodyOf<Name>;
    return { status: response.status, headers: response.headers, body, text };
  };
  const stack = opened.move();
  return {
    url,
    pool,
    runs,
    token: (user) => signer.token(user),
    ok,
    refused: async (name, options) => {
      const { response, text } = await send(name, options);
      if (response.ok) throw new Error(`${name} answered ${response.status}, not a refusal: ${text}`);
      return problem.parse(JSON.parse(text));
    },
    create: async (definition) => {
      const body = { group_id: "vision", name: "flow", definition };
      return (await ok("createExperiment", { body })).body.id;
    },
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
}

/** Keeps what is asked; nobody does it. */
function engineless(runs: RunStore): RunControl {
  return {
    create: async (run, options) => await runs.insert(run, options),
    cancel: async (id, { by, reason }) =>
      await runs.request(id, { kind: "cancel", by, reason: reason ?? null }),
    pause: async (id, by) => await runs.request(id, { kind: "pause", by }),
    resume: async (id, by) => await runs.request(id, { kind: "resume", by }),
    decide: async (id, { comment, ...decision }) =>
      await runs.request(id, { kind: "decide", ...decision, comment: comment ?? null }),
  };
}

async function request(
  url: string,
  route: RouteDefinition,
  { params, query, body, zip, headers, authorization }: Omit<CallOptions, "user"> & { authorization: string },
) {
  const search = query === undefined ? "" : `?${new URLSearchParams(query).toString()}`;
  const json = route.body === undefined || zip !== undefined ? undefined : (body ?? {});
  const response = await fetch(`${url}${fillPath(route, params)}${search}`, {
    method: route.method,
    headers: {
      authorization,
      ...(json === undefined ? {} : { "content-type": "application/json" }),
      ...(zip === undefined ? {} : { "content-type": "application/zip" }),
      ...headers,
    },
    ...(json === undefined ? {} : { body: typeof json === "string" ? json : JSON.stringify(json) }),
    ...(zip === undefined ? {} : { body: zip }),
  });
  return { response, text: await response.text() };
}

/** A chain of noop nodes. */
export function chain(...ids: string[]) {
  return {
    nodes: ids.map((id) => ({ id, name: id, kind: "noop" })),
    edges: ids.slice(1).map((target, index) => ({ source: ids[index], target })),
  };
}
