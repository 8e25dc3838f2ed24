import { createConnection } from "mysql2/promise";
import { expect, test } from "vitest";
import { testDatabase } from "./shared-database.ts";

test("two test databases on the shared server are apart, and gone after use", async () => {
  await using first = await testDatabase();
  const connection = await createConnection({ uri: first.url });
  await using _ = { [Symbol.asyncDispose]: async () => await connection.end() };
  {
    await using second = await testDatabase();
    expect(second.name).not.toBe(first.name);
    await connection.query("CREATE TABLE t (id INT)");
    const [tables] = await connection.query(`SHOW TABLES FROM ${second.name}`);
    expect(tables).toEqual([]);
  }
  const [databases] = await connection.query("SHOW DATABASES LIKE 't\\_%'");
  expect(JSON.stringify(databases)).toContain(first.name);
});
