/**
 * Processes of this machine, by identity: pid, start time and boot, so that a pid used again is never taken for the
 * process that had it before.
 */
import { readdirSync, readFileSync } from "node:fs";

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot, from /proc/<pid>/stat. */
  readonly startTime: string;
  readonly bootId: string;
}

/** `<pid> <start time> <boot id>`, as the wrapper writes it. Undefined while it is not written whole. */
export function parseIdentity(text: string): ProcessIdentity | undefined {
  const match = /^(\d+) (\d+) (\S+)\n$/.exec(text);
  const [, pid, startTime, bootId] = match ?? [];
  if (pid === undefined || startTime === undefined || bootId === undefined) return undefined;
  return { pid: Number(pid), startTime, bootId };
}

let boot: string | undefined;
function bootIdNow(): string {
  boot ??= readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  return boot;
}

/** A zombie counts as dead: it runs nothing any more. */
export function isAlive(identity: ProcessIdentity): boolean {
  if (identity.bootId !== bootIdNow()) return false;
  try {
    const stat = readFileSync(`/proc/${identity.pid}/stat`, "latin1");
    // The command name, in parentheses, may hold anything; fields 3 (state) and 22 (start time) come after it.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] !== "Z" && fields[0] !== "X" && fields[19] === identity.startTime;
  } catch {
    return false;
  }
}

export function signal(identity: ProcessIdentity, name: "SIGTERM" | "SIGKILL"): void {
  if (isAlive(identity)) killQuietly(identity.pid, name);
}

/**
 * Kills every process whose environment holds this entry. For nodes without a PID namespace: it finds also what has
 * left the process group with setsid.
 */
export function killByEnvironment(entry: string): number {
  let killed = 0;
  const needle = Buffer.from(`${entry}\0`);
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    if (environmentHolds(pid, needle) && killQuietly(pid, "SIGKILL")) killed++;
  }
  return killed;
}

function environmentHolds(pid: number, needle: Buffer): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`).includes(needle);
  } catch {
    return false; // gone, or another user's
  }
}

function killQuietly(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false; // already gone
  }
}
