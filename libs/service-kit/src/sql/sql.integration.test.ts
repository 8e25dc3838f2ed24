import { type Database, testDatabase } from "@aiep/dev-servers";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { LEASE_DDL, SERVICE_KIT_DDL } from "../outbox/ddl.ts";
import { CommitQueue } from "./commit-queue.ts";
import { DuplicateKeyError } from "./errors.ts";
import { createLease } from "./lease.ts";
import { createSqlPool, type SqlPool } from "./pool.ts";
import { fromJson, sql } from "./sql.ts";

const log = pino({ level: "silent" });

interface World extends AsyncDisposable {
  readonly database: Database;
  readonly pool: SqlPool;
}

async function world(ddl: readonly string[] = []): Promise<World> {
  const database = await testDatabase();
  const pool = createSqlPool({ url: database.url, connectionLimit: 4 });
  for (const statement of ddl) await pool.execute(statement);
  return {
    database,
    pool,
    [Symbol.asyncDispose]: async () => {
      await pool.close();
      await database.drop();
    },
  };
}

const NUMBERS =
  "CREATE TABLE numbers (id INT NOT NULL PRIMARY KEY, word VARCHAR(32) NULL, UNIQUE KEY word_key (word))";
const insert = (id: number, word: string | null = null) =>
  sql("INSERT INTO numbers VALUES (?, ?)", [id, word]);
const ids = async (pool: SqlPool) =>
  (await pool.query<{ id: number }>("SELECT id FROM numbers ORDER BY id")).map((row) => row.id);

describe("pool", () => {
  test("values come back as they went: Chinese, emoji, times in UTC, big numbers, JSON, binary", async () => {
    await using w = await world([
      "CREATE TABLE t (a VARCHAR(50), b DATETIME(3), c BIGINT, d DECIMAL(10,3), e JSON, f BLOB)",
    ]);
    const at = new Date("2026-11-21T10:00:00.123Z");
    await w.pool.execute("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", [
      "数字 \\ ' 🎉",
      at,
      9_007_199_254_740_991,
      1.5,
      '{"a":[1]}',
      new Uint8Array([0, 255]),
    ]);
    const [row] = await w.pool.query<Record<string, unknown>>("SELECT * FROM t");
    expect({ ...row, e: fromJson(row?.["e"]) }).toEqual({
      a: "数字 \\ ' 🎉",
      b: at,
      c: 9_007_199_254_740_991,
      d: 1.5,
      e: { a: [1] },
      f: Buffer.from([0, 255]),
    });
  });

  test("every connection of the pool is READ COMMITTED and in UTC", async () => {
    await using w = await world();
    const seen = await Promise.all(
      Array.from({ length: 4 }, () =>
        w.pool
          .query<{ isolation: string; zone: string }>(
            "SELECT SLEEP(0.05), @@transaction_isolation AS isolation, @@time_zone AS zone",
          )
          .catch(() =>
            w.pool.query<{ isolation: string; zone: string }>(
              "SELECT @@tx_isolation AS isolation, @@time_zone AS zone",
            ),
          ),
      ),
    );
    for (const [row] of seen) expect(row).toMatchObject({ isolation: "READ-COMMITTED", zone: "+00:00" });
  });

  test("a statement that fails in the middle of several leaves no transaction open on its connection", async () => {
    await using w = await world([NUMBERS]);
    await using single = createSqlPool({ url: w.database.url, connectionLimit: 1 });
    const failed = single.multi(["START TRANSACTION", insert(1), insert(1), "COMMIT"]);
    await expect(failed).rejects.toMatchObject({ name: "DuplicateKeyError", key: "PRIMARY" });
    await single.multi([insert(2)]);
    expect(await ids(w.pool)).toEqual([2]);
  });

  test("a transaction whose function throws is rolled back", async () => {
    await using w = await world([NUMBERS]);
    const failed = w.pool.transaction(async (tx) => {
      await tx.execute(insert(1));
      throw new RangeError("no");
    });
    await expect(failed).rejects.toThrow(RangeError);
    expect(await ids(w.pool)).toEqual([]);
  });

  test("a transaction that commits with its last statements is whole, or not at all, and leaves none open", async () => {
    await using w = await world([NUMBERS]);
    await using single = createSqlPool({ url: w.database.url, connectionLimit: 1 });
    const answers = await single.transaction(async (tx) => {
      const rows = await tx.query<{ n: number }>("SELECT COUNT(*) AS n FROM numbers");
      return [rows, await tx.commit([insert(1), insert(2)])];
    });
    expect(answers).toMatchObject([[{ n: 0 }], [{ affectedRows: 1 }, { affectedRows: 1 }]]);
    const failed = single.transaction(async (tx) => {
      await tx.execute(insert(3));
      await tx.commit([insert(4), insert(1)]);
    });
    await expect(failed).rejects.toThrow(DuplicateKeyError);
    await single.execute(insert(5));
    expect(await ids(w.pool)).toEqual([1, 2, 5]);
  });

  test("a server that is not there is DEPENDENCY_UNAVAILABLE, without address or password in the message", async () => {
    await using pool = createSqlPool({ url: "mysql://u:hidden@127.0.0.1:1/x" });
    await expect(pool.ping()).rejects.toMatchObject({ code: "DEPENDENCY_UNAVAILABLE" });
    await expect(pool.ping()).rejects.not.toThrow(/hidden|127\.0\.0\.1/);
  });

  test("an error tells key and column, but no value and no statement, whoever logs it", async () => {
    await using w = await world([NUMBERS, "INSERT INTO numbers VALUES (1, 'hush-1')"]);
    const failures = [
      w.pool.execute(insert(2, "hush-1")), // duplicate
      w.pool.execute("INSERT INTO numbers VALUES ('hush-2', 'hush-3')"), // not a number
      w.pool.execute("INSERT INTO numbers VALUES (3, ?)", [`hush-4 ${"x".repeat(40)}`]), // too long
      w.pool.multi(["SELECT 1", "INSERT numbers hush-5 'hush-6'"]), // no SQL
      w.pool.execute("INSERT INTO nowhere VALUES ('hush-7')"),
    ];
    const lines: string[] = [];
    const logger = pino({}, { write: (line) => void lines.push(line) });
    for (const failure of await Promise.allSettled(failures)) {
      expect(failure.status).toBe("rejected");
      if (failure.status === "rejected") logger.error({ err: failure.reason }, "failed");
    }
    const text = lines.join("");
    expect(lines).toHaveLength(5);
    for (const name of ["word_key", "id", "word", "nowhere"]) expect(text).toContain(name);
    expect(text).not.toContain("hush");
  });

  test("a statement that hangs is given up with its connection, and the pool goes on", async () => {
    await using w = await world();
    await using pool = createSqlPool({ url: w.database.url, connectionLimit: 1, statementTimeoutMs: 200 });
    await expect(pool.query("SELECT SLEEP(5)")).rejects.toMatchObject({ code: "DEPENDENCY_UNAVAILABLE" });
    await pool.ping();
  });
});

