/**
 * scheduler-bridge as a whole on a real database and a real bus, in this process. What workflow-svc would say of experiments and
 * runs is said by the test, over the bus; what it would be told is read from the bus.
 */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CONSUMERS,
  type DataOf,
  type DirectoryInput,
  type EventDefinition,
  type ExperimentId,
  experimentCreated,
  experimentId,
  experimentVersionFrozen,
  groupId,
  STREAMS,
  startRun,
  TOKEN_AUDIENCE,
} from "@aiep/contracts";
import {
  type ApiClient,
  createTokenSigner,
  freePort,
  openApiClient,
  startNats,
  testDatabase,
  waitFor,
} from "@aiep/dev-servers";
import {
  applyTopology,
  type Bus,
  connectBus,
  createLogger,
  createSqlPool,
  newOutboxRecord,
  publishMessage,
  randomHex,
  runService,
  type SqlPool,
} from "@aiep/service-kit";
import { loadBridgeConfig } from "../config.ts";
import { startSchedulerBridge } from "../service.ts";

const MAIN = join(import.meta.dirname, "../main.ts");

export const TEST_DIRECTORY: DirectoryInput = {
  users: [
    { name: "ada", uid: 1001, gid: 100 },
    { name: "bob", uid: 1002, gid: 100 },
    { name: "vera", uid: 1003, gid: 100 },
    { name: "eve", uid: 1004, gid: 100 },
    { name: "root", uid: 0, gid: 0, roles: ["admin"] },
  ],
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
};

export interface BridgeGround extends AsyncDisposable {
  readonly bus: Bus;
  readonly pool: SqlPool;
  /** A replica, called as ada; stopped with the ground at the latest. Several at once are possible. */
  start(env?: Readonly<Record<string, string>>): Promise<Bridge>;
  /** A replica as a process of its own, there to be killed; the signal or code of its end. Killed with the ground at the latest. */
  startProcess(env: Readonly<Record<string, string>>): Promise<string | number>;
  token(user: string): string;
  /** What workflow-svc says of an aggregate: versions count up by themselves. */
  tell<Definition extends EventDefinition>(
    definition: Definition,
    aggregate: { readonly type: string; readonly id: string; readonly group?: string },
    data: DataOf<Definition>,
  ): Promise<void>;
  /** An experiment of a group with versions v1 … vN frozen; told, not waited for. */
  experiment(options?: {
    readonly group?: string;
    readonly name?: string;
    readonly versions?: number;
  }): Promise<ExperimentId>;
  /** The start commands in the stream, oldest first. */
  startCommands(): Promise<readonly { readonly id: string; readonly data: DataOf<typeof startRun> }[]>;
}

export interface Bridge extends ApiClient, AsyncDisposable {
  readonly url: string;
  /** SIGTERM, and the exit code. */
  stop(): Promise<number>;
}

