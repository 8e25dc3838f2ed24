import { open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { DevServersConfig } from "./config.ts";
import { findOnPath, run } from "./run.ts";
import { isAlive } from "./temp-dir.ts";

/*
 * Installing Debian packages as root, without a question asked and without the packages' services being started.
 * One process of ours at a time; a foreign apt or dpkg is waited for.
 */

const policyFile = "/usr/sbin/policy-rc.d";
const policyText =
  "#!/bin/sh\n# aiep: no packaged service starts while its package is being installed\nexit 101\n";

export type Log = (line: string) => void;

/** apt-get's path when this process may install packages with it. */
export async function findApt(config: DevServersConfig): Promise<string | undefined> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return undefined;
  return await findOnPath(["apt-get"], config.searchPath);
}

/** Installs the packages unless `satisfied` says, once it is our turn, that another run of ours has done so already. */
export async function aptInstall(
  apt: string,
  packages: readonly string[],
  satisfied: () => Promise<boolean>,
  config: DevServersConfig,
  log: Log,
): Promise<void> {
  await withLock(join(config.tempDir, "aiep-apt.lock"), async () => {
    if (await satisfied()) return;
    log(`installing ${packages.join(" ")} with apt-get`);
    const env = { ...config.childEnv, DEBIAN_FRONTEND: "noninteractive" };
    const wait = ["-o", "DPkg::Lock::Timeout=300"];
    await withoutServiceStart(async () => {
      await run(apt, [...wait, "-q", "update"], { env });
      await run(apt, [...wait, "-q", "-y", "--no-install-recommends", "install", ...packages], { env });
    });
  });
}

async function withoutServiceStart(work: () => Promise<void>): Promise<void> {
  const existing = await readFile(policyFile, "utf8").catch(() => undefined);
  const ours = existing === undefined || existing === policyText;
  if (ours) await writeFile(policyFile, policyText, { mode: 0o755 });
  try {
    await work();
  } finally {
    if (ours) await rm(policyFile, { force: true });
  }
}

/** A lock file that holds its owner's pid; an owner that died does not hold it any more. */
export async function withLock(path: string, work: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      await using file = await open(path, "wx");
      await file.writeFile(String(process.pid));
      break;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
      const owner = Number.parseInt(await readFile(path, "utf8").catch(() => ""), 10);
      if (Number.isSafeInteger(owner) && !isAlive(owner)) await rm(path, { force: true });
      else await sleep(200);
    }
  }
  try {
    await work();
  } finally {
    await rm(path, { force: true });
  }
}
