import { testDatabase } from "@aiep/dev-servers";
import { expect, it } from "vitest";
import { withDatabaseLock } from "./database-lock.ts";
import { createSqlPool } from "./pool.ts";

it("what runs under a database lock runs alone, and a failure gives the lock back", async () => {
  await using database = await testDatabase();
  await using one = createSqlPool({ url: database.url });
  await using two = createSqlPool({ url: database.url });
  const order: string[] = [];
  const begun = Promise.withResolvers<void>();
  const mayEnd = Promise.withResolvers<void>();

  const first = withDatabaseLock(one, "migrate", { waitSeconds: 10 }, async () => {
    begun.resolve();
    await mayEnd.promise;
    order.push("first");
    throw new Error("a migration that fails");
  });
  await begun.promise;
  await expect(withDatabaseLock(two, "migrate", { waitSeconds: 0 }, async () => "in")).rejects.toThrow(
    /another process/,
  );
  const second = withDatabaseLock(two, "migrate", { waitSeconds: 10 }, async () => order.push("second"));
  mayEnd.resolve();
  await expect(first).rejects.toThrow("a migration that fails");
  await second;
  expect(order).toEqual(["first", "second"]);
});
