import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { zipFolder } from "./zip.ts";

test("a folder's zip is read by Python as the same files, and is the same bytes each time", async () => {
  const dir = await mkdtemp(join(tmpdir(), "aiep-zip-"));
  onTestFinished(async () => await rm(dir, { recursive: true }));
  const folder = join(dir, "code");
  await mkdir(join(folder, "sub", "__pycache__"), { recursive: true });
  await writeFile(join(folder, "main.py"), "print(1)\n");
  await writeFile(join(folder, "empty"), "");
  await writeFile(join(folder, "sub", "中文.txt"), "你好");
  await writeFile(join(folder, "sub", "__pycache__", "x.pyc"), "not code");
  const zip = await zipFolder(folder);
  expect(await zipFolder(folder)).toEqual(zip);
  const file = join(dir, "code.zip");
  await writeFile(file, zip);
  const script =
    "import sys,zipfile,json;z=zipfile.ZipFile(sys.argv[1]);assert z.testzip() is None;print(json.dumps({i.filename:[z.read(i).decode(),oct(i.external_attr>>16)] for i in z.infolist()}))";
  const seen: unknown = JSON.parse(execFileSync("python3", ["-c", script, file], { encoding: "utf8" }));
  expect(seen).toEqual({
    empty: ["", "0o100644"],
    "main.py": ["print(1)\n", "0o100644"],
    "sub/中文.txt": ["你好", "0o100644"],
  });
});
