import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { DEFAULT_CODE_PACKAGE_LIMITS } from "./limits.ts";
import { openCodePackageFiles } from "./package-files.ts";
import { zip } from "./testing/zip.ts";

async function sandbox() {
  const dir = await mkdtemp(join(tmpdir(), "aiep-packages-"));
  return {
    dir,
    files: async () => (await readdir(dir, { recursive: true })).filter((name) => name !== "incoming"),
    [Symbol.asyncDispose]: async () => await rm(dir, { recursive: true, force: true }),
  };
}

const limits = { ...DEFAULT_CODE_PACKAGE_LIMITS, zipBytes: 1024 * 1024 };
const bytes = zip([
  { name: "main.py", content: "print(1)" },
  { name: "lib/a.py", content: "x = 1" },
]);
const sha256 = createHash("sha256").update(bytes).digest("hex");

async function* pieces(content: Buffer, size = 7) {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}

describe("receiving a code package", () => {
  test("keeps it once under its digest, however often it comes", async () => {
    await using box = await sandbox();
    const packages = await openCodePackageFiles(box.dir, limits);
    const first = await packages.receive(pieces(bytes), {
      expectedSha256: sha256,
      declaredBytes: bytes.length,
    });
    expect(first).toEqual({ sha256, sizeBytes: bytes.length, fileCount: 2 });
    expect(await packages.receive(pieces(bytes))).toEqual(first);
    expect(await box.files()).toEqual([`${sha256}.zip`]);
    expect(packages.pathOf(sha256)).toBe(join(box.dir, `${sha256}.zip`));
  });

  test("stops reading an endless upload at the limit and leaves nothing", async () => {
    await using box = await sandbox();
    const packages = await openCodePackageFiles(box.dir, limits);
    let sent = 0;
    async function* endless() {
      for (;;) {
        sent += 65_536;
        yield Buffer.alloc(65_536);
      }
    }
    await expect(packages.receive(endless())).rejects.toMatchObject({ code: "CODE_PACKAGE_TOO_LARGE" });
    expect(sent).toBeLessThan(limits.zipBytes + 2 * 65_536);
    expect(await box.files()).toEqual([]);
  });

  test("refuses a declared length over the limit without reading a byte", async () => {
    await using box = await sandbox();
    const packages = await openCodePackageFiles(box.dir, limits);
    const untouched: AsyncIterable<Buffer> = {
      [Symbol.asyncIterator]: () => {
        throw new Error("was read");
      },
    };
    const declaredBytes = limits.zipBytes + 1;
    await expect(packages.receive(untouched, { declaredBytes })).rejects.toMatchObject({
      code: "CODE_PACKAGE_TOO_LARGE",
    });
  });

  test.each([
    ["that is no zip", Buffer.from("hello"), {}, "CODE_PACKAGE_NOT_ZIP"],
    ["that is not what was announced", bytes, { expectedSha256: "0".repeat(64) }, "CODE_PACKAGE_NOT_ZIP"],
    ["that leaves its folder", zip([{ name: "../x" }]), {}, "CODE_PACKAGE_UNSAFE"],
  ])("leaves nothing of an upload %s", async (_, content, options, code) => {
    await using box = await sandbox();
    const packages = await openCodePackageFiles(box.dir, limits);
    await expect(packages.receive(pieces(content), options)).rejects.toMatchObject({ code });
    expect(await box.files()).toEqual([]);
  });

  test("leaves nothing of an upload that breaks off", async () => {
    await using box = await sandbox();
    const packages = await openCodePackageFiles(box.dir, limits);
    async function* broken() {
      yield bytes.subarray(0, 10);
      throw new Error("connection lost");
    }
    await expect(packages.receive(broken())).rejects.toThrow("connection lost");
    expect(await box.files()).toEqual([]);
  });

  test("removes at start what a crash left an hour ago, keeps uploads of other replicas and the packages", async () => {
    await using box = await sandbox();
    await mkdir(join(box.dir, "incoming"));
    const [old, young] = ["old", "young"].map((name) => join(box.dir, "incoming", `${name}.zip`));
    for (const path of [old, young]) await writeFile(path ?? "", "half");
    const twoHoursAgo = new Date(Date.now() - 7_200_000);
    await utimes(old ?? "", twoHoursAgo, twoHoursAgo);
    await writeFile(join(box.dir, `${sha256}.zip`), bytes);
    await openCodePackageFiles(box.dir, limits);
    expect(await box.files()).toEqual([`${sha256}.zip`, "incoming/young.zip"].toSorted());
  });
});

describe("removing old packages", () => {
  test("P4: finds those uploaded before a moment, and puts back what was uploaded again meanwhile", async () => {
    await using box = await sandbox();
    const packages = await openCodePackageFiles(box.dir, limits);
    await packages.receive(pieces(bytes));
    const before = new Date(Date.now() - 60_000);
    expect(await packages.oldContents(before)).toEqual([]);
    const longAgo = new Date(0);
    await utimes(packages.pathOf(sha256), longAgo, longAgo);
    expect(await packages.oldContents(before)).toEqual([sha256]);

    await packages.receive(pieces(bytes)); // after the look, before the removal
    expect(await packages.removeOld(sha256, before)).toBe(false);
    expect(await box.files()).toEqual([`${sha256}.zip`]);

    await utimes(packages.pathOf(sha256), longAgo, longAgo);
    expect(await packages.removeOld(sha256, before)).toBe(true);
    expect(await packages.removeOld(sha256, before), "by another replica, a moment later").toBe(false);
    expect(await box.files()).toEqual([]);
    expect((await readdir(box.dir, { recursive: true })).sort()).toEqual(["incoming"]);
  });
});
