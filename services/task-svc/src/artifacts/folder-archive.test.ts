import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { archiveFolder, FolderRefused, leaves, unpackFolder } from "./folder-archive.ts";
import { headerOf } from "./gnu-tar.ts";

const LIMITS = { bytes: 10_000_000, files: 100 };
const signal = new AbortController().signal;

async function openGround() {
  const dir = await mkdtemp(join(tmpdir(), "aiep-archive-"));
  const [from, to, archive] = [join(dir, "from"), join(dir, "to"), join(dir, "a.tar")];
  await mkdir(from);
  await mkdir(to);
  return { from, to, archive, [Symbol.asyncDispose]: async () => await rm(dir, { recursive: true }) };
}

async function put(folder: string, files: Readonly<Record<string, string | Buffer>>) {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

/** Into a file. */
async function archived(folder: string, file: string, limits = LIMITS) {
  const archive = await archiveFolder(folder, limits, signal);
  await writeFile(file, archive.pieces());
  const sha256 = createHash("sha256")
    .update(await readFile(file))
    .digest("hex");
  return { sha256, sizeBytes: archive.sizeBytes, fileCount: archive.fileCount };
}

const UNPACKERS = {
  "the platform": async (archive: string, to: string) => await unpackFolder(createReadStream(archive), to),
  tar: async (archive: string, to: string) => void execFileSync("tar", ["-xf", archive, "-C", to]),
};
const LONG = "训练".repeat(40);

test.each(Object.entries(UNPACKERS))(
  "%s unpacks what was there: names of any length, rights, links",
  async (_, unpack) => {
    await using ground = await openGround();
    const files = {
      "a.txt": "a",
      "@b": "",
      [`deep/${LONG}/${"x".repeat(200)}/${LONG}`]: "far",
      "big.bin": Buffer.alloc(2_500_001, 7),
    };
    await put(ground.from, files);
    await mkdir(join(ground.from, "empty"));
    await symlink(`deep/${LONG}/${"x".repeat(200)}/${LONG}`, join(ground.from, "latest"));
    await chmod(join(ground.from, "a.txt"), 0o4770);
    const { fileCount, sizeBytes } = await archived(ground.from, ground.archive);
    expect([fileCount, sizeBytes]).toEqual([5, 2_500_005]);
    await unpack(ground.archive, ground.to);
    for (const [path, content] of Object.entries(files))
      expect((await readFile(join(ground.to, path))).equals(Buffer.from(content))).toBe(true);
    expect(await readFile(join(ground.to, "latest"), "utf8")).toBe("far");
    expect(await readdir(join(ground.to, "empty"))).toEqual([]);
    expect((await lstat(join(ground.to, "a.txt"))).mode & 0o7777).toBe(0o750);
  },
);

test("any content comes back, and the same content is the same archive", async () => {
  const name = fc.string({
    minLength: 1,
    maxLength: 60,
    unit: fc.constantFrom("a", ".", "@", " ", "训", "é"),
  });
  const usable = name.filter((text) => text !== "." && text !== ".." && Buffer.byteLength(text) < 255);
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(usable, fc.uint8Array({ maxLength: 1100 }), { maxKeys: 5 }),
      async (content) => {
        await using ground = await openGround();
        const files = Object.fromEntries(
          Object.entries(content).map(([path, bytes]) => [path, Buffer.from(bytes)]),
        );
        await put(ground.from, files);
        const first = await archived(ground.from, ground.archive);
        await unpackFolder(createReadStream(ground.archive), ground.to);
        expect((await readdir(ground.to)).sort()).toEqual(Object.keys(files).sort());
        for (const [path, bytes] of Object.entries(files))
          expect((await readFile(join(ground.to, path))).equals(bytes)).toBe(true);
        const again = await archived(ground.to, `${ground.archive}2`);
        expect(again).toEqual(first);
      },
    ),
    { numRuns: 40 },
  );
});

test("a size that no octal field holds is told in GNU's binary form", () => {
  const header = headerOf({ kind: "file", path: "big", mode: 0o644, size: 70 * 1024 ** 3 });
  expect(header.readUInt8(124)).toBe(0x80);
  expect(header.readBigUInt64BE(128)).toBe(70n * 1024n ** 3n);
});

test("too many files, too many bytes and links that leave are refused by name", async () => {
  await using ground = await openGround();
  await put(ground.from, { a: "12345", b: "12345" });
  const archive = async (limits: typeof LIMITS) => await archiveFolder(ground.from, limits, signal);
  await expect(archive({ bytes: 9, files: 9 })).rejects.toThrow("larger than 9 bytes");
  await expect(archive({ bytes: 90, files: 1 })).rejects.toThrow("more than 1 files");
  await symlink("../to", join(ground.from, "out"));
  await expect(archive(LIMITS)).rejects.toThrow(FolderRefused);
});

test.each([
  ["a", "b", false],
  ["a", "..b", false],
  ["d/a", "../b", false],
  ["a", "..", true],
  ["a", "../b", true],
  ["d/a", "../../b", true],
  ["a", "/b", true],
])("the link %s → %s leaves its folder: %s", (path, target, out) => {
  expect(leaves(path, target)).toBe(out);
});