export async function layBridgeGround(directory: DirectoryInput = TEST_DIRECTORY): Promise<BridgeGround> {
  await using opened = new AsyncDisposableStack();
  const log = createLogger({ service: "test", level: "silent" });
  const dir = await mkdtemp(join(tmpdir(), "aiep-bridge-"));
  opened.defer(async () => await rm(dir, { recursive: true, force: true }));
  const database = opened.use(await testDatabase());
  const pool = opened.use(createSqlPool({ url: database.url, connectionLimit: 4 }));
  const nats = opened.use(await startNats());
  const bus = opened.use(await connectBus({ url: nats.url, name: "test", log }));
  await applyTopology(bus, { streams: Object.values(STREAMS), consumers: Object.values(CONSUMERS) });
  const signer = createTokenSigner(TOKEN_AUDIENCE);
  await writeFile(join(dir, "jwks.json"), signer.jwks);
  await writeFile(join(dir, "directory.yaml"), JSON.stringify(directory)); // YAML holds JSON
  const environment = {
    AIEP_ENV: "test",
    AIEP_NATS_URL: nats.url,
    AIEP_DATABASE_URL: database.url,
    AIEP_JWKS: join(dir, "jwks.json"),
    AIEP_DIRECTORY_FILE: join(dir, "directory.yaml"),
    AIEP_LOG_LEVEL: "silent",
    AIEP_SCHEDULE_LOOK_SECONDS: "0.1",
  };
  const versions = new Map<string, number>();
  const tell: BridgeGround["tell"] = async (definition, { type, id, group = "vision" }, data) => {
    const version = (versions.get(id) ?? 0) + 1;
    versions.set(id, version);
    const record = newOutboxRecord({
      definition,
      data,
      groupId: group,
      aggregateType: type,
      aggregateId: id,
      aggregateVersion: version,
      env: "test",
      source: "/aiep/workflow-svc",
      now: new Date(),
    });
    await publishMessage(bus, { ...record, id: record.eventId });
  };
  const stack = opened.move();
  return {
    bus,
    pool,
    token: (user) => signer.token(user),
    tell,
    start: async (env = {}) =>
      stack.use(await startReplica({ ...environment, ...env }, (user) => signer.token(user))),
    startProcess: async (env) => {
      const child = spawn(process.execPath, ["--conditions=aiep:source", MAIN], {
        env: { ...environment, AIEP_HTTP_PORT: "0", AIEP_METRICS_PORT: "0", ...env },
        stdio: ["ignore", "ignore", "inherit"],
      });
      stack.defer(() => void child.kill("SIGKILL"));
      const [code, signal] = await once(child, "exit");
      return (signal ?? code) as string | number; // one of the two is null
    },
    experiment: async ({ group = "vision", name = "每日训练", versions: count = 1 } = {}) => {
      const id = experimentId.parse(randomHex(16));
      const at = { type: "experiment", id, group };
      const data = { experiment_id: id, group_id: groupId.parse(group), name, by: "ada" };
      await tell(experimentCreated, at, data);
      for (let number = 1; number <= count; number += 1)
        await tell(experimentVersionFrozen, at, { ...data, version_name: `v${number}`, description: "" });
      return id;
    },
    startCommands: async () => {
      const rows = await pool.query<{ event_id: string; payload: string }>(
        "SELECT event_id, payload FROM outbox WHERE type = ? ORDER BY id",
        [startRun.type],
      );
      return rows.map(({ event_id: id, payload }) => ({
        id,
        data: startRun.schema.parse(JSON.parse(payload)),
      }));
    },
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
}

async function startReplica(
  env: Readonly<Record<string, string>>,
  token: (user: string) => string,
): Promise<Bridge> {
  const port = await freePort();
  const config = loadBridgeConfig({
    AIEP_TRIGGER_URL: `http://127.0.0.1:${port}`,
    AIEP_HTTP_PORT: String(port),
    AIEP_METRICS_PORT: "0",
    ...env,
  });
  const log = createLogger({
    service: `scheduler-bridge-${randomUUID().slice(0, 4)}`,
    level: config.AIEP_LOG_LEVEL,
  });
  const host = new EventEmitter();
  let ready = false;
  const running = runService({
    name: "scheduler-bridge",
    log,
    host,
    start: async (scope) => {
      await startSchedulerBridge(config, log, scope);
      ready = true;
    },
  });
  let over: number | undefined;
  void running.then((code) => (over = code));
  await waitFor("scheduler-bridge listens", () => ready || over !== undefined, { timeoutMs: 20_000 });
  if (!ready)
    throw new Error(`scheduler-bridge did not start: code ${over}; set AIEP_LOG_LEVEL=info to see why`);
  const url = `http://127.0.0.1:${port}`;
  const stop = async () => {
    host.emit("SIGTERM");
    return await running;
  };
  return {
    url,
    ...openApiClient({ url, user: "ada", token }),
    stop,
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}