describe("commit queue", () => {
  test("units given together are committed together, in one round trip", async () => {
    await using w = await world([NUMBERS]);
    let commits = 0;
    const queue = new CommitQueue({ pool: w.pool, onCommitted: () => (commits += 1) });
    await Promise.all(Array.from({ length: 50 }, (_, id) => queue.commit({ statements: [insert(id)] })));
    expect(commits).toBe(1);
    expect(await ids(w.pool)).toHaveLength(50);
  });

  test("a unit larger than a packet of the server is committed whole, or not at all", async () => {
    await using w = await world(["CREATE TABLE large (id INT PRIMARY KEY, body LONGTEXT) ENGINE=InnoDB"]);
    const queue = new CommitQueue({ pool: w.pool });
    const body = "x".repeat(1_500_000);
    const row = (id: number) => sql("INSERT INTO large VALUES (?, ?)", [id, body]);
    const unit = (from: number) => ({ statements: Array.from({ length: 14 }, (_, at) => row(from + at)) });
    await queue.commit(unit(0));
    await expect(queue.commit(unit(-13))).rejects.toThrow(DuplicateKeyError);
    expect(await w.pool.query("SELECT MIN(id) AS least, COUNT(*) AS n FROM large")).toEqual([
      { least: 0, n: 14 },
    ]);
  });

  test("tells how many units wait, and how many shared a commit", async () => {
    await using w = await world([NUMBERS]);
    const queue = new CommitQueue({ pool: w.pool, maxInFlight: 1 });
    const given = [1, 2, 3].map(async (id) => await queue.commit({ statements: [insert(id)] }));
    expect(queue.figures).toEqual({ waiting: 3, commits: 0, units: 0 });
    await Promise.all(given);
    expect(queue.figures).toEqual({ waiting: 0, commits: 1, units: 3 });
  });

  test("a transaction beside the queue is told like a commit; closing waits for it and lets none begin", async () => {
    await using w = await world([NUMBERS]);
    let told = 0;
    const queue = new CommitQueue({ pool: w.pool, onCommitted: () => (told += 1) });
    await expect(
      queue.transaction(async (tx) => {
        await tx.execute(insert(1));
        throw new Error("thought better of it");
      }),
    ).rejects.toThrow("thought better of it");
    const { promise: goOn, resolve } = Promise.withResolvers<void>();
    const open = queue.transaction(async (tx) => {
      await tx.execute(insert(2));
      await goOn;
      return "done";
    });
    let closed = false;
    const closing = queue.close().then(() => (closed = true));
    await expect(queue.transaction(async () => await Promise.resolve())).rejects.toMatchObject({
      code: "SHUTTING_DOWN",
    });
    expect(closed).toBe(false);
    resolve();
    expect(await open).toBe("done");
    await closing;
    expect([told, await ids(w.pool)]).toEqual([1, [2]]);
  });

  test("one poison unit fails alone, with the key that said no; the others are committed (I12)", async () => {
    await using w = await world([NUMBERS, "INSERT INTO numbers VALUES (100, 'taken')"]);
    const queue = new CommitQueue({ pool: w.pool });
    const units = Array.from({ length: 10 }, (_, id) => insert(id, id === 5 ? "taken" : null));
    const results = await Promise.allSettled(units.map((unit) => queue.commit({ statements: [unit] })));
    expect(results.map((result) => result.status === "fulfilled")).toEqual(
      Array.from({ length: 10 }, (_, id) => id !== 5),
    );
    expect(results[5]).toMatchObject({ reason: expect.any(DuplicateKeyError) });
    expect(results[5]).toMatchObject({ reason: { key: "word_key" } });
    expect(await ids(w.pool)).toEqual([0, 1, 2, 3, 4, 6, 7, 8, 9, 100]);
  });

  test("a unit is whole or not at all", async () => {
    await using w = await world([NUMBERS]);
    const queue = new CommitQueue({ pool: w.pool });
    const [broken, fine] = await Promise.allSettled([
      queue.commit({ statements: [insert(1), insert(2), insert(1)] }),
      queue.commit({ statements: [insert(3)] }),
    ]);
    expect([broken?.status, fine?.status]).toEqual(["rejected", "fulfilled"]);
    expect(await ids(w.pool)).toEqual([3]);
  });

  test("units of one key commit in the order given, also when batches run side by side", async () => {
    await using w = await world(["CREATE TABLE steps (seq INT AUTO_INCREMENT PRIMARY KEY, k INT, n INT)"]);
    const queue = new CommitQueue({ pool: w.pool, maxUnits: 3, maxInFlight: 3 });
    const commits: Promise<void>[] = [];
    for (let n = 0; n < 40; n += 1) {
      for (let k = 0; k < 3; k += 1) {
        const statements = [sql("INSERT INTO steps (k, n) VALUES (?, ?)", [k, n])];
        commits.push(queue.commit({ key: `k${k}`, statements }));
      }
    }
    await Promise.all(commits);
    for (let k = 0; k < 3; k += 1) {
      const rows = await w.pool.query<{ n: number }>("SELECT n FROM steps WHERE k = ? ORDER BY seq", [k]);
      expect(rows.map((row) => row.n)).toEqual(Array.from({ length: 40 }, (_, n) => n));
    }
  });

  test("closing waits for what was accepted and refuses what comes later", async () => {
    await using w = await world([NUMBERS]);
    const queue = new CommitQueue({ pool: w.pool });
    const accepted = queue.commit({ statements: [insert(1)] });
    await queue.close();
    await accepted;
    await expect(queue.commit({ statements: [insert(2)] })).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
    expect(await ids(w.pool)).toEqual([1]);
  });

  test("transactions that deadlock with another one are repeated until they succeed", async () => {
    await using w = await world([NUMBERS, "INSERT INTO numbers VALUES (1, NULL), (2, NULL)"]);
    const queues = [new CommitQueue({ pool: w.pool }), new CommitQueue({ pool: w.pool })];
    const touch = (id: number) =>
      sql("UPDATE numbers SET word = CONCAT(?, UUID_SHORT()) WHERE id = ?", [`${id}-`, id]);
    const rounds = Array.from({ length: 30 }, async (_, round) => {
      const order = round % 2 === 0 ? [touch(1), touch(2)] : [touch(2), touch(1)];
      await queues[round % 2]?.commit({ statements: order });
    });
    await Promise.all(rounds);
  });
});

