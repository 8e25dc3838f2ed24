/**
 * The database as statements (D5): one pool that may send several statements in one round trip.
 *
 * Owns its connections and their session: READ COMMITTED (a relay under REPEATABLE READ blocks writers by gap locks),
 * utf8mb4, UTC, strict mode. P1 a connection that failed never goes back with an open transaction: ROLLBACK first, or
 * destroyed. P2 every error that leaves here went through `sqlError`. P3 a statement that hangs costs its connection.
 * BIGINT and DECIMAL arrive as numbers, JSON as text (`fromJson`): MySQL and MariaDB alike (D10).
 */

import { AiepError } from "@aiep/contracts";
import { createPool, type Pool, type PoolConnection } from "mysql2";
import { sqlError } from "./errors.ts";
import { format, type Sql, type SqlValue, sql } from "./sql.ts";

export interface SqlPoolOptions {
  readonly url: string;
  /** Default 8. */
  readonly connectionLimit?: number;
  readonly connectTimeoutMs?: number;
  /** A statement that takes longer is given up with its connection. Default 30 000. */
  readonly statementTimeoutMs?: number;
}

export interface SqlResult {
  readonly affectedRows: number;
  readonly insertId: number;
}

/** Runs statements; a row is what the caller's SELECT says it is. */
export interface SqlExecutor {
  query<Row extends object>(statement: string | Sql, values?: readonly SqlValue[]): Promise<Row[]>;
  execute(statement: string | Sql, values?: readonly SqlValue[]): Promise<SqlResult>;
  /** Several statements in one round trip, not a transaction by itself; one result (rows or SqlResult) a statement. */
  multi(statements: readonly (Sql | string)[]): Promise<readonly unknown[]>;
}

export interface SqlTransaction extends SqlExecutor {
  /** The last statements and COMMIT in one round trip. Nothing may follow. */
  commit(statements: readonly (Sql | string)[]): Promise<readonly unknown[]>;
}

export interface SqlPool extends SqlExecutor, AsyncDisposable {
  /**
   * On one connection; begun in the round trip of its first statement, committed when `fn` is through and did not by itself,
   * rolled back when it throws. Never repeated by itself.
   */
  transaction<T>(fn: (tx: SqlTransaction) => Promise<T>): Promise<T>;
  ping(): Promise<void>;
  close(): Promise<void>;
}

const SESSION = [
  "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
  "SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', innodb_lock_wait_timeout = 10",
].join("; ");

export function createSqlPool(options: SqlPoolOptions): SqlPool {
  const core = createPool({
    uri: options.url,
    connectionLimit: options.connectionLimit ?? 8,
    connectTimeout: options.connectTimeoutMs ?? 5_000,
    multipleStatements: true,
    charset: "UTF8MB4_BIN",
    timezone: "Z",
    decimalNumbers: true,
    jsonStrings: true,
    enableKeepAlive: true, // TCP_NODELAY is the driver's default
    keepAliveInitialDelay: 30_000,
  });
  // Commands of a connection run in order, so the session is set before the first statement; should it fail, so does that.
  core.on("connection", (connection: PoolConnection) => connection.query(SESSION, () => {}));
  return new Mysql2Pool(core, options.statementTimeoutMs ?? 30_000);
}

class Mysql2Pool implements SqlPool {
  readonly #core: Pool;
  readonly #timeoutMs: number;

  constructor(core: Pool, timeoutMs: number) {
    this.#core = core;
    this.#timeoutMs = timeoutMs;
  }

  async query<Row extends object>(statement: string | Sql, values: readonly SqlValue[] = []): Promise<Row[]> {
    return await this.#with(async (executor) => await executor.query<Row>(statement, values));
  }

  async execute(statement: string | Sql, values: readonly SqlValue[] = []): Promise<SqlResult> {
    return await this.#with(async (executor) => await executor.execute(statement, values));
  }

  async multi(statements: readonly (Sql | string)[]): Promise<readonly unknown[]> {
    return await this.#with(async (executor) => await executor.multi(statements));
  }

