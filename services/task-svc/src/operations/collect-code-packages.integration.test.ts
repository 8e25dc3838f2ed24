import { createHash, randomUUID } from "node:crypto";
import { mkdtemp, readdir, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { codePackageId, groupId } from "@aiep/contracts";
import { randomHex } from "@aiep/service-kit";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { DEFAULT_CODE_PACKAGE_LIMITS } from "../code-packages/limits.ts";
import { type CodePackageFiles, openCodePackageFiles } from "../code-packages/package-files.ts";
import { zip } from "../code-packages/testing/zip.ts";
import { createTask, markDeleted, requestStop } from "../domain/life-cycle.ts";
import { createCodePackageRows } from "../store/code-package-rows.ts";
import type { CodePackage } from "../store/task-store.ts";
import { openTestStore, type StoreFixture } from "../testing/database.ts";
import { factsOf, TASK_FILE } from "../testing/tasks.ts";
import { type CollectDeps, collectCodePackages } from "./collect-code-packages.ts";

const DAY_MS = 86_400_000;
const START = new Date("2026-01-01T00:00:00.000Z");
const days = (count: number) => new Date(START.getTime() + count * DAY_MS);

let fixture: StoreFixture;
let dir: string;
let files: CodePackageFiles;

beforeAll(async () => {
  fixture = await openTestStore();
});
afterAll(async () => await fixture?.[Symbol.asyncDispose]());

beforeEach(async () => {
  await fixture.pool.execute("DELETE FROM code_packages", []);
  dir = await mkdtemp(join(tmpdir(), "aiep-collect-"));
  files = await openCodePackageFiles(dir, DEFAULT_CODE_PACKAGE_LIMITS);
  return async () => await rm(dir, { recursive: true, force: true });
});

/** A package uploaded on this day: file and row. */
async function uploaded(on: Date, content: string = randomUUID(), group = "g1"): Promise<CodePackage> {
  const bytes = zip([{ name: "main.py", content }]);
  const received = await files.receive(
    (async function* () {
      yield bytes;
    })(),
  );
  expect(received.sha256).toBe(createHash("sha256").update(bytes).digest("hex"));
  await utimes(files.pathOf(received.sha256), on, on);
  return await fixture.store.insertCodePackage({
    ...received,
    id: codePackageId.parse(randomHex(16)),
    groupId: groupId.parse(group),
    createdBy: "alice",
    createdAt: on,
  });
}

async function collect(at: Date, change: Partial<CollectDeps> = {}): Promise<void> {
  const deps = {
    rows: createCodePackageRows(fixture.pool),
    files,
    keepMs: 7 * DAY_MS,
    clock: () => at,
    log: { info: () => undefined },
    ...change,
  };
  await collectCodePackages(deps, new AbortController().signal);
}

async function left(): Promise<{ rows: number; files: string[] }> {
  const [row] = await fixture.pool.query<{ n: number }>("SELECT COUNT(*) AS n FROM code_packages");
  return { rows: row?.n ?? 0, files: (await readdir(dir)).filter((name) => name !== "incoming").sort() };
}

const filesOf = (...packages: CodePackage[]) => packages.map(({ sha256 }) => `${sha256}.zip`).sort();

describe("code packages nobody needs any more", () => {
  it("go with row and file when they are old; younger ones stay", async () => {
    await uploaded(days(0));
    const young = await uploaded(days(4));
    await collect(days(8));
    expect(await left()).toEqual({ rows: 1, files: filesOf(young) });
  });

  it("stay while a task that is not deleted uses them, and go after its deletion", async () => {
    const used = await uploaded(days(0));
    const created = createTask(factsOf({ codePackageId: used.id }), { envNames: [] });
    await fixture.store.insert(created, { taskConfig: TASK_FILE, setEnvs: {}, warnings: [] });
    await collect(days(400));
    expect(await left()).toEqual({ rows: 1, files: filesOf(used) });

    const stopped = requestStop(created.task, { by: "alice" }, days(1));
    if (stopped === null) throw new Error("expected a change");
    await fixture.store.save(stopped);
    const deleted = markDeleted(stopped.task, "alice", days(2));
    if (deleted === null) throw new Error("expected a change");
    await fixture.store.save(deleted);
    await collect(days(400));
    expect(await left()).toEqual({ rows: 0, files: [] });
  });

  it("are renewed by a look-up and by another upload, which keeps the id", async () => {
    const asked = await uploaded(days(0));
    const again = await uploaded(days(0), "the same");
    expect(await fixture.store.useCodePackage(asked.id, days(6))).toEqual(asked);
    expect(await uploaded(days(6), "the same")).toEqual(again);
    await collect(days(12));
    expect(await left()).toEqual({ rows: 2, files: filesOf(asked, again) });
    await collect(days(14));
    expect(await left()).toEqual({ rows: 0, files: [] });
  });

  it("leave the file to the other groups that have the same content", async () => {
    await uploaded(days(0), "shared", "g1");
    const others = await uploaded(days(4), "shared", "g2");
    await utimes(files.pathOf(others.sha256), days(0), days(0));
    await collect(days(8));
    expect(await left()).toEqual({ rows: 1, files: filesOf(others) });
  });

  it("N1: are not taken from somebody who asks for one at that moment", async () => {
    const wanted = await uploaded(days(0));
    const rows = createCodePackageRows(fixture.pool);
    const unused: typeof rows.unused = async (before, limit) => {
      const found = await rows.unused(before, limit);
      await fixture.store.useCodePackage(wanted.id, days(8));
      return found;
    };
    await collect(days(8), { rows: { ...rows, unused } });
    expect(await left()).toEqual({ rows: 1, files: filesOf(wanted) });
  });

  it("N2, N3: old files without a row go, young ones stay", async () => {
    await uploaded(days(0));
    const arriving = await uploaded(days(4));
    await fixture.pool.execute("DELETE FROM code_packages", []);
    await collect(days(8));
    expect(await left()).toEqual({ rows: 0, files: filesOf(arriving) });
  });
});
