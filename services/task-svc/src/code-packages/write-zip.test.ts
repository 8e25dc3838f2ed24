import { createHash } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zipTextFiles } from "@aiep/service-kit";
import fc from "fast-check";
import { expect, it } from "vitest";
import { DEFAULT_CODE_PACKAGE_LIMITS } from "./limits.ts";
import { unpackCodePackage } from "./unpack.ts";

it("unpacks to the same files, whatever text they hold", async () => {
  const dir = mkdtempSync(join(tmpdir(), "aiep-zip-"));
  try {
    let number = 0;
    const name = fc.stringMatching(/^[a-z0-9_]{1,8}\.py$/);
    const files = fc.dictionary(name, fc.string({ unit: "binary", maxLength: 200 }), { maxKeys: 8 });
    await fc.assert(
      fc.asyncProperty(files, async (wanted) => {
        number += 1;
        const [zip, target] = [join(dir, `${number}.zip`), join(dir, `${number}`)];
        await writeFile(zip, zipTextFiles(wanted));
        await unpackCodePackage(zip, target, DEFAULT_CODE_PACKAGE_LIMITS);
        for (const [path, text] of Object.entries(wanted))
          expect(await readFile(join(target, path), "utf8")).toBe(Buffer.from(text).toString());
      }),
      { numRuns: 40 },
    );
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

it("makes a script that names its interpreter executable, other files not", async () => {
  const dir = mkdtempSync(join(tmpdir(), "aiep-zip-"));
  try {
    await writeFile(
      join(dir, "code.zip"),
      zipTextFiles({ "run.py": "#!/usr/bin/env python3\n", "a.py": "" }),
    );
    await unpackCodePackage(join(dir, "code.zip"), join(dir, "code"), DEFAULT_CODE_PACKAGE_LIMITS);
    const modeOf = async (name: string) => (await stat(join(dir, "code", name))).mode & 0o777;
    expect([await modeOf("run.py"), await modeOf("a.py")]).toEqual([0o755, 0o644]);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

it("makes the same bytes of the same files, in whatever order they are given", () => {
  const one = zipTextFiles({ "main.py": "print(1)\n", "lib/a.py": "A = 1\n" });
  const other = zipTextFiles({ "lib/a.py": "A = 1\n", "main.py": "print(1)\n" });
  expect(other.equals(one)).toBe(true);
  expect(createHash("sha256").update(one).digest("hex")).toMatchInlineSnapshot(
    `"30e61b1b271aedaf6df08e6d236b9efa5c952e9dba9a626ed80a3745a41a1606"`,
  );
});
