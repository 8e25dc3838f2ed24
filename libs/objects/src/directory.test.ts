import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { openDirectoryStore } from "./directory.ts";

/** Above every process number Linux gives. */
const NOBODY = 4_194_305;

it("I10: what a killed writer left half written goes when the store is opened again; a living one's stays", async () => {
  const root = await mkdtemp(join(tmpdir(), "aiep-objects-"));
  onTestFinished(() => rm(root, { recursive: true }));
  const incoming = join(root, ".incoming");
  await mkdir(incoming);
  const leave = async (name: string) => await writeFile(join(incoming, name), "half");
  await leave(`${hostname()},${NOBODY},a.tmp`);
  await leave(`${hostname()},${process.pid},b.tmp`);
  await leave(`${hostname()},${process.ppid},living.tmp`);
  await leave("elsewhere,1,young.tmp");
  await leave("elsewhere,1,old.tmp");
  const hoursAgo = new Date(Date.now() - 2 * 3_600_000);
  await utimes(join(incoming, "elsewhere,1,old.tmp"), hoursAgo, hoursAgo);

  await using store = await openDirectoryStore(root);

  expect((await readdir(incoming)).sort()).toEqual(
    [`${hostname()},${process.ppid},living.tmp`, "elsewhere,1,young.tmp"].sort(),
  );
  await store.put("g/t/1.zst", Buffer.from("whole"));
  expect(await readdir(incoming)).toHaveLength(2);
  expect((await store.get("g/t/1.zst")).toString()).toBe("whole");
});