describe("lease", () => {
  test("one holder at a time; the next one has a larger epoch", async () => {
    await using w = await world([LEASE_DDL]);
    const lease = () => createLease({ pool: w.pool, name: "x", log, ttlMs: 1_000 });
    const forever = new AbortController().signal;
    const first = await lease().acquire(forever);
    const waiting = lease().acquire(forever);
    const early = await Promise.race([
      waiting,
      new Promise((resolve) => setTimeout(() => resolve("none"), 300)),
    ]);
    expect(early).toBe("none");
    await first.release();
    await using second = await waiting;
    expect(second.epoch).toBeGreaterThan(first.epoch);
    expect(first.lost.aborted).toBe(true);
  });

  test("a holder whose row was taken notices that it lost", async () => {
    await using w = await world([LEASE_DDL]);
    await using grant = await createLease({ pool: w.pool, name: "x", log, ttlMs: 600 }).acquire(
      new AbortController().signal,
    );
    const lost = new Promise<void>((resolve) => grant.lost.addEventListener("abort", () => resolve()));
    await w.pool.execute("UPDATE lease SET holder = 'other', epoch = epoch + 1");
    await lost;
  });
});

test("the tables of the kit can be created on this server", async () => {
  await using w = await world(SERVICE_KIT_DDL);
  const rows = await w.pool.query("SHOW TABLES");
  expect(rows).toHaveLength(SERVICE_KIT_DDL.length);
});
