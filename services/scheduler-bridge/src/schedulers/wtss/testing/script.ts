/** The published script as an executor would start it: a folder with the package's files, a shell, arguments. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { experimentId } from "@aiep/contracts";
import { buildPackage, type PackageOptions } from "../package/package.ts";

/** Those of this machine. */
export const SHELLS = [["dash"], ["bash"], ["busybox", "sh"]].filter(
  ([name = "", ...args]) => spawnSync(name, [...args, "-c", ":"]).status === 0,
);

export const packageOptions: PackageOptions = {
  name: "demo_ab13c7",
  triggerBaseUrl: "http://127.0.0.1:9",
  publicationId: "5e0c7f1a2b3c4d5e6f708192a3b4c5d6",
  experimentId: experimentId.parse("ab13c7538f0e4d2a9b6c1d2e3f405162"),
  versionName: "v3",
  parameters: {},
  secret: `whsec_${Buffer.from("a secret of thirty-two bytes, ok").toString("base64")}`,
  proxyUser: undefined,
};

/** Files of a package by name, unpacked: ours are stored as they are. */
export function filesOf(zip: Buffer): Map<string, string> {
  const files = new Map<string, string>();
  for (let at = 0; zip.readUInt32LE(at) === 0x04034b50; ) {
    const [size, nameLength] = [zip.readUInt32LE(at + 18), zip.readUInt16LE(at + 26)];
    const start = at + 30 + nameLength;
    files.set(zip.toString("utf8", at + 30, start), zip.toString("utf8", start, start + size));
    at = start + size;
  }
  return files;
}

export interface StartedScript {
  readonly process: ChildProcess;
  readonly output: () => string;
  readonly exited: Promise<number | string>;
}

export class ScriptFolder implements AsyncDisposable {
  readonly dir: string;

  private constructor(dir: string) {
    this.dir = dir;
  }

  static async open(options: PackageOptions): Promise<ScriptFolder> {
    const dir = await mkdtemp(join(tmpdir(), "aiep script-"));
    for (const [name, text] of filesOf(buildPackage(options).zip)) await writeFile(join(dir, name), text);
    return new ScriptFolder(dir);
  }

  start(
    shell: readonly string[],
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): StartedScript {
    const [name = "sh", ...rest] = shell;
    const child = spawn(name, [...rest, "aiep-run.sh", ...args], {
      cwd: this.dir,
      env: { PATH: process.env["PATH"], LANG: "C.UTF-8", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
    const exited = once(child, "close").then(
      ([code, signal]: unknown[]) => (code ?? signal) as number | string,
    ); // one of the two
    return { process: child, output: () => text, exited };
  }

  async edit(name: string, change: (text: string) => string): Promise<void> {
    const path = join(this.dir, name);
    await writeFile(path, change(await readFile(path, "utf8")));
  }

  /** A curl on PATH that notes its arguments. */
  async spyOnCurl(): Promise<{ readonly path: string; readonly arguments: () => Promise<string[]> }> {
    const [bin, log] = [join(this.dir, "bin"), join(this.dir, "calls")];
    const path = process.env["PATH"] ?? "";
    await mkdir(bin);
    const spy = `#!/bin/sh\nprintf '%s\\n' "$*" >>'${log}'\nPATH='${path}'\nexec curl "$@"\n`;
    await writeFile(join(bin, "curl"), spy, { mode: 0o755 });
    return {
      path: `${bin}:${path}`,
      arguments: async () => (await readFile(log, "utf8")).trim().split("\n"),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }
}
