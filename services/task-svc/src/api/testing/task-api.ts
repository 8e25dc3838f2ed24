/**
 * task-svc's HTTP side on a real database and a real bus, for tests: everything but the controller, so that a test
 * decides itself what becomes of a task.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CONSUMERS,
  type DirectoryInput,
  directory as directorySchema,
  problem,
  STREAMS,
  type TaskDetail,
  type TaskId,
  TOKEN_AUDIENCE,
  taskDetail,
} from "@aiep/contracts";
import {
  createTokenSigner,
  type NatsServer,
  startNats,
  type TokenSigner,
  testDatabase,
} from "@aiep/dev-servers";
import {
  applyTopology,
  CommitQueue,
  connectBus,
  createDeadLetters,
  createHttpServer,
  createIdempotency,
  createLogger,
  createOutboxRelay,
  createSqlPool,
  createTokenVerifier,
  DirectoryIndex,
  fixedDirectory,
  readOpenApi,
  startTelemetry,
} from "@aiep/service-kit";
import { DEFAULT_CODE_PACKAGE_LIMITS } from "../../code-packages/limits.ts";
import { openCodePackageFiles } from "../../code-packages/package-files.ts";
import { createTaskNotifier } from "../../control/notifier.ts";
import type { Runtime } from "../../domain/runtime.ts";
import { createRuntimeHealth } from "../../operations/runtime-health.ts";
import { createEventLog } from "../../store/event-log.ts";
import { migrate } from "../../store/migrate.ts";
import { openOrm } from "../../store/orm.ts";
import { createTaskStore } from "../../store/sql-task-store.ts";
import type { TaskStore } from "../../store/task-store.ts";
import { registerApi } from "../api.ts";

const DIRECTORY: DirectoryInput = {
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
  storage_roots: [
    { path: "/data/ada", owner: "ada" },
    { path: "/data/bob", owner: "bob" },
  ],
  images: [{ name: "python", url: "reg/python:3" }],
};

const FINE: Pick<Runtime, "kind" | "checks"> = {
  kind: "local",
  checks: async () => [
    { name: "machine", status: "pass", message: "fine" },
    { name: "speech", status: "warn", message: "theirs", namespace: "ns-speech" },
  ],
};

/** What outlives a restart of the service. */
export interface Ground extends AsyncDisposable {
  readonly databaseUrl: string;
  readonly nats: NatsServer;
  readonly dir: string;
  readonly signer: TokenSigner;
}

