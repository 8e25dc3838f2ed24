import { randomUUID } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import type { Log } from "./apt.ts";
import { type DevServersConfig, loadConfig } from "./config.ts";
import { DevServerError, PortTakenError } from "./errors.ts";
import { listenAddress, prepareProcess } from "./launch.ts";
import { natsConfigText, type NatsUser } from "./nats-config.ts";
import { freePort } from "./port.ts";
import { natsServerKind, obtainProgram, type Program } from "./programs.ts";
import type { ServerProcess } from "./server-process.ts";
import { makeTempDir } from "./temp-dir.ts";

/*
 * A nats-server with JetStream on loopback (D10: 2.9.10 and newer).
 *
 * Owns the process, its configuration file and, when none was given, its folder. A restart keeps port, users and store.
 * "Ready" means: the server that answers is ours (its random name is in the INFO line) and says that JetStream is on.
 */

export interface NatsOptions {
  /** Default: a free one. */
  readonly port?: number;
  /** Holds configuration, log and store; kept at the end. Default: a temporary one, removed at the end. */
  readonly dir?: string;
  /** When given, a connection without one of these accounts is refused. */
  readonly users?: readonly NatsUser[];
  readonly maxPayloadBytes?: number;
  readonly maxFileStoreBytes?: number;
  /** For a stack that stays up after the command that started it; needs `dir` and `port`. */
  readonly survivesParent?: boolean;
  readonly readyTimeoutMs?: number;
  readonly config?: DevServersConfig;
  readonly log?: Log;
}

export interface NatsServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly storeDir: string;
  readonly logFile: string;
  readonly pid: number;
  readonly running: boolean;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** SIGKILL: the crash. */
  kill9(): Promise<void>;
  /** Stops when running, then starts on the same port and store. */
  restart(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Forgets all streams and consumers; only while stopped. */
  wipeStore(): Promise<void>;
  log(): Promise<string>;
}

const attempts = 5;

export async function startNats(options: NatsOptions = {}): Promise<NatsServer> {
  const config = options.config ?? loadConfig();
  if (options.survivesParent === true && (options.dir === undefined || options.port === undefined))
    throw new DevServerError("options", "a server that survives its parent needs a folder and a port of its own");
  const program = await obtainProgram(natsServerKind, config, options.log);
  const dir = options.dir ?? (await makeTempDir(config.tempDir));
  try {
    await mkdir(dir, { recursive: true });
    for (let attempt = 1; ; attempt++) {
      const port = options.port ?? (await freePort());
      try {
        return await startOn({ options, config, program, dir, port });
      } catch (error) {
        // Someone else was quicker with the port that looked free.
        if (error instanceof PortTakenError && options.port === undefined && attempt < attempts) continue;
        throw error;
      }
    }
  } catch (error) {
    if (options.dir === undefined) await rm(dir, { recursive: true, force: true });
    throw error;
  }
}

interface Start {
  readonly options: NatsOptions;
  readonly config: DevServersConfig;
  readonly program: Program;
  readonly dir: string;
  readonly port: number;
}

async function startOn({ options, config, program, dir, port }: Start): Promise<NatsServer> {
  const name = `aiep-${randomUUID()}`;
  const storeDir = join(dir, "jetstream");
  const configFile = join(dir, "nats.conf");
  const text = natsConfigText({ ...options, name, host: listenAddress(program), port, storeDir: dir });
  await writeFile(configFile, text, { mode: 0o600 }); // it holds the users' passwords
  const process = await prepareProcess(
    {
      name: "nats-server",
      program,
      entrypoint: "nats-server",
      args: ["-c", configFile],
      dir,
      port,
      survivesParent: options.survivesParent ?? false,
    },
    config,
  );
  const timeoutMs = options.readyTimeoutMs ?? 30_000;
  const start = async (): Promise<void> => await process.start(async () => await answers(port, name), timeoutMs);
  await start();
  return natsServer(process, { start, port, dir, storeDir, ownsDir: options.dir === undefined });
}

interface Handle {
  readonly start: () => Promise<void>;
  readonly port: number;
  readonly dir: string;
  readonly storeDir: string;
  readonly ownsDir: boolean;
}

function natsServer(process: ServerProcess, { start, port, dir, storeDir, ownsDir }: Handle): NatsServer {
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    storeDir,
    logFile: join(dir, "nats-server.log"),
    get pid() {
      return process.pid;
    },
    get running() {
      return process.running;
    },
    start,
    stop: async () => await process.stop(),
    kill9: async () => await process.kill9(),
    restart: async () => {
      await process.stop();
      await start();
    },
    pause: async () => await process.pause(),
    resume: async () => await process.resume(),
    wipeStore: async () => {
      if (process.running) throw new DevServerError("server_running", "stop nats-server before wiping its store");
      await rm(storeDir, { recursive: true, force: true });
    },
    log: async () => await process.log(),
    [Symbol.asyncDispose]: async () => {
      await process.stop(3_000);
      if (ownsDir) await rm(dir, { recursive: true, force: true });
    },
  };
}

/** One INFO line, read without a client: true when it is this server with JetStream. */
async function answers(port: number, name: string): Promise<boolean> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true, timeout: 2_000 });
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("utf8");
      if (!text.includes("\r\n")) return;
      socket.destroy();
      resolve(text.includes(`"server_name":"${name}"`) && text.includes('"jetstream":true'));
    });
    socket.once("timeout", () => socket.destroy(new Error("no INFO line within 2 s")));
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("the connection was closed before the INFO line")));
  });
}