  async transaction<T>(fn: (tx: SqlTransaction) => Promise<T>): Promise<T> {
    return await this.#with(async (executor) => {
      const tx = new OpenTransaction(executor);
      const result = await fn(tx);
      await tx.end();
      return result;
    });
  }

  async ping(): Promise<void> {
    await this.query("SELECT 1");
  }

  async close(): Promise<void> {
    await this.#core.promise().end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #with<T>(use: (executor: SqlExecutor) => Promise<T>): Promise<T> {
    const connection = await this.#acquire();
    try {
      const result = await use(new ConnectionExecutor(connection, this.#timeoutMs));
      connection.release();
      return result;
    } catch (thrown) {
      const error = sqlError(thrown);
      if (AiepError.is(error, "DEPENDENCY_UNAVAILABLE")) connection.destroy();
      else await rollBack(connection, this.#timeoutMs);
      throw error;
    }
  }

  async #acquire(): Promise<PoolConnection> {
    return await new Promise((resolve, reject) => {
      this.#core.getConnection((error, connection) => {
        if (error === null) resolve(connection);
        else reject(sqlError(error));
      });
    });
  }
}

/** P1. */
async function rollBack(connection: PoolConnection, timeout: number): Promise<void> {
  try {
    await run(connection, "ROLLBACK", timeout);
    connection.release();
  } catch {
    connection.destroy();
  }
}

class ConnectionExecutor implements SqlExecutor {
  readonly #connection: PoolConnection;
  readonly #timeout: number;

  constructor(connection: PoolConnection, timeout: number) {
    this.#connection = connection;
    this.#timeout = timeout;
  }

  async query<Row extends object>(statement: string | Sql, values: readonly SqlValue[] = []): Promise<Row[]> {
    return (await run(this.#connection, textOf(statement, values), this.#timeout)) as Row[]; // the caller's SELECT says so
  }

  async execute(statement: string | Sql, values: readonly SqlValue[] = []): Promise<SqlResult> {
    return (await run(this.#connection, textOf(statement, values), this.#timeout)) as SqlResult; // a ResultSetHeader has both members
  }

  async multi(statements: readonly (Sql | string)[]): Promise<readonly unknown[]> {
    if (statements.length === 0) return [];
    const texts = statements.map((statement) => textOf(statement, []));
    const results = await run(this.#connection, texts.join("; "), this.#timeout);
    return texts.length === 1 ? [results] : (results as unknown[]); // one result a statement
  }
}

class OpenTransaction implements SqlTransaction {
  readonly #executor: SqlExecutor;
  #state: "not begun" | "open" | "committed" = "not begun";

  constructor(executor: SqlExecutor) {
    this.#executor = executor;
  }

  async query<Row extends object>(statement: string | Sql, values: readonly SqlValue[] = []): Promise<Row[]> {
    const [rows] = await this.multi([textOf(statement, values)]);
    return rows as Row[]; // the caller's SELECT says so
  }

  async execute(statement: string | Sql, values: readonly SqlValue[] = []): Promise<SqlResult> {
    const [result] = await this.multi([textOf(statement, values)]);
    return result as SqlResult; // a ResultSetHeader has both members
  }

  async multi(statements: readonly (Sql | string)[]): Promise<readonly unknown[]> {
    if (statements.length === 0) return [];
    const begin = this.#state === "not begun" ? ["START TRANSACTION"] : [];
    const results = await this.#executor.multi([...begin, ...statements]);
    this.#state = "open";
    return results.slice(begin.length);
  }

  async commit(statements: readonly (Sql | string)[]): Promise<readonly unknown[]> {
    const results = await this.multi([...statements, "COMMIT"]);
    this.#state = "committed";
    return results.slice(0, -1);
  }

  async end(): Promise<void> {
    if (this.#state === "open") await this.commit([]);
  }
}

/** The driver's callbacks rather than its promises, which take a stack trace a statement. */
async function run(connection: PoolConnection, text: string, timeout: number): Promise<unknown> {
  return await new Promise((resolve, reject) => {
    connection.query({ sql: text, timeout }, (error, result) => {
      if (error === null) resolve(result);
      else reject(sqlError(error));
    });
  });
}

function textOf(statement: string | Sql, values: readonly SqlValue[]): string {
  if (typeof statement !== "string") return format(statement);
  return values.length === 0 ? statement : format(sql(statement, values));
}