export async function layGround(): Promise<Ground> {
  const stack = new AsyncDisposableStack();
  const database = stack.use(await testDatabase());
  const nats = stack.use(await startNats());
  const dir = await mkdtemp(join(tmpdir(), "aiep-task-api-"));
  stack.defer(async () => await rm(dir, { recursive: true, force: true }));
  const signer = createTokenSigner(TOKEN_AUDIENCE);
  await writeFile(join(dir, "jwks.json"), signer.jwks);
  return {
    databaseUrl: database.url,
    nats,
    dir,
    signer,
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
}

export interface TaskApi extends AsyncDisposable {
  readonly url: string;
  readonly store: TaskStore;
  readonly packagesDir: string;
  /** Everything the service logged, one JSON line each. */
  readonly logLines: readonly string[];
  call(user: string, method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** The newest message of a subject on the bus, if there is one. */
  lastMessage(stream: string, subject: string): Promise<unknown>;
  count(table: "tasks" | "outbox" | "code_packages" | "idempotency"): Promise<number>;
}

interface CallOptions {
  readonly body?: unknown;
  readonly raw?: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

export async function startTaskApi(ground: Ground, directory: DirectoryInput = DIRECTORY): Promise<TaskApi> {
  const stack = new AsyncDisposableStack();
  const logLines: string[] = [];
  const log = createLogger({
    service: "task-svc",
    level: "trace",
    destination: { write: (line) => void logLines.push(line) },
  });
  const telemetry = await startTelemetry({ service: "task-svc", version: "test" });
  stack.defer(async () => await telemetry.shutdown());
  const pool = stack.use(createSqlPool({ url: ground.databaseUrl }));
  const orm = await openOrm(ground.databaseUrl);
  stack.defer(async () => await orm.close(true));
  await migrate(orm, pool);
  const bus = stack.use(await connectBus({ url: ground.nats.url, name: "task-svc", log }));
  await applyTopology(bus, { streams: Object.values(STREAMS), consumers: Object.values(CONSUMERS) });
  const relay = createOutboxRelay({ service: "task-svc", pool, bus, log });
  stack.defer(async () => await relay.stop());
  const notifier = createTaskNotifier();
  const store = createTaskStore({
    orm,
    pool,
    commits: new CommitQueue({ pool, onCommitted: (written) => relay.wake(written) }),
    address: { env: "test", source: "/aiep/task-svc" },
    committed: (change) => notifier.changed(change),
  });
  const packagesDir = join(ground.dir, "packages");
  const source = fixedDirectory(new DirectoryIndex(directorySchema.parse(directory)));
  const http = stack.use(
    await createHttpServer({
      service: "task-svc",
      version: "test",
      host: "127.0.0.1",
      port: 0,
      probePort: 0,
      log,
      telemetry,
      tokens: await createTokenVerifier({ jwks: join(ground.dir, "jwks.json"), log }),
      directory: source,
      checks: [{ name: "database", check: async () => await pool.ping() }],
      openapi: await readOpenApi(),
    }),
  );
  registerApi(http.app, {
    store,
    directory: source,
    changes: notifier,
    events: createEventLog(pool),
    clock: () => new Date(),
    runtimeHealth: createRuntimeHealth({ runtime: FINE, now: () => new Date() }),
    idempotency: createIdempotency({ pool }),
    packages: await openCodePackageFiles(packagesDir, DEFAULT_CODE_PACKAGE_LIMITS),
    deadLetters: createDeadLetters({ bus, service: "task-svc", env: "test", consumers: [] }),
  });
  const { url } = await http.listen();
  http.started();
  relay.start();

  return {
    url,
    store,
    packagesDir,
    logLines,
    call: async (user, method, path, options = {}) =>
      await request(`${url}${path}`, method, {
        ...options,
        headers: { authorization: `Bearer ${ground.signer.token(user)}`, ...options.headers },
      }),
    lastMessage: async (stream, subject) =>
      await bus.jsm.streams.getMessage(stream, { last_by_subj: subject }),
    count: async (table) => {
      const [row] = await pool.query<{ n: number }>(`SELECT COUNT(*) AS n FROM ${table}`);
      return row?.n ?? 0;
    },
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
}

async function request(url: string, method: string, options: CallOptions): Promise<Answer> {
  const { body, raw, headers, signal } = options;
  const response = await fetch(url, {
    method,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(raw === undefined ? {} : { body: raw, duplex: "half" }),
    ...(signal === undefined ? {} : { signal }),
  });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json") ?? false;
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}

/** A small good submission of a member of vision. */
export function submission(change: { readonly metadata?: object; readonly [key: string]: unknown } = {}) {
  const { metadata, ...rest } = change;
  return {
    task_config: {
      metadata: { name: "train", ...metadata },
      image_info: { name: "python" },
      compute_resource_info: {
        model: "Standalone",
        namespace: "ns-vision",
        node_info: { worker: { nums: 1, cpu_num: 1, memory: 1 } },
      },
      code_info: { command: "true" },
      ...rest,
    },
  };
}

export const detailOf = (answer: Answer): TaskDetail => taskDetail.parse(answer.body);
export const problemOf = (answer: Answer) => problem.parse(answer.body);

export async function submitted(api: TaskApi, user = "ada"): Promise<TaskId> {
  const answer = await api.call(user, "POST", "/v1/tasks", { body: submission() });
  return detailOf(answer).id;
}
