import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "./apt.ts";
import { type DevServersConfig, loadConfig } from "./config.ts";
import {
  createDatabaseWith,
  type Database,
  type DatabaseOptions,
  databaseUrl,
  withConnection,
} from "./database-client.ts";
import {
  type DatabaseProgram,
  type Flavour,
  initialiseDataDir,
  inspectDatabaseProgram,
  serverArgs,
  writeInitFile,
} from "./database-flavour.ts";
import { listenAddress, prepareProcess } from "./launch.ts";
import { inPlace, type Place, type PlaceOptions } from "./place.ts";
import { databaseKind, obtainProgram } from "./programs.ts";
import { type HandleDeps, ServerHandle } from "./server-handle.ts";

/*
 * A MariaDB or MySQL server on loopback (D10: MariaDB 10.11, MySQL 8 and 9).
 *
 * Owns the process and, when none was given, its folder. A restart keeps port and data. "Ready" means: a query is
 * answered by the server whose data folder is ours.
 */

export interface DatabaseServerOptions extends PlaceOptions {
  /** Default: none, which is fine for a test's server on loopback. May change from start to start. */
  readonly rootPassword?: string;
  /** Default 64. */
  readonly bufferPoolMb?: number;
  readonly readyTimeoutMs?: number;
  readonly config?: DevServersConfig;
  readonly log?: Log;
}

interface DatabaseAccess {
  readonly server: DatabaseProgram;
  readonly rootUrl: string;
  readonly accountHost: string;
}

export class DatabaseServer extends ServerHandle {
  /** Of the server, as root, without a database. */
  readonly url: string;
  readonly flavour: Flavour;
  /** What the program says of itself. */
  readonly version: string;
  readonly #accountHost: string;

  constructor(deps: HandleDeps, { server, rootUrl, accountHost }: DatabaseAccess) {
    super(deps);
    this.url = rootUrl;
    this.flavour = server.flavour;
    this.version = server.version;
    this.#accountHost = accountHost;
  }

  /** An empty database with a random name, or the one named, which may exist already. */
  async createDatabase(name?: string, options?: DatabaseOptions): Promise<Database> {
    return await createDatabaseWith(this.url, this.#accountHost, name, options);
  }
}

export async function startDatabase(options: DatabaseServerOptions = {}): Promise<DatabaseServer> {
  const config = options.config ?? loadConfig();
  const program = await obtainProgram(databaseKind, config, options.log);
  const server = await inspectDatabaseProgram(program, config);
  return await inPlace(options, config, async (place) => await startOn(place, server, options, config));
}

/** The kernel's limit for the path of a Unix socket is 107. */
const longestSocketPath = 100;

async function startOn(
  place: Place,
  server: DatabaseProgram,
  options: DatabaseServerOptions,
  config: DevServersConfig,
): Promise<DatabaseServer> {
  const { dir, port } = place;
  const dataDir = join(dir, "data");
  if (!existsSync(dataDir)) await initialiseDataDir(server, dataDir, config);
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
    },
    config,
  );
  const rootUrl = databaseUrl({ port, user: "root", password, name: "" });
  const readyTimeoutMs = options.readyTimeoutMs ?? 60_000;
  const probe = async (): Promise<boolean> => await answers(rootUrl, dataDir);
  const started = new DatabaseServer(
    { process, place, probe, readyTimeoutMs },
    { server, rootUrl, accountHost },
  );
  await started.start();
  return started;
}

async function answers(url: string, dataDir: string): Promise<boolean> {
  return await withConnection(url, async (connection) => {
    const [rows] = await connection.query("SELECT @@datadir AS datadir");
    const [row] = Array.isArray(rows) ? rows : [];
    const found = row !== undefined && "datadir" in row ? String(row.datadir) : "";
    return join(found, "x") === join(dataDir, "x"); // with or without a slash at the end
  });
}
