/** The programs themselves, as the local stack runs them: own processes, least-privilege accounts, killed at bad moments. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CONSUMERS, STREAMS, type TaskId, taskRunning } from "@aiep/contracts";
import { freePort, startNats, testDatabase, waitFor } from "@aiep/dev-servers";
import {
  applyTopology,
  connectBus,
  createSqlPool,
  type NatsRole,
  natsPermissions,
  newOutboxRecord,
  publishMessage,
} from "@aiep/service-kit";
import { describe, expect, it } from "vitest";
import { LiveTail } from "./ingest/live-tail.ts";
import { LogIndex } from "./store/log-index.ts";
import { openDirectoryStore } from "./store/objects/directory.ts";
import { TaskStore } from "./store/task-facts.ts";
import {
  EVERYTHING,
  GROUP,
  log,
  newTaskId,
  node,
  readEverything,
  TestPod,
  textsOf,
} from "./testing/log-stack.ts";

const ROLES: readonly NatsRole[] = ["task-svc", "log-svc", "log-agent", "topology"];
const password = (role: NatsRole): string => `secret-of-${role}`;

async function start() {
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
  await writeFile(join(dir, "jwks.json"), JSON.stringify({ keys: [] }));
  await writeFile(join(dir, "directory.yaml"), "users: []\ngroups: []\n");
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
    const port = await freePort();
    const own =
      role === "log-svc"
        ? {
            AIEP_HTTP_PORT: "0",
            AIEP_DATABASE_URL: database.url,
            AIEP_JWKS: join(dir, "jwks.json"),
            AIEP_DIRECTORY_FILE: join(dir, "directory.yaml"),
            AIEP_LOG_STORE: `dir:${join(dir, "objects")}`,
          }
        : { AIEP_LOGS_DIR: podsDir, AIEP_AGENT_STATE_DIR: join(dir, "agent") };
    const file = join(import.meta.dirname, role === "log-svc" ? "main.ts" : "agent/main.ts");
    const child = spawn(process.execPath, ["--conditions=aiep:source", file], {
      env: { ...common(role, port), ...own, ...extra },
      stdio: ["ignore", "inherit", "inherit"],
    });
    return new Program(child, `http://127.0.0.1:${port}/readyz`);
  };
  const pool = opening.use(createSqlPool({ url: database.url }));
  const index = new LogIndex(pool);
  const objects = opening.use(await openDirectoryStore(join(dir, "objects")));
  const opened = opening.move();
  return {
    podsDir,
    program,
    connect,
    index,
    pool,
    topology,
    read: (task: TaskId) => readEverything({ index, objects, tail: new LiveTail() }, task, EVERYTHING),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

class Program implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #readyUrl: string;

  constructor(child: ChildProcess, readyUrl: string) {
    this.#child = child;
    this.#readyUrl = readyUrl;
  }

  /** What killed it. */
  get signal(): NodeJS.Signals | null {
    return this.#child.signalCode;
  }

  async ready(): Promise<void> {
    await waitFor("program ready", async () => (await fetch(this.#readyUrl)).ok, { timeoutMs: 30_000 });
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

const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, at) => `line ${from + at}`);

describe("log-svc and log-agent as programs", () => {
  it("run with least-privilege accounts, project tasks, keep every line over kill -9, and stop cleanly", async () => {
    await using house = await start();
    const task = newTaskId();
    const pod = await TestPod.create({ podsDir: house.podsDir, task, node: node("worker-0") });
    {
      await using store = await house.program("log-svc");
      await using agent = await house.program("log-agent");
      await Promise.all([store.ready(), agent.ready()]);
      await pod.write(numbered(0, 20_000));
      await waitFor(
        "first lines stored",
        async () => ((await house.index.sourcesOf(task))[0]?.nextPosition ?? 0) > 0,
      );
      await pod.write(numbered(20_000, 40_000));
      await Promise.all([store.end("SIGKILL"), agent.end("SIGKILL")]);
    }
    await pod.write(numbered(40_000, 50_000));
    await pod.complete();
    await using store = await house.program("log-svc");
    await using agent = await house.program("log-agent");
    await Promise.all([store.ready(), agent.ready()]);

    await using tasks = await house.connect("task-svc");
    await publishMessage(tasks, runningEvent(task));
    const found = await waitFor("task projected", () => new TaskStore(house.pool).find(task));
    expect(found).toMatchObject({ taskId: task, groupId: GROUP, state: "Running" });

    await waitFor("log complete", async () => (await house.index.sourcesOf(task))[0]?.complete === true, {
      timeoutMs: 60_000,
    });
    const texts = textsOf(await house.read(task));
    expect(texts.length).toBe(50_000);
    expect(texts.every((text, at) => text === `line ${at}`)).toBe(true);
    await waitFor(
      "stream trimmed",
      async () => (await house.topology.jsm.streams.info("LOG")).state.messages === 0,
    );
    expect(await Promise.all([store.end("SIGTERM"), agent.end("SIGTERM")])).toEqual([0, 0]);
  });

  it("a store killed between its steps keeps the log exact", async () => {
    await using house = await start();
    const task = newTaskId();
    const pod = await TestPod.create({ podsDir: house.podsDir, task, node: node("worker-0") });
    await using agent = await house.program("log-agent");
    await agent.ready();
    for (const [round, point] of ["log.chunk-written-not-indexed", "log.indexed-not-acked"].entries()) {
      await using store = await house.program("log-svc", { AIEP_FAILPOINTS: `${point}=kill` });
      await store.ready();
      await pod.write(numbered(round * 1_000, (round + 1) * 1_000));
      expect(await waitFor("killed at the failpoint", () => store.signal)).toBe("SIGKILL");
    }
    await pod.complete();
    await using _store = await house.program("log-svc");
    await waitFor("log complete", async () => (await house.index.sourcesOf(task))[0]?.complete === true, {
      timeoutMs: 60_000,
    });
    expect(textsOf(await house.read(task))).toEqual(numbered(0, 2_000));
  });
});

function runningEvent(task: TaskId) {
  const record = newOutboxRecord({
    definition: taskRunning,
    env: "test",
    source: "/aiep/task-svc",
    groupId: GROUP,
    aggregateType: "task",
    aggregateId: task,
    aggregateVersion: 1,
    now: new Date(),
    data: {
      task_id: task,
      group_id: GROUP,
      name: "a task",
      state: "Running",
      reason: "AllNodesRunning",
      message: "",
      attempt: 1,
      nodes: [],
      started_at: null,
      finished_at: null,
    },
  });
  return { ...record, id: record.eventId };
}
