/** task-svc as the process it is in production: main.ts under Node, on a real database and bus, with the local runtime. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { CONSUMERS, type DirectoryInput, STREAMS, TOKEN_AUDIENCE } from "@aiep/contracts";
import {
  createTokenSigner,
  freePort,
  startNats,
  type TokenSigner,
  testDatabase,
  waitFor,
} from "@aiep/dev-servers";
import { applyTopology, type Bus, connectBus, createLogger } from "@aiep/service-kit";

const me = userInfo();

/** alice is whoever runs the tests, so that tasks run with or without root. */
export const DIRECTORY: DirectoryInput = {
  users: [
    { name: "alice", uid: me.uid, gid: me.gid },
    { name: "eve", uid: me.uid, gid: me.gid },
  ],
  groups: [
    { id: "g1", name: "Vision", admin: "alice", members: [{ user: "alice" }], namespaces: ["ns-a"] },
    { id: "g2", name: "Speech", admin: "eve", members: [{ user: "eve" }], namespaces: ["ns-b"] },
  ],
  namespaces: [
    { name: "ns-a", quota: { cpu: 64, memory_gb: 64 } },
    { name: "ns-b", quota: { cpu: 2, memory_gb: 2 } },
  ],
  images: [{ name: "python", url: "docker.io/library/python:3" }],
};

export interface ServiceGround extends AsyncDisposable {
  readonly bus: Bus;
  readonly signer: TokenSigner;
  readonly databaseUrl: string;
  /** Logs of the local runtime, in the kubelet's layout. */
  readonly logsDir: string;
  /** Starts the service; at most one at a time. */
  start(env?: Readonly<Record<string, string>>): Promise<ServiceProcess>;
}

export interface ServiceProcess extends AsyncDisposable {
  readonly url: string;
  readonly process: ChildProcess;
  /** Everything the process said. */
  output(): string;
  call(
    user: string,
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<{ status: number; body: unknown }>;
  kill(): Promise<void>;
  /** SIGTERM; the exit code. */
  terminate(): Promise<number | null>;
}

interface GroundOptions {
  /** Default: a bus without accounts. */
  readonly natsPassword?: string;
}

export async function layServiceGround({ natsPassword }: GroundOptions = {}): Promise<ServiceGround> {
  await using opened = new AsyncDisposableStack();
  const dir = opened.adopt(
    await mkdtemp(join(tmpdir(), "aiep-task-svc-")),
    async (path) => await rm(path, { recursive: true, force: true, maxRetries: 5 }),
  );
  const database = opened.use(await testDatabase());
  const users = natsPassword === undefined ? [] : [{ user: "svc", password: natsPassword }];
  const nats = opened.use(await startNats(users.length === 0 ? {} : { users }));
  const log = createLogger({ service: "test", level: "silent" });
  const account = natsPassword === undefined ? {} : { user: "svc", password: natsPassword };
  const bus = opened.use(await connectBus({ url: nats.url, ...account, name: "test", log }));
  await applyTopology(bus, { streams: Object.values(STREAMS), consumers: Object.values(CONSUMERS) });
  const signer = createTokenSigner(TOKEN_AUDIENCE);
  await writeFile(join(dir, "jwks.json"), signer.jwks);
  await writeFile(join(dir, "directory.yaml"), JSON.stringify(DIRECTORY)); // YAML holds JSON
  for (const name of ["state", "logs", "packages"]) await mkdir(join(dir, name));
  const [http, probe] = [await freePort(), await freePort()];
  const environment = {
    PATH: process.env["PATH"] ?? "",
    AIEP_ENV: "test",
    AIEP_HTTP_PORT: String(http),
    AIEP_METRICS_PORT: String(probe),
    AIEP_NATS_URL: nats.url,
    ...(natsPassword === undefined ? {} : { AIEP_NATS_USER: "svc", AIEP_NATS_PASSWORD: natsPassword }),
    AIEP_DATABASE_URL: database.url,
    AIEP_JWKS: join(dir, "jwks.json"),
    AIEP_DIRECTORY_FILE: join(dir, "directory.yaml"),
    AIEP_LOCAL_STATE_DIR: join(dir, "state"),
    AIEP_LOCAL_LOGS_DIR: join(dir, "logs"),
    AIEP_CODE_PACKAGE_DIR: join(dir, "packages"),
    AIEP_ARTIFACT_DIR: join(dir, "artifacts"),
    AIEP_CONTROL_LEASE_SECONDS: "1",
  };
  const stack = opened.move();
  return {
    bus,
    signer,
    databaseUrl: database.url,
    logsDir: join(dir, "logs"),
    start: async (env = {}) => await startProcess({ env: { ...environment, ...env }, http, probe, signer }),
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
}

interface ProcessDeps {
  readonly env: Record<string, string>;
  readonly http: number;
  readonly probe: number;
  readonly signer: TokenSigner;
}

async function startProcess({ env, http, probe, signer }: ProcessDeps): Promise<ServiceProcess> {
  const main = join(import.meta.dirname, "../main.ts");
  const child = spawn(process.execPath, ["--conditions=aiep:source", main], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += String(chunk)));
  const gone = () => child.exitCode !== null || child.signalCode !== null;
  const exited = once(child, "exit");
  const kill = async (signal: NodeJS.Signals) => {
    if (!gone()) child.kill(signal);
    await exited;
  };
  await waitFor("task-svc is ready", async () => {
    if (gone()) return "gone";
    return (await fetch(`http://127.0.0.1:${probe}/readyz`)).ok;
  });
  if (gone()) throw new Error(`task-svc did not start:\n${output}`);
  const url = `http://127.0.0.1:${http}`;
  return {
    url,
    process: child,
    output: () => output,
    call: async (user, method, path, body, headers = {}) => {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${signer.token(user)}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
    },
    kill: async () => await kill("SIGKILL"),
    terminate: async () => {
      await kill("SIGTERM");
      return child.exitCode;
    },
    [Symbol.asyncDispose]: async () => await kill("SIGKILL"),
  };
}

/** A task of alice's that runs this command. */
export function submission(command: string, nodes = 1) {
  return {
    task_config: {
      metadata: { name: "test", group_id: "g1" },
      image_info: { name: "python" },
      compute_resource_info: {
        model: nodes === 1 ? ("Standalone" as const) : ("DDP" as const),
        namespace: "ns-a",
        node_info: { worker: { nums: nodes, cpu_num: 0.1, memory: 0.1 } },
      },
      code_info: { command },
    },
  };
}
