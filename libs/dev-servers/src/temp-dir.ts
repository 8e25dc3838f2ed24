import { readFileSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/**
 * Folders of servers without a given folder. The name carries the pid of the process that made it, so that what a
 * SIGKILLed run left behind is swept by the next run (I10).
 */
const prefix = "aiep-srv-";
let swept = false;

export async function makeTempDir(tempDir: string): Promise<string> {
  if (!swept) {
    swept = true;
    await sweepLeftovers(tempDir);
  }
  return await mkdtemp(join(tempDir, `${prefix}${process.pid}-`));
}

export async function sweepLeftovers(tempDir: string): Promise<void> {
  for (const name of await readdir(tempDir)) {
    if (!name.startsWith(prefix)) continue;
    const pid = Number.parseInt(name.slice(prefix.length), 10);
    if (Number.isSafeInteger(pid) && !isAlive(pid))
      await rm(join(tempDir, name), { recursive: true, force: true });
  }
}

/** A zombie, which only waits for its parent to notice, counts as dead. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

function isZombie(pid: number): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\)/s, ""));
  } catch {
    return false; // no /proc on this platform
  }
}
