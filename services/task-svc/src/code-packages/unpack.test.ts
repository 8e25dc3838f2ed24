import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AiepError, type ErrorCode } from "@aiep/contracts";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { refuseLeavingLinks } from "./entry-path.ts";
import { type CodePackageLimits, DEFAULT_CODE_PACKAGE_LIMITS } from "./limits.ts";
import { LINK, type ZipEntry, zip } from "./testing/zip.ts";
import { unpackCodePackage, verifyCodePackage } from "./unpack.ts";

async function sandbox() {
  const dir = await mkdtemp(join(tmpdir(), "aiep-unpack-"));
  return {
    dir,
    write: async (bytes: Buffer) => {
      const path = join(dir, "package.zip");
      await writeFile(path, bytes);
      return path;
    },
    target: join(dir, "below", "code"),
    [Symbol.asyncDispose]: async () => await rm(dir, { recursive: true, force: true }),
  };
}

const limits = DEFAULT_CODE_PACKAGE_LIMITS;

/** Both the check on upload and the unpacking refuse, with the same code, and leave nothing. */
async function expectRefused(
  bytes: Buffer,
  code: ErrorCode,
  words: RegExp,
  bounds: CodePackageLimits = limits,
) {
  await using box = await sandbox();
  const path = await box.write(bytes);
  const errors = [
    await verifyCodePackage(path, bounds).catch((error: unknown) => error),
    await unpackCodePackage(path, box.target, bounds).catch((error: unknown) => error),
  ];
  for (const error of errors) {
    expect(error).toBeInstanceOf(AiepError);
    expect(error).toMatchObject({ code });
    expect(String(error)).toMatch(words);
  }
  expect(await readdir(box.target)).toEqual([]);
  expect(await readdir(box.dir)).toEqual(["below", "package.zip"]);
}

describe("a good package", () => {
  test("is unpacked with its folders, sensible modes and inner links", async () => {
    await using box = await sandbox();
    const path = await box.write(
      zip([
        { name: "./main.py", content: "print('hi')" },
        { name: "bin/", mode: 0o040700 },
        { name: "bin/run.sh", content: "#!/bin/sh\n", mode: 0o104755 },
        { name: "数据/深/样本.txt", content: "字", method: "store" },
        { name: "secret", content: "x", mode: 0o100400 },
        { name: "latest", content: "bin/run.sh", mode: LINK },
        { name: "bin/up", content: "../main.py", mode: LINK },
      ]),
    );
    expect(await verifyCodePackage(path, limits)).toEqual({ fileCount: 4, bytes: 25 });
    expect(await unpackCodePackage(path, box.target, limits)).toEqual({ fileCount: 4, bytes: 25 });
    expect(await readFile(join(box.target, "main.py"), "utf8")).toBe("print('hi')");
    expect(await readFile(join(box.target, "数据/深/样本.txt"), "utf8")).toBe("字");
    const mode = async (name: string) => ((await lstat(join(box.target, name))).mode & 0o7777).toString(8);
    expect(await mode("main.py")).toBe("644");
    expect(await mode("secret")).toBe("644");
    expect(await mode("bin")).toBe("755");
    expect(await mode("bin/run.sh"), "setuid is gone, executable stays").toBe("755");
    expect(await readlink(join(box.target, "bin/up"))).toBe("../main.py");
  });

  test("without entries is an empty folder", async () => {
    await using box = await sandbox();
    expect(await unpackCodePackage(await box.write(zip([])), box.target, limits)).toEqual({
      fileCount: 0,
      bytes: 0,
    });
  });

  test("is not unpacked over what is already there", async () => {
    await using box = await sandbox();
    const path = await box.write(zip([{ name: "a", content: "new" }]));
    await mkdir(box.target, { recursive: true });
    await writeFile(join(box.target, "a"), "old");
    await expect(unpackCodePackage(path, box.target, limits)).rejects.toThrow("not empty");
    expect(await readFile(join(box.target, "a"), "utf8")).toBe("old");
  });

  test("may be given to another owner", { skip: process.getuid?.() !== 0 }, async () => {
    await using box = await sandbox();
    const path = await box.write(
      zip([
        { name: "d/a", content: "x" },
        { name: "l", content: "d", mode: LINK },
      ]),
    );
    await unpackCodePackage(path, box.target, limits, { owner: { uid: 4711, gid: 4712 } });
    for (const name of ["", "d", "d/a", "l"])
      expect(await lstat(join(box.target, name))).toMatchObject({ uid: 4711, gid: 4712 });
  });
});

