import { readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { DevServersConfig } from "./config.ts";
import { findOnPath, run } from "./run.ts";

/*
 * Installing Debian packages as root, without a question asked and without the packages' services being started.
 * One process of ours at a time; a foreign apt or dpkg is waited for.
 */

const policyFile = "/usr/sbin/policy-rc.d";
const policyText =
  "#!/bin/sh\n# aiep: no packaged service starts while its package is being installed\nexit 101\n";

/** The package lists are fetched once a process. */
let listsAreFresh = false;

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
  await withLock("aiep-apt", async () => {
    if (await satisfied()) return;
    log(`installing ${packages.join(" ")} with apt-get`);
    const env = { ...config.childEnv, DEBIAN_FRONTEND: "noninteractive" };
    const wait = ["-o", "DPkg::Lock::Timeout=300"];
    await withoutServiceStart(async () => {
      if (!listsAreFresh) await run(apt, [...wait, "-q", "update"], { env });
      listsAreFresh = true;
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

/**
 * Work that only one process of this machine does at a time. The lock is a socket in Linux's abstract namespace: the
 * kernel gives it to one process and takes it back when that process ends, however it ends.
 */
export async function withLock(name: string, work: () => Promise<void>): Promise<void> {
  const lock = createServer();
  while (!(await listens(lock, `\0${name}`))) await sleep(100);
  try {
    await work();
  } finally {
    await new Promise((resolve) => lock.close(resolve));
  }
}

/** False when another process listens there. */
async function listens(server: Server, path: string): Promise<boolean> {
  return await new Promise((resolve, reject) => {
    server.removeAllListeners();
    server.once("listening", () => resolve(true));
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(false);
      else reject(error);
    });
    server.listen(path);
  });
}
