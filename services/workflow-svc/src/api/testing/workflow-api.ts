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
  STREAMS,
  TOKEN_AUDIENCE,
} from "@aiep/contracts";
import { type ApiClient, createTokenSigner, openApiClient, startNats } from "@aiep/dev-servers";
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
import { createRegistry } from "../../components/registry.ts";
import type { RunControl } from "../../control/run-control.ts";
import { bundleKeysOf } from "../../operations/bundle-keys.ts";
import type { OperationDeps } from "../../operations/deps.ts";
import type { OwnedRuns } from "../../store/owned-runs.ts";
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

/** Called as ada, unless somebody else is named. */
export interface WorkflowApi extends ApiClient, AsyncDisposable {
  readonly url: string;
  readonly pool: SqlPool;
  readonly runs: RunStore;
  readonly owned: OwnedRuns;
  readonly operations: OperationDeps;
  token(user: string): string;
  /** An experiment with this definition; its id. */
  create(definition: unknown): Promise<string>;
}

export async function startWorkflowApi(directory: DirectoryInput = TEST_DIRECTORY): Promise<WorkflowApi> {
  await using opened = new AsyncDisposableStack();
  const log = createLogger({ service: "workflow-svc", level: "silent" });
  const { pool, commits, store: runs, owned, removal } = opened.use(await openTestStore());
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
  const operations: OperationDeps = {
    experiments: createExperimentStore({
      pool,
      commits,
      address: { env: "test", source: "/aiep/workflow-svc" },
    }),
    runs,
    removal,
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
  };
  registerApi(http.app, {
    ...operations,
    idempotency: createIdempotency({ pool }),
    deadLetters: createDeadLetters({ bus, service: "workflow-svc", env: "test", consumers: [] }),
  });
  const { url } = await http.listen();
  http.started();
  relay.start();
  const client = openApiClient({ url, user: "ada", token: (user) => signer.token(user) });
  const stack = opened.move();
  return {
    url,
    pool,
    runs,
    owned,
    operations,
    token: (user) => signer.token(user),
    ...client,
    create: async (definition) => {
      const body = { group_id: "vision", name: "flow", definition };
      return (await client.ok("createExperiment", { body })).body.id;
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

/** A chain of noop nodes. */
export function chain(...ids: string[]) {
  return {
    nodes: ids.map((id) => ({ id, name: id, kind: "noop" })),
    edges: ids.slice(1).map((target, index) => ({ source: ids[index], target })),
  };
}
