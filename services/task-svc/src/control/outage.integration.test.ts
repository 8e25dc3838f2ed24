import { startDatabase, waitFor } from "@aiep/dev-servers";
import { CommitQueue, createLease, createLogger, createSqlPool, NO_FAILPOINTS } from "@aiep/service-kit";
import { expect, it } from "vitest";
import { createTask } from "../domain/life-cycle.ts";
import { migrate } from "../store/migrate.ts";
import { openOrm } from "../store/orm.ts";
import { createTaskStore } from "../store/sql-task-store.ts";
import { MemoryRuntime, World } from "../testing/memory-runtime.ts";
import { factsOf, TASK_FILE } from "../testing/tasks.ts";
import { createController } from "./controller.ts";
import { createTaskNotifier } from "./notifier.ts";

it("I1, I4: with the database killed under it, the controller takes over what happened meanwhile once it is back", async () => {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startDatabase());
  const { url } = await server.createDatabase("outage");
  const log = createLogger({ service: "task-svc", level: "silent" });
  const pool = stack.use(createSqlPool({ url }));
  const orm = stack.adopt(await openOrm(url), async (each) => await each.close(true));
  await migrate(orm, pool);
  const notifier = createTaskNotifier();
  const store = createTaskStore({
    orm,
    pool,
    commits: new CommitQueue({ pool }),
    address: { env: "test", source: "/aiep/task-svc" },
    committed: (change) => notifier.changed(change),
  });
  const world = new World();
  const controller = stack.use(
    createController({
      store,
      runtime: new MemoryRuntime(world),
      notifier,
      lease: createLease({ pool, name: "controller", log, ttlMs: 500 }),
      quotaOf: () => ({ cpu: 100, memoryGb: 100, gpu: 0 }),
      onQuotaChange: () => () => undefined,
      failpoints: NO_FAILPOINTS,
      log,
    }),
  );
  controller.start();
  const submit = async () => {
    const change = createTask(factsOf({ createdAt: new Date() }), { envNames: [] });
    await store.insert(change, { taskConfig: TASK_FILE, setEnvs: {}, warnings: [] });
    return change.task.facts.id;
  };
  const state = async (id: Awaited<ReturnType<typeof submit>>) => (await store.task(id))?.state;
  const [ending, lasting] = [await submit(), await submit()];
  for (const id of [ending, lasting]) await waitFor("it runs", async () => (await state(id)) === "Running");

  await server.kill9();
  world.end(ending, 4);
  await waitFor("the lease is lost", () => !controller.active);
  await server.start();

  await waitFor("the result is taken over", async () => (await state(ending)) === "Failed", {
    timeoutMs: 30_000,
  });
  expect(await state(lasting)).toBe("Running");
  const later = await submit();
  await waitFor("new tasks run", async () => (await state(later)) === "Running");
  expect(new Set(world.created).size).toBe(3);
  const versions = (await store.history(ending, 0, 100)).map((entry) => entry.version);
  expect(versions).toEqual(versions.map((_, index) => index + 1));
});