describe("names that leave the folder are refused", () => {
  test.each<[string, ZipEntry, RegExp]>([
    ["parent folder", { name: "../evil" }, /leaves the folder/],
    ["parent folder in the middle", { name: "a/../../evil" }, /leaves the folder/],
    ["absolute", { name: "/etc/passwd" }, /absolute path/],
    ["backslash", { name: "a\\..\\evil" }, /backslash/],
    ["drive letter", { name: "C:evil" }, /drive letter/],
    ["NUL", { name: "a\0b" }, /NUL/],
    ["overlong name", { name: "x".repeat(300) }, /longer than 255/],
    ["device", { name: "sda", mode: 0o060660 }, /neither a file/],
    ["absolute link", { name: "l", content: "/etc", mode: LINK }, /leaves the folder/],
    ["link upwards", { name: "a/l", content: "../../x", mode: LINK }, /leaves the folder/],
    ["link to itself", { name: "l", content: "l", mode: LINK }, /never ends/],
    ["empty link", { name: "l", content: "", mode: LINK }, /leaves the folder/],
    ["overlong link", { name: "l", content: "x".repeat(5000), mode: LINK }, /overlong/],
  ])("%s", async (_, entry, words) => {
    await expectRefused(zip([{ name: "first", content: "harmless" }, entry]), "CODE_PACKAGE_UNSAFE", words);
  });

  test("a link that leaves only through another link", async () => {
    const entries = [
      { name: "d/up", content: "..", mode: LINK },
      { name: "out", content: "d/up/../etc", mode: LINK }, // as text this stays inside
    ];
    await expectRefused(zip(entries), "CODE_PACKAGE_UNSAFE", /"out".*leaves the folder/);
  });

  test("a file below a link", async () => {
    const entries = [
      { name: "l", content: "d", mode: LINK },
      { name: "l/file", content: "x" },
    ];
    await expectRefused(zip(entries), "CODE_PACKAGE_UNSAFE", /lies below l/);
  });

  test.each([
    ["the same name", "a", "a"],
    ["names that are the same path", "d/a", "./d//a"],
  ])("twice: %s", async (_, first, second) => {
    await expectRefused(zip([{ name: first }, { name: second }]), "CODE_PACKAGE_UNSAFE", /twice/);
  });
});

describe("a file that is no good zip is refused", () => {
  const good = zip([{ name: "a", content: "some content that is long enough to be cut" }]);
  test.each<[string, Buffer, RegExp]>([
    ["empty", Buffer.alloc(0), /not a readable zip/],
    ["text", Buffer.from("#!/bin/sh\necho no zip\n".repeat(50)), /not a readable zip/],
    ["cut off", good.subarray(0, good.length - 10), /not a readable zip/],
    ["front part missing", good.subarray(20), /not a readable zip/],
    ["encrypted", zip([{ name: "a", encrypted: true }]), /encrypted/],
    ["another packing method", zip([{ name: "a", content: "x", method: 12 }]), /method 12/],
    ["wrong checksum", zip([{ name: "a", content: "x", crc: 1 }]), /checksum/],
    [
      "longer than declared",
      zip([{ name: "a", content: "x".repeat(1000), declaredSize: 10 }]),
      /longer than/,
    ],
    ["shorter than declared", zip([{ name: "a", content: "xx", declaredSize: 10 }]), /shorter than/],
    ["spoilt content", spoil(good), /not a readable zip/],
  ])("%s", async (_, bytes, words) => {
    await expectRefused(bytes, "CODE_PACKAGE_NOT_ZIP", words);
  });

  function spoil(bytes: Buffer): Buffer {
    const copy = Buffer.from(bytes);
    copy.fill(0xff, 31, 40);
    return copy;
  }
});

describe("a package that is too large is refused", () => {
  const small: CodePackageLimits = {
    zipBytes: 1e6,
    entries: 10,
    unpackedBytes: 1000,
    ratio: 20,
    ratioFromBytes: 500,
  };

  test("by the sum of its files, one of which would fit", async () => {
    const file = (name: string): ZipEntry => ({ name, content: "x".repeat(400) });
    await expectRefused(
      zip([file("a"), file("b"), file("c")]),
      "CODE_PACKAGE_TOO_LARGE",
      /unpacks to more than/,
      small,
    );
  });

  test("by the ratio of one file", async () => {
    const bomb = zip([{ name: "bomb", content: Buffer.alloc(900) }]);
    await expectRefused(bomb, "CODE_PACKAGE_TOO_LARGE", /20 times/, small);
  });

  test("by the number of its entries", async () => {
    const many = zip(Array.from({ length: 11 }, (_, index) => ({ name: `f${index}` })));
    await expectRefused(many, "CODE_PACKAGE_TOO_LARGE", /11 entries/, small);
  });

  test("also when its headers lie: no more comes out than they declare", async () => {
    const bomb = zip([{ name: "bomb", content: Buffer.alloc(64 * 1024 * 1024), declaredSize: 100 }]);
    await expectRefused(bomb, "CODE_PACKAGE_NOT_ZIP", /longer than the zip declares/);
  });
});

test("whatever links an archive has, none that is accepted leads out of the folder", () => {
  const name = fc.constantFrom("a", "b", "c", "d/a", "d/b", "d/e/a");
  const segment = fc.constantFrom("..", ".", "a", "b", "c", "d", "e");
  const target = fc.array(segment, { minLength: 1, maxLength: 5 }).map((segments) => segments.join("/"));
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(name, target), { selector: ([path]) => path, maxLength: 6 }),
      (pairs) => {
        const links = new Map(pairs);
        try {
          refuseLeavingLinks(links);
        } catch {
          return; // refused is always safe
        }
        for (const path of links.keys())
          expect(lowestDepth(path.split("/"), links, [])).toBeGreaterThanOrEqual(0);
      },
    ),
  );

  /** An independent walk: recursive, and counting depth; -1 as soon as it is above the root. */
  function lowestDepth(
    ahead: readonly string[],
    links: ReadonlyMap<string, string>,
    at: readonly string[],
  ): number {
    const [segment, ...rest] = ahead;
    if (segment === undefined) return at.length;
    if (segment === ".") return lowestDepth(rest, links, at);
    if (segment === "..") return at.length === 0 ? -1 : lowestDepth(rest, links, at.slice(0, -1));
    const target = links.get([...at, segment].join("/"));
    return target === undefined
      ? lowestDepth(rest, links, [...at, segment])
      : lowestDepth([...target.split("/"), ...rest], links, at);
  }
});
