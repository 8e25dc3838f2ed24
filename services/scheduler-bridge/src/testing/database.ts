/** A migrated scheduler-bridge database of its own, with a commit queue and the stores every room shares. */
import { testDatabase } from "@aiep/dev-servers";
import { CommitQueue, createSqlPool, type SqlPool } from "@aiep/service-kit";
import { Experiments } from "../store/experiments.ts";
import { FireStore } from "../store/fire-store.ts";
import { migrate } from "../store/migrate.ts";

export interface TestStore extends AsyncDisposable {
  readonly url: string;
  readonly pool: SqlPool;
  readonly commits: CommitQueue;
  readonly fires: FireStore;
  readonly experiments: Experiments;
  readonly address: { readonly env: string; readonly source: string };
}

export async function openTestStore(): Promise<TestStore> {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await testDatabase());
  const pool = opened.use(createSqlPool({ url: database.url, connectionLimit: 6 }));
  await migrate(database.url, pool);
  const commits = opened.adopt(new CommitQueue({ pool }), async (each) => await each.close());
  const address = { env: "test", source: "/aiep/scheduler-bridge" };
  const stack = opened.move();
  return {
    url: database.url,
    pool,
    commits,
    fires: new FireStore({ pool, commits, address }),
    experiments: new Experiments(pool),
    address,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
