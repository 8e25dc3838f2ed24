import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startDatabase } from "./database.ts";
import { withConnection } from "./database-client.ts";
import { PortTakenError } from "./errors.ts";
import { freePort } from "./port.ts";

async function query(url: string, sql: string): Promise<unknown> {
  return await withConnection(url, async (connection) => (await connection.query(sql))[0]);
}

test("committed rows survive kill -9 and a restart on the same port", async () => {
  await using server = await startDatabase();
  const { url } = await server.createDatabase();
  await query(url, "CREATE TABLE t (id INT PRIMARY KEY)");
  await query(url, "INSERT INTO t VALUES (7)");
  await server.kill9();
  await server.restart();
  expect(await query(url, "SELECT id FROM t")).toEqual([{ id: 7 }]);
});

test("texts are UTF-8, compared binary, and the server's time is UTC", async () => {
  await using server = await startDatabase();
  const { url } = await server.createDatabase();
  await query(url, "CREATE TABLE t (name VARCHAR(20) PRIMARY KEY)");
  await query(url, "INSERT INTO t VALUES ('abc'), ('ABC'), ('容器任务')");
  expect(await query(url, "SELECT COUNT(*) AS n FROM t WHERE name IN ('abc', '容器任务')")).toEqual([
    { n: 2 },
  ]);
  expect(await query(url, "SELECT TIMEDIFF(NOW(), UTC_TIMESTAMP()) AS d")).toEqual([{ d: "00:00:00" }]);
});

test("an account of a database sees no other database, and root's password is asked for", async () => {
  await using server = await startDatabase({ rootPassword: "root-secret" });
  const own = await server.createDatabase("a_b", { user: "svc", password: "secret" });
  await server.createDatabase("aXb");
  expect(new URL(own.url).username).toBe("svc");
  const databases = await query(own.url, "SHOW DATABASES");
  expect(JSON.stringify(databases)).toContain("a_b");
  expect(JSON.stringify(databases)).not.toContain("aXb"); // an unescaped _ in a grant matches any character
  const withoutPassword = new URL(server.url);
  withoutPassword.password = "";
  await expect(query(withoutPassword.href, "SELECT 1")).rejects.toThrow(/denied/);
});

test("a paused server accepts connections and answers nothing until it is resumed", async () => {
  await using server = await startDatabase();
  const { url } = await server.createDatabase();
  await server.pause();
  const answer = query(url, "SELECT 1 AS one");
  let answered = false;
  void answer.then(() => {
    answered = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(answered).toBe(false);
  await server.resume();
  expect(await answer).toEqual([{ one: 1 }]);
});

test("a given folder keeps its data from one server to the next, with a new root password", async () => {
  const dir = await mkdtemp(join(tmpdir(), "aiep-test-"));
  try {
    {
      await using first = await startDatabase({ dir, rootPassword: "one" });
      await first.createDatabase("kept");
    }
    await using second = await startDatabase({ dir, rootPassword: "two" });
    expect(JSON.stringify(await query(second.url, "SHOW DATABASES"))).toContain("kept");
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test("a port that is taken is named in the error", async () => {
  const port = await freePort();
  const squatter = createServer();
  await new Promise<void>((resolve) => squatter.listen(port, "127.0.0.1", resolve));
  try {
    await expect(startDatabase({ port })).rejects.toBeInstanceOf(PortTakenError);
  } finally {
    await new Promise((resolve) => squatter.close(resolve));
  }
});
