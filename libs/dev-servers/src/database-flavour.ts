import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, open, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { DevServersConfig } from "./config.ts";
import { containerArgs, pullImage } from "./docker.ts";
import { DevServerError } from "./errors.ts";
import type { Program } from "./programs.ts";
import { findOnPath, run } from "./run.ts";

/*
 * What differs between MariaDB and MySQL: how a data folder is initialised and which options exist.
 *
 * Initialising takes seconds, so it is done once for a server version and kept in the user's cache; a server's folder is
 * a copy. The cached folder appears by a rename, so that it is there whole or not at all, whoever else builds it.
 */

export type Flavour = "mariadb" | "mysql";

export interface DatabaseProgram {
  readonly program: Program;
  readonly flavour: Flavour;
  readonly version: string;
  /**
   * `--no-defaults` keeps the machine's own my.cnf out; it must be the very first argument. A program that is a script
   * is a wrapper with first arguments of its own, so there the script decides.
   */
  readonly firstArgs: readonly string[];
}

export async function inspectDatabaseProgram(
  program: Program,
  config: DevServersConfig,
): Promise<DatabaseProgram> {
  const firstArgs = program.kind === "binary" && (await isScript(program.path)) ? [] : ["--no-defaults"];
  const version =
    program.kind === "binary"
      ? await run(program.path, [...firstArgs, "--version"], { env: config.childEnv })
      : `${program.image} MariaDB`;
  const flavour = /mariadb/i.test(version) ? "mariadb" : "mysql";
  return { program, flavour, version: version.trim(), firstArgs };
}

async function isScript(path: string): Promise<boolean> {
  await using file = await open(path, "r");
  const { buffer } = await file.read(Buffer.alloc(2), 0, 2, 0);
  return buffer.toString("latin1") === "#!";
}

/** Root has to say that it means to run the server as root; to others the option means nothing. */
const userOption = (): string[] => (process.getuid?.() === 0 ? ["--user=root"] : []);

/** Fills `dataDir` (which must not exist yet) with an initialised, empty server. */
export async function initialiseDataDir(
  server: DatabaseProgram,
  dataDir: string,
  config: DevServersConfig,
): Promise<void> {
  const template = await dataDirTemplate(server, config);
  const copy = `${dataDir}.new`; // an interrupted copy must not look like a server's data
  await rm(copy, { recursive: true, force: true });
  await cp(template, copy, { recursive: true, preserveTimestamps: true });
  await rename(copy, dataDir);
}

async function dataDirTemplate(server: DatabaseProgram, config: DevServersConfig): Promise<string> {
  const key = createHash("sha256").update(`v1 ${server.version}`).digest("hex").slice(0, 16);
  const template = join(config.cacheDir, `${server.flavour}-${key}`);
  if (existsSync(template)) return template;
  await mkdir(config.cacheDir, { recursive: true });
  const scratch = await mkdtemp(join(config.cacheDir, "building-"));
  try {
    const fresh = join(scratch, "data");
    await mkdir(fresh, { mode: 0o700 });
    await initialise(server, fresh, config);
    await rename(fresh, template).catch((error: unknown) => {
      if (!existsSync(template)) throw error; // another run was quicker: its folder is as good
    });
    return template;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function initialise(
  { program, flavour, firstArgs }: DatabaseProgram,
  dataDir: string,
  config: DevServersConfig,
): Promise<void> {
  const env = config.childEnv;
  const common = [`--datadir=${dataDir}`, ...userOption()];
  if (flavour === "mysql") {
    if (program.kind !== "binary")
      throw new DevServerError("docker_mysql", "the Docker image in use is MariaDB's");
    await run(program.path, [...firstArgs, ...common, "--initialize-insecure"], { env });
    return;
  }
  const args = ["--no-defaults", ...common, "--auth-root-authentication-method=normal", "--skip-test-db"];
  if (program.kind === "docker") {
    const { docker, image } = program;
    await pullImage(docker, image, config);
    const name = `aiep-initialise-${process.pid}`;
    await run(
      docker,
      containerArgs({ docker, image, name, entrypoint: "mariadb-install-db", args, dir: dataDir }),
      { env },
    );
    return;
  }
  const installer = await findOnPath(
    ["mariadb-install-db", "mysql_install_db"],
    [
      dirname(program.path),
      join(dirname(program.path), "../bin"),
      join(dirname(program.path), "../scripts"),
      ...config.searchPath,
    ],
  );
  if (installer === undefined)
    throw new DevServerError(
      "no_installer",
      `mariadb-install-db, which belongs to ${program.path}, was not found`,
    );
  await run(installer, args, { env });
}

export interface ServerArgs {
  readonly dataDir: string;
  readonly port: number;
  readonly host: string;
  readonly socket: string;
  readonly initFile: string;
  readonly bufferPoolMb: number;
}

/** Durable like production (a commit is on disk before it is answered), small, UTC, binary comparison of texts. */
export function serverArgs({ flavour, firstArgs }: DatabaseProgram, args: ServerArgs): string[] {
  const own =
    flavour === "mariadb"
      ? ["--innodb-log-file-size=96M"]
      : [
          "--innodb-redo-log-capacity=100M",
          "--skip-log-bin",
          "--performance-schema=OFF",
          "--loose-mysqlx=OFF",
        ];
  return [
    ...firstArgs,
    ...userOption(),
    `--datadir=${args.dataDir}`,
    `--port=${args.port}`,
    `--bind-address=${args.host}`,
    `--socket=${args.socket}`,
    `--pid-file=${args.dataDir}/server.pid`,
    `--init-file=${args.initFile}`,
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_bin",
    "--default-time-zone=+00:00",
    "--skip-name-resolve",
    "--max-connections=300",
    "--innodb-flush-log-at-trx-commit=1",
    `--innodb-buffer-pool-size=${args.bufferPoolMb}M`,
    ...own,
  ];
}

/** SQL run at every start: root may connect over TCP from where we are, and nobody else may without an account. */
export async function writeInitFile(
  path: string,
  flavour: Flavour,
  host: string,
  rootPassword: string,
): Promise<void> {
  const password = sqlText(rootPassword);
  const lines = [
    `CREATE USER IF NOT EXISTS 'root'@'${host}';`,
    `ALTER USER 'root'@'${host}' IDENTIFIED BY ${password};`,
    `GRANT ALL PRIVILEGES ON *.* TO 'root'@'${host}' WITH GRANT OPTION;`,
    `ALTER USER 'root'@'localhost' IDENTIFIED BY ${password};`,
  ];
  if (flavour === "mariadb")
    lines.push(
      `DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND Host NOT IN ('localhost', '${host}'));`,
      "FLUSH PRIVILEGES;",
    );
  await writeFile(path, `${lines.join("\n")}\n`, { mode: 0o600 });
}

/** A string literal that is the same in every SQL mode: passwords and names of ours hold neither quote nor backslash. */
export function sqlText(text: string): string {
  if (/['\\\0\n]/.test(text))
    throw new DevServerError("sql_text", "a quote, backslash or line break cannot be used here");
  return `'${text}'`;
}
