import type { Sql, SqlValue } from "./sql.ts";

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
  multi(statements: readonly Sql[]): Promise<readonly unknown[]>;
}

export interface SqlPool extends SqlExecutor, AsyncDisposable {
  /** START TRANSACTION … COMMIT on one connection; rolled back when `fn` throws. Never repeated by itself. */
  transaction<T>(fn: (tx: SqlExecutor) => Promise<T>): Promise<T>;
  ping(): Promise<void>;
  close(): Promise<void>;
}

export function createSqlPool(_options: SqlPoolOptions): SqlPool {
  throw new Error("pending");
}
