import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "./apt.ts";
import { type DevServersConfig, loadConfig } from "./config.ts";
import { createDatabaseWith, type Database, type DatabaseOptions, databaseUrl, withConnection } from "./database-client.ts";
import {
  type DatabaseProgram,
  type Flavour,
  initialiseDataDir,
  inspectDatabaseProgram,
  serverArgs,
  writeInitFile,
} from "./database-flavour.ts";
import { DevServerError, PortTakenError } from "./errors.ts";
import { listenAddress, prepareProcess } from "./launch.ts";
import { freePort } from "./port.ts";
import { databaseKind, obtainProgram } from "./programs.ts";
import type { ServerProcess } from "./server-process.ts";
import { makeTempDir } from "./temp-dir.ts";

/*
 * A MariaDB or MySQL server on loopback (D10: MariaDB 10.11, MySQL 8 and 9).
 *
 * Owns the process and, when none was given, its folder. A restart keeps port and data. "Ready" means: SELECT 1 is
 * answered by the server whose data folder is ours.
 */

export interface DatabaseServerOptions {
  /** Default: a free one. */
  readonly port?: number;
  /** Holds data and log; kept at the end, and used again when it holds data. Default: a temporary one, removed at the end. */
  readonly dir?: string;
  /** Default: none, which is fine for a test's server on loopback. */
  readonly rootPassword?: string;
  readonly bufferPoolMb?: number;
  /** For a stack that stays up after the command that started it; needs `dir` and `port`. */
  readonly survivesParent?: boolean;
  readonly readyTimeoutMs?: number;
  readonly config?: DevServersConfig;
  readonly log?: Log;
}

export interface DatabaseServer extends AsyncDisposable {
  /** Of the server, as root, without a database. */
  readonly url: string;
  readonly port: number;
  readonly flavour: Flavour;
  readonly version: string;
  readonly logFile: string;
  readonly pid: number;
  readonly running: boolean;
  /** An empty database with a random name, or the one named; exists already: fine. */
  createDatabase(name?: string, options?: DatabaseOptions): Promise<Database>;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** SIGKILL: the crash. */
  kill9(): Promise<void>;
  /** Stops when running, then starts on the same port and data. */
  restart(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers, until resume(). */
  pause(): Promise<void>;
  resume(): Promise<void>;
  log(): Promise<string>;
}

const attempts = 5;
/** The kernel's limit for the path of a Unix socket is 107. */
const longestSocketPath = 100;

export async function startDatabase(options: DatabaseServerOptions = {}): Promise<DatabaseServer> {
  const config = options.config ?? loadConfig();
  if (options.survivesParent === true && (options.dir === undefined || options.port === undefined))
    throw new DevServerError("options", "a server that survives its parent needs a folder and a port of its own");
  const program = await obtainProgram(databaseKind, config, options.log);
  const server = await inspectDatabaseProgram(program, config);
  const dir = options.dir ?? (await makeTempDir(config.tempDir));
  try {
    await mkdir(dir, { recursive: true });
    const dataDir = join(dir, "data");
    if (!existsSync(dataDir)) await initialiseDataDir(server, dataDir, config);
    for (let attempt = 1; ; attempt++) {
      const port = options.port ?? (await freePort());
      try {
        return await startOn({ options, config, server, dir, dataDir, port });
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
  readonly options: DatabaseServerOptions;
  readonly config: DevServersConfig;
  readonly server: DatabaseProgram;
  readonly dir: string;
  readonly dataDir: string;
  readonly port: number;
}

async function startOn({ options, config, server, dir, dataDir, port }: Start): Promise<DatabaseServer> {
  const password = options.rootPassword ?? "";
  const accountHost = server.program.kind === "docker" ? "%" : "127.0.0.1";
  const initFile = join(dir, "init.sql");
  await writeInitFile(initFile, server.flavour, accountHost, password);
  const socketPath = join(dir, "socket");
  const args = serverArgs(server, {
    dataDir,
    port,
    host: listenAddress(server.program),
    socket: socketPath.length > longestSocketPath ? join(config.tempDir, `aiep-${port}.sock`) : socketPath,
    initFile,
    bufferPoolMb: options.bufferPoolMb ?? 64,
  });
  const process = await prepareProcess(
    {
      name: server.flavour,
      program: server.program,
      entrypoint: "mariadbd",
      args,
      dir,
      port,
      survivesParent: options.survivesParent ?? false,
    },
    config,
  );
  const url = databaseUrl({ port, user: "root", password, name: "" });
  const timeoutMs = options.readyTimeoutMs ?? 60_000;
  const start = async (): Promise<void> => await process.start(async () => await answers(url, dataDir), timeoutMs);
  await start();
  const ownsDir = options.dir === undefined;
  return databaseServer(process, { start, server, url, port, dir, ownsDir, accountHost });
}

interface Handle {
  readonly start: () => Promise<void>;
  readonly server: DatabaseProgram;
  readonly url: string;
  readonly port: number;
  readonly dir: string;
  readonly ownsDir: boolean;
  readonly accountHost: string;
}

function databaseServer(process: ServerProcess, handle: Handle): DatabaseServer {
  const { start, server, url, port, dir, ownsDir, accountHost } = handle;
  return {
    url,
    port,
    flavour: server.flavour,
    version: server.version,
    logFile: join(dir, `${server.flavour}.log`),
    get pid() {
      return process.pid;
    },
    get running() {
      return process.running;
    },
    createDatabase: async (name, options) => await createDatabaseWith(url, accountHost, name, options),
    start,
    stop: async () => await process.stop(30_000),
    kill9: async () => await process.kill9(),
    restart: async () => {
      await process.stop(30_000);
      await start();
    },
    pause: async () => await process.pause(),
    resume: async () => await process.resume(),
    log: async () => await process.log(),
    [Symbol.asyncDispose]: async () => {
      // Data that is thrown away needs no orderly shutdown.
      if (ownsDir) await process.kill9();
      else await process.stop(30_000);
      if (ownsDir) await rm(dir, { recursive: true, force: true });
    },
  };
}

async function answers(url: string, dataDir: string): Promise<boolean> {
  return await withConnection(url, async (connection) => {
    const [rows] = await connection.query("SELECT @@datadir AS datadir");
    const [row] = Array.isArray(rows) ? rows : [];
    const found = row !== undefined && "datadir" in row ? String(row.datadir) : "";
    return join(found, ".") === join(dataDir, ".");
  });
}
