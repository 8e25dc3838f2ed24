/**
 * The whole spine as it runs on one machine: nats-server with least-privilege accounts, a database, task-svc, log-svc and
 * the log agent as processes of their own, in a folder and on ports of their own. Pieces and environments are the local
 * stack's; what is added is the power to break them.
 *
 * T1 everything dies with the rig: programs by SIGKILL, nodes of tasks by the marks the runtime left, then the folder.
 * T2 the account `rig` may do anything on the bus: it is the test's own, and forges what no service could.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CONSUMERS, type DirectoryInput, type TaskDetail } from "@aiep/contracts";
import {
  DATABASES,
  endNodes,
  ensureDirectory,
  ensureSecrets,
  fillWarehouse,
  type Layout,
  type Life,
  LOCAL_RUNTIME,
  layoutOf,
  loadConfig,
  NATS_ROLES,
  NO_SCHEDULERS,
  type Programs,
  prepareCluster,
  preparePorts,
  proxy,
  runOnce,
  type Secrets,
  type StackRuntime,
  topologyProgram,
  WAREHOUSE,
  writeClientContext,
  writeDatabaseUrl,
} from "@aiep/deploy-local/parts";
import {
  type DatabaseServer,
  freePort,
  type NatsServer,
  openKubeApi,
  startDatabase,
  startNats,
  waitFor,
} from "@aiep/dev-servers";
import {
  type Bus,
  connectBus,
  createLogger,
  createSqlPool,
  natsPermissions,
  type SqlPool,
} from "@aiep/service-kit";
import { parse, stringify } from "yaml";
import { ApiClient } from "./client.ts";
import { RigProgram, type StartOptions } from "./program.ts";
import { type TaskWish, taskBody } from "./task.ts";

export const SERVICES = ["task-svc", "log-svc", "log-agent", "workflow-svc", "scheduler-bridge"] as const;
/** What a test of container tasks needs. */
const SPINE: readonly ServiceName[] = ["task-svc", "log-svc", "log-agent"];
/** What a test of workflows needs. */
export const WORKFLOW_SERVICES: readonly ServiceName[] = [...SPINE, "workflow-svc"];
export type ServiceName = (typeof SERVICES)[number];
export type Victim = ServiceName | "nats" | "database";

export interface RigOptions extends StartOptions {
  /** Programs to start; default those of container tasks. */
  readonly start?: readonly ServiceName[];
  /** The address people use, for aiepctl. */
  readonly front?: boolean;
  /** Tasks run in the cluster of this kubeconfig, in namespaces of the rig's own. */
  readonly kubeconfig?: string;
  /** As in a cluster elsewhere: no node's log files can be read, nor folders mounted. */
  readonly elsewhere?: boolean;
  /** More settings for the programs, over the local stack's. */
  readonly env?: Readonly<Record<string, string>>;
}

const ACK_WAIT_SECONDS = 5;
const log = createLogger({ service: "rig", level: "silent" });

export class Rig implements AsyncDisposable {
  readonly id: string;
  readonly layout: Layout;
  readonly nats: NatsServer;
  readonly database: DatabaseServer;
  readonly client: ApiClient;
  readonly programs: ReadonlyMap<ServiceName, RigProgram>;
  readonly #parts: Programs;
  readonly #natsPassword: string;
  readonly #stack: AsyncDisposableStack;
  #bus: Bus | undefined;

  constructor(deps: {
    id: string;
    parts: Programs;
    nats: NatsServer;
    database: DatabaseServer;
    natsPassword: string;
    stack: AsyncDisposableStack;
  }) {
    const { parts } = deps;
    this.id = deps.id;
    this.layout = parts.layout;
    this.nats = deps.nats;
    this.database = deps.database;
    this.#parts = parts;
    this.#natsPassword = deps.natsPassword;
    this.#stack = deps.stack;
    this.client = new ApiClient(parts.layout.clientKeyFile, {
      "task-svc": `http://127.0.0.1:${parts.ports.task_http}`,
      "log-svc": `http://127.0.0.1:${parts.ports.log_http}`,
      "workflow-svc": `http://127.0.0.1:${parts.ports.workflow_http ?? 0}`,
      "scheduler-bridge": `http://127.0.0.1:${parts.ports.scheduler_http ?? 0}`,
    });
    const hits = this.failpointLog;
    this.programs = new Map(SERVICES.map((name) => [name, new RigProgram(name, parts, hits)]));
  }

  /** Where the rig's tasks run; the demo directory's first namespace. */
  get namespace(): string {
    const { runtime } = this.#parts;
    return runtime.kind === "local" ? "ns-demo" : runtime.namespaces.demo;
  }

  get failpointLog(): string {
    return join(this.layout.home, "failpoints.log");
  }

