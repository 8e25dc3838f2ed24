import { randomBytes } from "node:crypto";
import { type Connection, createConnection } from "mysql2/promise";
import { sqlText } from "./database-flavour.ts";
import { DevServerError } from "./errors.ts";

/** Accounts and databases on a running server. */

export interface DatabaseOptions {
  /** An account of its own that may do everything in this database and nothing outside; created or given this password. */
  readonly user?: string;
  readonly password?: string;
}

export interface Database extends AsyncDisposable {
  /** `mysql://user[:password]@127.0.0.1:port/name` */
  readonly url: string;
  readonly name: string;
  /** Statements in it, as the server's administrator. */
  execute(...statements: readonly string[]): Promise<void>;
  /** Drops the database; also what disposing does. */
  drop(): Promise<void>;
}

interface UrlParts {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly name: string;
}

export function databaseUrl({ port, user, password, name }: UrlParts): string {
  const url = new URL(`mysql://127.0.0.1:${port}/${name}`);
  url.username = user;
  url.password = password;
  return url.href;
}

export async function withConnection<T>(
  url: string,
  use: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await createConnection({ uri: url, connectTimeout: 5_000 });
  try {
    const result = await use(connection);
    await connection.end();
    return result;
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

export async function createDatabaseWith(
  rootUrl: string,
  accountHost: string,
  name = `t_${randomBytes(6).toString("hex")}`,
  { user, password = "" }: DatabaseOptions = {},
): Promise<Database> {
  for (const word of user === undefined ? [name] : [name, user])
    if (!/^\w{1,64}$/.test(word))
      throw new DevServerError("bad_name", `${word} is not a name of letters, digits and _`);
  await withConnection(rootUrl, async (connection) => {
    await connection.query(`CREATE DATABASE IF NOT EXISTS ${name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`);
    if (user === undefined) return;
    const account = `'${user}'@'${accountHost}'`;
    await connection.query(`CREATE USER IF NOT EXISTS ${account}`);
    await connection.query(`ALTER USER ${account} IDENTIFIED BY ${sqlText(password)}`);
    await connection.query(`GRANT ALL PRIVILEGES ON \`${name.replaceAll("_", "\\_")}\`.* TO ${account}`);
  });
  const drop = async (): Promise<void> => {
    await withConnection(rootUrl, async (connection) => {
      await connection.query(`DROP DATABASE IF EXISTS ${name}`);
    });
  };
  const own = new URL(rootUrl);
  own.pathname = `/${name}`;
  const execute = async (...statements: readonly string[]): Promise<void> => {
    await withConnection(own.href, async (connection) => {
      for (const statement of statements) await connection.query(statement);
    });
  };
  const url = new URL(rootUrl);
  url.pathname = `/${name}`;
  if (user !== undefined) {
    url.username = user;
    url.password = password;
  }
  return { url: url.href, name, execute, drop, [Symbol.asyncDispose]: drop };
}
