/** A migrated workflow-svc database of its own, with its stores. */
import { testDatabase } from "@aiep/dev-servers";
import { CommitQueue, createSqlPool, type SqlPool } from "@aiep/service-kit";
import { migrate } from "../store/migrate.ts";
import { createOwnedRuns, type OwnedRuns } from "../store/owned-runs.ts";
import { createRunRemoval, type RunRemoval } from "../store/run-removal.ts";
import type { RunStore } from "../store/run-store.ts";
import { createRunStore } from "../store/sql-run-store.ts";

export interface StoreFixture extends AsyncDisposable {
  readonly url: string;
  readonly pool: SqlPool;
  readonly commits: CommitQueue;
  readonly store: RunStore;
  readonly owned: OwnedRuns;
  readonly removal: RunRemoval;
}

export async function openTestStore(): Promise<StoreFixture> {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await testDatabase());
  const pool = opened.use(createSqlPool({ url: database.url, connectionLimit: 4 }));
  await migrate(database.url, pool);
  const commits = opened.adopt(new CommitQueue({ pool }), async (each) => await each.close());
  const deps = { pool, commits, address: { env: "test", source: "/aiep/workflow-svc" } };
  const stack = opened.move();
  return {
    url: database.url,
    pool,
    commits,
    store: createRunStore(deps),
    owned: createOwnedRuns(deps),
    removal: createRunRemoval(deps),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
