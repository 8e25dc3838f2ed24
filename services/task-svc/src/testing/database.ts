/** A migrated task-svc database of its own, with a store on it. */
import { testDatabase } from "@aiep/dev-servers";
import { CommitQueue, createSqlPool, type SqlPool } from "@aiep/service-kit";
import { migrate } from "../store/migrate.ts";
import { type Orm, openOrm } from "../store/orm.ts";
import { createTaskStore } from "../store/sql-task-store.ts";
import type { CommittedListener, TaskStore } from "../store/task-store.ts";

export interface StoreFixture extends AsyncDisposable {
  readonly url: string;
  readonly orm: Orm;
  readonly pool: SqlPool;
  readonly commits: CommitQueue;
  readonly store: TaskStore;
}

export async function openTestStore(committed: CommittedListener = () => undefined): Promise<StoreFixture> {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await testDatabase());
  const pool = opened.use(createSqlPool({ url: database.url, connectionLimit: 4 }));
  const orm = opened.adopt(await openOrm(database.url), async (each) => await each.close());
  await migrate(orm, pool);
  const commits = opened.adopt(new CommitQueue({ pool }), async (each) => await each.close());
  const store = createTaskStore({
    orm,
    pool,
    commits,
    address: { env: "test", source: "/aiep/task-svc" },
    committed,
  });
  const stack = opened.move();
  return { url: database.url, orm, pool, commits, store, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
