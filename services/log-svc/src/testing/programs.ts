/** log-svc and its agent as programs: own processes, least-privilege accounts on the bus, real tokens. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CONSUMERS, STREAMS, type TaskId, TOKEN_AUDIENCE } from "@aiep/contracts";
import { createTokenSigner, freePort, startNats, testDatabase, waitFor } from "@aiep/dev-servers";
import { openDirectoryStore } from "@aiep/objects";
import { applyTopology, connectBus, createSqlPool, type NatsRole, natsPermissions } from "@aiep/service-kit";
import { LiveTail } from "../ingest/live-tail.ts";
import { LogIndex } from "../store/log-index.ts";
import { EVERYTHING, log, readEverything } from "./log-stack.ts";

const ROLES: readonly NatsRole[] = ["task-svc", "log-svc", "log-agent", "topology"];

const DIRECTORY = `
users:
  - { name: ann, uid: 1001, gid: 1001 }
  - { name: root, uid: 1003, gid: 1003, roles: [admin] }
groups:
  - { id: g1, name: one, admin: ann, members: [{ user: ann }] }
`;

const password = (role: NatsRole): string => `secret-of-${role}`;

export async function startPrograms() {
  await using opening = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "aiep-log-processes-"));
  opening.defer(() => rm(dir, { recursive: true, force: true }));
  const users = ROLES.map((role) => ({ ...natsPermissions(role), password: password(role) }));
  const nats = opening.use(await startNats({ users }));
  const database = opening.use(await testDatabase());
  const connect = (role: NatsRole) =>
    connectBus({ url: nats.url, user: role, password: password(role), name: role, log });
  const topology = opening.use(await connect("topology"));
  await applyTopology(topology, {
    streams: Object.values(STREAMS),
    consumers: Object.values(CONSUMERS),
  });
  const podsDir = join(dir, "pods");
  await mkdir(podsDir);
  const signer = createTokenSigner(TOKEN_AUDIENCE);
  await writeFile(join(dir, "jwks.json"), signer.jwks);
  await writeFile(join(dir, "directory.yaml"), DIRECTORY);
  const common = (role: NatsRole, port: number) => ({
    PATH: process.env["PATH"],
    AIEP_ENV: "test",
    AIEP_LOG_LEVEL: "warn",
    AIEP_NATS_URL: nats.url,
    AIEP_NATS_USER: role,
    AIEP_NATS_PASSWORD: password(role),
    AIEP_METRICS_PORT: String(port),
  });
  const program = async (role: "log-svc" | "log-agent", extra: Record<string, string> = {}) => {
    const [port, httpPort] = [await freePort(), await freePort()];
    const own =
      role === "log-svc"
        ? {
            AIEP_HTTP_PORT: String(httpPort),
            AIEP_DATABASE_URL: database.url,
            AIEP_JWKS: join(dir, "jwks.json"),
            AIEP_DIRECTORY_FILE: join(dir, "directory.yaml"),
            AIEP_LOG_STORE: `dir:${join(dir, "objects")}`,
          }
        : { AIEP_LOGS_DIR: podsDir, AIEP_AGENT_STATE_DIR: join(dir, "agent") };
    const file = join(import.meta.dirname, "..", role === "log-svc" ? "main.ts" : "agent/main.ts");
    const child = spawn(process.execPath, ["--conditions=aiep:source", file], {
      env: { ...common(role, port), ...own, ...extra },
      stdio: ["ignore", "inherit", "inherit"],
    });
    return new Program(child, { url: `http://127.0.0.1:${httpPort}`, probeUrl: `http://127.0.0.1:${port}` });
  };
  const pool = opening.use(createSqlPool({ url: database.url }));
  const index = new LogIndex(pool);
  const objects = opening.use(await openDirectoryStore(join(dir, "objects")));
  const opened = opening.move();
  return {
    podsDir,
    program,
    connect,
    signer,
    index,
    pool,
    topology,
    read: (task: TaskId) => readEverything({ index, objects, tail: new LiveTail() }, task, EVERYTHING),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

class Program implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly url: string;
  readonly probeUrl: string;

  constructor(child: ChildProcess, at: { readonly url: string; readonly probeUrl: string }) {
    this.#child = child;
    this.url = at.url;
    this.probeUrl = at.probeUrl;
  }

  /** What killed it. */
  get signal(): NodeJS.Signals | null {
    return this.#child.signalCode;
  }

  async ready(): Promise<void> {
    await waitFor("program ready", async () => (await fetch(`${this.probeUrl}/readyz`)).ok, {
      timeoutMs: 30_000,
    });
  }

  async end(signal: "SIGKILL" | "SIGTERM"): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exit = once(this.#child, "exit");
      this.#child.kill(signal);
      await exit;
    }
    return this.#child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
  }
}
