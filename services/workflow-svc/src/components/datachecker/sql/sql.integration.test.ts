/** The check against a real server over the MySQL protocol. */
import { testDatabase } from "@aiep/dev-servers";
import { createSqlPool, type SqlPool } from "@aiep/service-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ManifestObject, Outcome, Waiting } from "../../component.ts";
import { contextOf } from "../../testing/context.ts";
import { createDataChecker } from "../component.ts";
import { MAX_FAILURES } from "../words.ts";

let database: Awaited<ReturnType<typeof testDatabase>>;
let pool: SqlPool;
let schema: string;
beforeAll(async () => {
  database = await testDatabase();
  pool = createSqlPool({ url: database.url, connectionLimit: 2 });
  schema = new URL(database.url).pathname.slice(1);
  await pool.execute("CREATE TABLE orders (id INT, ds CHAR(8), ph CHAR(2))");
  await pool.execute("CREATE TABLE customers (id INT)");
  await pool.execute("CREATE TABLE numbers (DS INT)");
  await pool.execute("INSERT INTO orders VALUES (1, '20260228', '05'), (2, '20260301', '05')");
  await pool.execute("INSERT INTO numbers VALUES (20260228), (20260301)");
});
afterAll(async () => {
  await pool?.close();
  await database?.[Symbol.asyncDispose]();
});

function node(objects: string[], settings: ManifestObject = {}, source: Pick<SqlPool, "query"> = pool) {
  const clock = { ahead: 0 };
  const component = createDataChecker({
    linkis: undefined,
    sqlSources: new Map([["warehouse", { pool: source, partitionColumn: "ds", groups: ["g1"] }]]),
    now: () => Date.now() + clock.ahead,
  });
  const data_setting = { database_table_objects: objects, sql_source: "warehouse", ...settings };
  const context = contextOf({ data_setting });
  const signal = new AbortController().signal;
  return {
    clock,
    start: async () => await component.start(context, signal),
    ask: async (at: Waiting | Outcome) => {
      if (at.kind !== "waiting") throw new Error(`it ended: ${at.kind}`);
      return await component.status(context, JSON.parse(JSON.stringify(at.handle)), signal);
    },
  };
}

describe("a check by SQL", () => {
  it("finds tables with rows, partitions of any depth, and the newest one of a bare name", async () => {
    const names = [
      `${schema}.orders{ds=20260301}`,
      `${schema}.orders{ds=20260228/ph=05}`,
      `${schema}.orders`,
      `${schema}.numbers{ds=20260301}`,
    ];
    expect(await node(names).start()).toMatchObject({
      kind: "succeeded",
      outputs: { objects: names, source: "warehouse", rows_checked: true },
      message: expect.stringContaining(`${schema}.orders (newest: ds=20260301)`),
    });
  });

  it("names each object that is missing, with the reason, until all are there in one look", async () => {
    const checked = node([
      `${schema}.orders{ds=20260302}`,
      `${schema}.customers`,
      `${schema}.later`,
      `${schema}.orders`,
    ]);
    const first = await checked.start();
    expect(first).toMatchObject({
      kind: "waiting",
      checkAfterSeconds: 30,
      message: `Not there yet: ${schema}.orders{ds=20260302} (no rows), ${schema}.customers (no rows), ${schema}.later (no such table); 1 of 4 is there.`,
    });
    await pool.execute("CREATE TABLE later (x INT)");
    await pool.execute("INSERT INTO later VALUES (1)");
    await pool.execute("INSERT INTO orders VALUES (3, '20260302', '00')");
    const second = await checked.ask(first);
    expect(second).toMatchObject({
      message: `Not there yet: ${schema}.customers (no rows); 3 of 4 are there.`,
    });
    await pool.execute("INSERT INTO customers VALUES (1)");
    expect(await checked.ask(second)).toMatchObject({ kind: "succeeded" });
  });

  it("looks once more when the time is up, and then fails with what is missing", async () => {
    const checked = node([`${schema}.never`], { check_timeout: 3600, check_interval_seconds: 60 });
    const at = await checked.start();
    expect(at).toMatchObject({ checkAfterSeconds: 60 });
    checked.clock.ahead = 3_599_000;
    expect(await checked.ask(at)).toMatchObject({ kind: "waiting" });
    checked.clock.ahead = 3_600_001;
    expect(await checked.ask(at)).toEqual({
      kind: "failed",
      failure: "timeout",
      reason: "DataNotThere",
      message: `Not there within 1 hour: ${schema}.never (no such table).`,
    });
    await pool.execute("CREATE TABLE never AS SELECT 1 AS x");
    expect(await checked.ask(at)).toMatchObject({ kind: "succeeded" });
  });

  it("fails at once for a partition that the table can never have", async () => {
    expect(await node([`${schema}.customers{ds=20260301}`]).start()).toMatchObject({
      failure: "user",
      reason: "ObjectWrong",
      message: expect.stringContaining("it has no column ds"),
    });
  });

  it("takes values as values", async () => {
    const value = "1' OR '1'='1".replaceAll("'", "").replaceAll(" ", "");
    expect(await node([`${schema}.orders{ds=${value}}`]).start()).toMatchObject({
      kind: "waiting",
      message: expect.stringContaining("(no rows)"),
    });
  });
});

describe("a source in trouble", () => {
  it("is asked again, and given up after too many failures in a row; no statement or password is told", async () => {
    const url = new URL(database.url);
    url.password = "not-the-password";
    await using wrong = createSqlPool({ url: url.href, connectionLimit: 1 });
    const checked = node([`${schema}.orders`], {}, wrong);
    let at = await checked.start();
    for (let failure = 1; failure < MAX_FAILURES; failure += 1) at = await checked.ask(at);
    expect(at).toMatchObject({
      kind: "waiting",
      message: expect.stringMatching(/warehouse cannot be asked \(\w+\)\. It is asked again/),
    });
    const end = await checked.ask(at);
    expect(end).toMatchObject({ failure: "system", reason: "SqlSourceUnreachable" });
    expect(JSON.stringify([at, end])).not.toMatch(/not-the-password|SELECT/);
  });

  it("that nobody configured is refused with those that are", async () => {
    expect(await node([`${schema}.orders`], { sql_source: "lake" }).start()).toMatchObject({
      failure: "validation",
      message: "There is no SQL source lake for this group; there is warehouse.",
    });
  });

  it("of another group is none of this one's", async () => {
    const component = createDataChecker({
      linkis: undefined,
      sqlSources: new Map([["theirs", { pool, partitionColumn: "ds", groups: ["g2"] }]]),
      now: Date.now,
    });
    const data_setting = { database_table_objects: [`${schema}.orders`], sql_source: "theirs" };
    expect(await component.start(contextOf({ data_setting }), new AbortController().signal)).toMatchObject({
      reason: "UnknownSqlSource",
      message: "There is no SQL source theirs for this group; none is configured.",
    });
  });

  it("Linkis that nobody configured is refused, too", async () => {
    expect(await node(["a.b"], { sql_source: undefined as never }).start()).toMatchObject({
      reason: "NoLinkis",
    });
  });
});
