import { loadConfig } from "./config.ts";
import { type DatabaseServer, startDatabase } from "./database.ts";
import { createDatabaseWith, type Database } from "./database-client.ts";
import { DevServerError } from "./errors.ts";

/*
 * One database server for a whole test run. Vitest's main process calls setUpTestDatabase (global-setup.ts) before the
 * first integration file and the function it returns after the last; the files find the server through an environment
 * variable that their worker processes inherit. Every project of the run has its own setup, so users are counted.
 * Should the main process be killed, the server dies with it (P1 in server-process.ts).
 */

const variable = "AIEP_TEST_DATABASE_URL";

/** A fresh, empty database on the run's shared server; dropped when disposed. */
export async function testDatabase(): Promise<Database> {
  const { testDatabaseUrl } = loadConfig();
  if (testDatabaseUrl === undefined)
    throw new DevServerError(
      "no_test_database",
      `${variable} is not set: run the test through vitest, as *.integration.test.ts`,
    );
  return await createDatabaseWith(testDatabaseUrl, "%");
}

interface Shared {
  readonly server: Promise<DatabaseServer>;
  users: number;
}

// Each project loads its own copy of this module into the one main process; the symbol is what the copies share.
const key = Symbol.for("aiep.dev-servers.shared-database");
const registry = globalThis as typeof globalThis & { [key]?: Shared | undefined };

/** Starts the shared server unless there is one; returns what to call when the caller needs it no more. */
export async function setUpTestDatabase(): Promise<() => Promise<void>> {
  if (registry[key] === undefined && loadConfig().testDatabaseUrl !== undefined) return async () => {};
  registry[key] ??= { server: startDatabase({ bufferPoolMb: 128 }), users: 0 };
  const shared = registry[key];
  shared.users += 1;
  const server = await shared.server;
  process.env[variable] = server.url;
  return async () => {
    shared.users -= 1;
    if (shared.users > 0) return;
    delete process.env[variable];
    registry[key] = undefined;
    await server[Symbol.asyncDispose]();
  };
}