  program(name: ServiceName): RigProgram {
    const program = this.programs.get(name);
    if (program === undefined) throw new Error(`no program ${name}`);
    return program;
  }

  async kill9(name: Victim): Promise<void> {
    if (name === "nats") await this.nats.kill9();
    else if (name === "database") await this.database.kill9();
    else await this.program(name).kill9();
  }

  async start(name: Victim, options: StartOptions = {}): Promise<void> {
    if (name === "nats") await this.nats.start();
    else if (name === "database") await this.database.start();
    else await this.program(name).start(options);
  }

  /**
   * Streams and consumers, as after a deployment or a wipe; but what a killed service had in hand comes again after
   * seconds, not half a minute.
   */
  async topology(): Promise<void> {
    await runOnce(topologyProgram(this.#parts), new AbortController().signal);
    const { jsm } = await this.bus();
    for (const { stream, durable } of Object.values(CONSUMERS))
      await jsm.consumers.update(stream, durable, { ack_wait: ACK_WAIT_SECONDS * 1e9 });
  }

  /** Accepted once, however often it has to be asked for (I1, I2). */
  async submit(wish: TaskWish): Promise<TaskDetail> {
    return await this.client.persist("createTask", {
      body: taskBody(wish, this.id, this.namespace),
      key: wish.key,
    });
  }

  /** Hits of failpoints by name, also of processes that killed themselves there. */
  failpointHits(): ReadonlyMap<string, number> {
    const hits = new Map<string, number>();
    if (!existsSync(this.failpointLog)) return hits;
    for (const line of readFileSync(this.failpointLog, "utf8").split("\n")) {
      const name = line.split(" ")[0];
      if (name !== undefined && name !== "") hits.set(name, (hits.get(name) ?? 0) + 1);
    }
    return hits;
  }

  /** The test's own account on the bus (T2). */
  async bus(): Promise<Bus> {
    this.#bus ??= this.#stack.use(
      await connectBus({ url: this.nats.url, user: "rig", password: this.#natsPassword, name: "rig", log }),
    );
    const { jsm } = this.#bus;
    // A question that was on its way when the bus was killed is answered by nobody.
    await waitFor("the bus answers", async () => await jsm.getAccountInfo(), { timeoutMs: 60_000 });
    return this.#bus;
  }

  /** A service's own database, for reading. */
  pool(service: keyof typeof DATABASES): SqlPool {
    const url = new URL(this.database.url);
    url.pathname = DATABASES[service];
    return createSqlPool({ url: url.href, connectionLimit: 2 });
  }

  /** The real aiepctl as a process; its working folder is the checkout. */
  aiepctl(args: readonly string[]) {
    const { config } = this.#parts;
    const child = spawn(
      config.node,
      ["--conditions=aiep:source", join(config.root, "apps/aiepctl/src/main.ts"), ...args],
      {
        cwd: config.root,
        env: {
          PATH: config.childEnv["PATH"],
          HOME: this.layout.home,
          NODE_COMPILE_CACHE: config.childEnv["NODE_COMPILE_CACHE"],
          AIEPCTL_CONFIG: this.layout.clientFile,
          NO_COLOR: "1",
        },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    this.#stack.defer(() => void child.kill("SIGKILL"));
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => (stdout += String(chunk)));
    child.stderr.on("data", (chunk) => (stderr += String(chunk)));
    const ended = once(child, "close").then(() => ({
      code: child.exitCode,
      signal: child.signalCode,
      stdout,
      stderr,
    }));
    return { child, ended, stdout: () => stdout, stderr: () => stderr };
  }

  /** Programs that run take it over within two seconds. */
  async changeDirectory(change: (directory: DirectoryInput) => void): Promise<void> {
    const directory = parse(await readFile(this.layout.directoryFile, "utf8")) as DirectoryInput; // ours
    change(directory);
    await writeFile(this.layout.directoryFile, stringify(directory));
  }

  /** Done when the rig is closed, last come first. */
  closing(work: () => Promise<void>): void {
    this.#stack.defer(work);
  }

  /** What a task of ours wrote into its storage. */
  async storageFile(name: string): Promise<string> {
    return await readFile(join(this.layout.storageDir, "alice", name), "utf8").catch(() => "");
  }

  /** The ends of all logs, for a failed test. */
  async tails(bytes = 2_500): Promise<string> {
    const parts: string[] = [];
    for (const name of await readdir(this.layout.logDir)) {
      const text = await readFile(join(this.layout.logDir, name), "utf8");
      parts.push(`--- ${name}\n${text.slice(-bytes)}`);
    }
    return parts.join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

export async function startRig(options: RigOptions = {}): Promise<Rig> {
  await using opening = new AsyncDisposableStack();
  const home = await mkdtemp(join(tmpdir(), "aiep-rig-"));
  opening.defer(async () => await rm(home, { recursive: true, force: true, maxRetries: 5 }));
  await chmod(home, 0o711); // tasks run as other users and reach their storage below it
  const config = { ...loadConfig({}), home };
  const childEnv = {
    ...config.childEnv,
    AIEP_ENV: "test",
    AIEP_LOG_LEVEL: "info",
    AIEP_CONTROL_LEASE_SECONDS: "1.5", // a killed task-svc is followed sooner
    ...options.env,
  };
  const layout = layoutOf(home);
  const id = randomBytes(6).toString("hex");
  for (const folder of [layout.logDir, layout.runtimeDir, layout.podLogsDir, layout.codePackagesDir])
    await mkdir(folder, { recursive: true });
  for (const folder of [layout.logStoreDir, layout.agentDir]) await mkdir(folder, { recursive: true });
  const ports = await preparePorts(layout.portsFile, await freePort());
  const secrets = await ensureSecrets(layout, Object.keys(DATABASES));
  const runtime =
    options.kubeconfig === undefined
      ? LOCAL_RUNTIME
      : await inCluster(id, options.kubeconfig, options.elsewhere === true, opening);
  await ensureDirectory(layout, join(config.root, "deploy/local/assets/sample-model.zip"), runtime);
  await writeClientContext(layout, `http://127.0.0.1:${ports.http}`);
  const parts: Programs = {
    config: { ...config, childEnv },
    layout,
    ports,
    runtime,
    schedulers: NO_SCHEDULERS, // a test that wants one says so in env
  };
  const natsPassword = randomBytes(12).toString("hex");
  const [nats, database] = await Promise.all([
    startNats({ dir: layout.natsDir, port: ports.nats, users: accounts(secrets, natsPassword) }),
    startDatabase({ dir: layout.databaseDir, port: ports.database }),
  ]);
  // Thrown away with their folder: no orderly shutdown.
  opening.defer(async () => void (await Promise.all([nats.kill9(), database.kill9()])));
  for (const [service, name] of Object.entries(DATABASES)) {
    const password = secrets.databasePasswords.get(service) ?? "";
    const created = await database.createDatabase(name, { user: name, password });
    await writeDatabaseUrl(layout, service, created.url);
    if (name === WAREHOUSE) await fillWarehouse(created, new Date());
  }
  opening.defer(async () => void (await endNodes(layout.runtimeDir)));
  const rig = new Rig({ id, parts, nats, database, natsPassword, stack: opening.move() });
  try {
    await startPrograms(rig, parts, options);
    return rig;
  } catch (error) {
    process.stderr.write(`${await rig.tails()}\n`);
    await rig[Symbol.asyncDispose]();
    throw error;
  }
}

/** Namespaces and an instance of the rig's own; they go with all that is in them. */
async function inCluster(
  id: string,
  kubeconfig: string,
  elsewhere: boolean,
  opening: AsyncDisposableStack,
): Promise<StackRuntime> {
  const namespaces = { demo: `aiep-rig-${id}`, small: `aiep-rig-${id}-small` };
  opening.defer(async () => {
    using api = openKubeApi(kubeconfig);
    for (const name of Object.values(namespaces)) await api.remove(`/api/v1/namespaces/${name}`);
  });
  const runtime = await prepareCluster(
    { kubeconfig, instance: `rig-${id}`, namespaces, image: "python:3", prepare_image: "busybox:1" },
    () => undefined,
  );
  return elsewhere ? { ...runtime, same_machine: false } : runtime;
}

async function startPrograms(rig: Rig, parts: Programs, options: RigOptions): Promise<void> {
  await rig.topology();
  if (options.front === true) {
    const front: Life = await proxy(parts).start(new AbortController().signal);
    rig.closing(async () => await front.stop());
  }
  rig.closing(async () => void (await Promise.all([...rig.programs.values()].map((each) => each.close()))));
  for (const name of options.start ?? SPINE) await rig.start(name, options);
}

function accounts({ natsPasswords }: Secrets, rigPassword: string) {
  return [
    ...NATS_ROLES.map((role) => ({ ...natsPermissions(role), password: natsPasswords.get(role) ?? "" })),
    { user: "rig", password: rigPassword },
  ];
}

/** Runs a test on a rig; when it fails, the ends of the logs are printed before the folder goes. */
export async function withRig(options: RigOptions, test: (rig: Rig) => Promise<void>): Promise<void> {
  await using rig = await startRig(options);
  try {
    await test(rig);
  } catch (error) {
    process.stderr.write(`${await rig.tails()}\n`);
    throw error;
  }
}
